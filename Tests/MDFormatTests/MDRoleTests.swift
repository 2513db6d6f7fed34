import MDFormat
import Testing

@Suite struct MDRoleTests {
  @Test func `stands for every number that means something`() {
    for number in UInt16.min ... .max {
      let role = MDRole(rawValue: number)
      #expect(role?.rawValue == (number < 0xff00 || number >= 0xfffd ? number : nil))
    }
    #expect(MDRole(rawValue: 0xffff) == .spare)
    #expect(MDRole(rawValue: 0xfffe) == .faulty)
    #expect(MDRole(rawValue: 0xfffd) == .journal)
    #expect(MDRole(rawValue: 7) == .slot(7))
  }
}
