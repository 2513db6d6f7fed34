import BinaryCodec

/// Damage as it happens and as somebody might do it on purpose.
enum Mutation {
  /// `bytes` with one to four changes within `range`.
  static func mutated(
    _ bytes: [UInt8], in range: Range<Int>, using random: inout SplitMix64
  ) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let offset = Int.random(in: range, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[offset] = UInt8.random(in: .min ... .max, using: &random)
      case 2: store(interesting(using: &random), 2, at: offset & ~1, in: &bytes, range)
      case 3: store(interesting(using: &random), 4, at: offset & ~3, in: &bytes, range)
      case 4: store(interesting(using: &random), 8, at: offset & ~7, in: &bytes, range)
      default: store(random.next(), 4, at: offset & ~3, in: &bytes, range)
      }
    }
    return bytes
  }

  /// Numbers at the edges of what fields can hold.
  private static func interesting(using random: inout SplitMix64) -> UInt64 {
    let base = UInt64(1) << UInt64.random(in: 0..<64, using: &random)
    return [0, .max, base, base - 1, base + 1, 0 &- base].randomElement(using: &random)!
  }

  private static func store(
    _ value: UInt64, _ count: Int, at offset: Int, in bytes: inout [UInt8], _ range: Range<Int>
  ) {
    for index in 0..<count where range.contains(offset + index) {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }
}
