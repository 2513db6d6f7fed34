import FToolTestSupport
import LinuxSystem
import Testing

/// The lists of mappings that the kernel writes, and what looks like them.
@Suite struct MemoryAreaTests {
  static let smaps = """
    55d0c0000000-55d0c0002000 r-xp 00001000 fe:01 1234                       /a path/with\\012line (deleted)
    Size:                  8 kB
    ProtectionKey:         3
    VmFlags: rd ex mr mw me sd
    7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0                          [stack]
    VmFlags: rd wr mr mw me gd ac
    7fff00000000-7fff00001000 -w-s 0000f000 00:05 99
    ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]

    """

  @Test func `every part of a line is read`() throws {
    let areas = MemoryArea.parse(Self.smaps)
    try #require(areas.count == 4)
    #expect(areas[0].addresses == 0x55d0_c000_0000..<0x55d0_c000_2000)
    #expect(areas[0].protection == [.read, .execute] && !areas[0].isShared)
    #expect(areas[0].fileOffset == 0x1000 && areas[0].inode == 1234)
    #expect(areas[0].device == .init(major: 0xfe, minor: 1))
    #expect(areas[0].name == "/a path/with\nline (deleted)")
    #expect(areas[0].deletedPath == "/a path/with\nline")
    #expect(areas[0].protectionKey == 3)
    #expect(areas[0].flags == ["rd", "ex", "mr", "mw", "me", "sd"])
    #expect(areas[1].name == "[stack]" && areas[1].flags.contains("gd"))
    #expect(areas[2].protection == .write && areas[2].isShared && areas[2].name == "")
    #expect(areas[3].addresses.upperBound == 0xffff_ffff_ff60_1000)
  }

  @Test func `what is no line of the list is passed over`() {
    let lines = [
      "", " ", "-", "1-2", "1-2 rwxp", "2-1 rwxp 0 0:0 0", "1-1 rwxp 0 0:0 0", "1-g rwxp 0 0:0 0",
      "1-2 rwxpp 0 0:0 0", "1-2 rwxp 0 0 0", "1-2 rwxp 0 0:100000000 0",
      "10000000000000000-20000000000000000 rwxp 0 0:0 0", "1-2 rwxp 0 0:0 99999999999999999999",
      "VmFlags: rd", "ProtectionKey: 1",
    ]
    for line in lines { #expect(MemoryArea.parse(line + "\n") == [], "\(line)") }
    #expect(MemoryArea.parse(lines.joined(separator: "\n")) == [])
  }

  @Test(arguments: [UInt64(1), 2, 3])
  func `no text is too strange`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<300 {
      var text = Array(Self.smaps.utf8)
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      let count = Int.random(in: 0...text.count, using: &random)
      for area in MemoryArea.parse(String(decoding: text.prefix(count), as: UTF8.self)) {
        #expect(area.addresses.lowerBound < area.addresses.upperBound, "seed \(seed)")
      }
    }
  }
}
