import BinaryCodec

/// Checksums worked out in another way than the product does it, for blocks that a test has changed.
enum Checksum {
  /// A 1.x superblock with the checksum that fits its bytes.
  static func corrected(_ block: [UInt8]) -> [UInt8] {
    let covered = min(4096, 256 + 2 * Int(block.rawBytes.integer(at: 220, as: UInt16.self)))
    return corrected(block, checksumAt: 216, covered: covered)
  }

  /// A 0.90 superblock with the checksum that fits its bytes.
  static func legacyCorrected(_ block: [UInt8]) -> [UInt8] {
    corrected(block, checksumAt: 152, covered: 4096)
  }

  private static func corrected(_ block: [UInt8], checksumAt: Int, covered: Int) -> [UInt8] {
    var block = block
    block.replaceSubrange(checksumAt..<checksumAt + 4, with: [0, 0, 0, 0])
    var sum: UInt64 = 0
    for index in 0..<covered { sum += UInt64(block[index]) << UInt64(8 * (index % 4)) }
    let folded = UInt32(truncatingIfNeeded: sum) &+ UInt32(truncatingIfNeeded: sum >> 32)
    block.withMutableRawBytes { $0.store(folded, at: checksumAt) }
    return block
  }
}
