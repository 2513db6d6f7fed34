/// The same chance for the same seed (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  /// This many bytes of chance.
  package mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { bytes in
      var at = 0
      while at + 8 <= count {
        bytes.storeBytes(of: next().littleEndian, toByteOffset: at, as: UInt64.self)
        at += 8
      }
      guard at < count else { return }
      var rest = next()
      while at < count {
        bytes[at] = UInt8(truncatingIfNeeded: rest)
        rest >>= 8
        at += 1
      }
    }
    return bytes
  }
}
