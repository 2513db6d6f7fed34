import BinaryCodec
import LinuxSystem
import MDFormat

/// Bytes that mdadm and Linux wrote. Never made again: what was readable stays readable.
enum Fixture {
  static func bytes(_ name: String) throws -> [UInt8] {
    try Files.contents(of: Files.directory(of: #filePath) + "/Fixtures/\(name).bin")
  }

  static let bitmaps = [
    "bitmap-raid1-2-bitmap-failed-0", "bitmap-raid1-2-bitmap-v0.90-1", "bitmap-raid1-3-bitmap-2",
    "bitmap-raid5-3-bitmap-unclean-0", "bitmap-raid5-3-bitmap-v1.0-0",
  ]
}

extension [UInt8] {
  /// These bytes with one bit turned round.
  func flipping(bit: Int) -> [UInt8] {
    var bytes = self
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    return bytes
  }

  /// The bytes that `body` writes into a block of `count` bytes that were all `filler`.
  static func block<Failure: Error>(
    of count: Int, filler: UInt8 = 0, _ body: (inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: filler, count: count)
    try bytes.withMutableRawBytes(body)
    return bytes
  }
}
