import Testing

@testable import FToolCommands

@Suite struct ArrayFinderTests {
  /// A member that begins to fail has something to say the first time, and nothing the second.
  @Test func `each member is asked once`() {
    var askedCount = 0
    let value = [1, 2, 3].firstValue { number -> Int? in
      if number == 1 { return nil }
      askedCount += 1
      return askedCount == 1 ? number : nil
    }
    #expect(value == 2 && askedCount == 1)
    #expect([1, 2].firstValue { _ -> Int? in nil } == nil)
  }
}
