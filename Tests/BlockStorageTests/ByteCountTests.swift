import Testing

@testable import BlockStorage

@Suite struct ByteCountTests {
  struct Size: Sendable {
    let text: String
    let byteCount: Int?
    init(_ text: String, _ byteCount: Int?) {
      self.text = text
      self.byteCount = byteCount
    }
  }

  @Test(arguments: [
    Size("0", 0), Size("512", 512), Size("512B", 512), Size("8s", 4096), Size("1K", 1024),
    Size("1k", 1024), Size("64KiB", 65536), Size("1kB", 1000), Size("1M", 1 << 20),
    Size("3MB", 3_000_000), Size("2MiB", 2 << 20), Size("1G", 1 << 30), Size("1GB", 1_000_000_000),
    Size("1T", 1 << 40), Size("1P", 1 << 50), Size("7E", 7 << 60),
    Size("9EB", 9_000_000_000_000_000_000),
    Size("1.5G", 3 << 29), Size("0.5K", 512), Size("1.001kB", 1001), Size("2.0", 2),
    Size("9223372036854775807", .max),
  ])
  func `reads sizes as people write them`(size: Size) {
    #expect(parseByteCount(size.text) == size.byteCount)
  }

  @Test(arguments: [
    "", "K", "-1", "+1", "1 K", " 1", "1X", "1KK", "1Kb", "1KBB", "8E", "9223372036854775808",
    "1.5",
    "1.0001K", "1.", ".5K", "1..5K", "1.5.5K", "1e3", "0x10", "١", "1s2", "10EB", "1.K", "\u{0}",
    "1K\n",
    "1b", "1Ki", "9999999999999999999999", "1.9999999999999999999K",
  ])
  func `refuses what is no size`(text: String) {
    #expect(parseByteCount(text) == nil)
  }
}
