import BinaryCodec

/// Numbers below a bound that are in or out.
struct BitSet: Equatable, Sendable {
  private var words: [UInt64]

  init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

  /// Reads bit `i` from byte `start + i / 8` of `bytes`, value `1 << (i % 8)`.
  init(count: Int, bitmap bytes: RawSpan, start: Int) {
    self.init(count: count)
    for byte in 0..<(count + 7) / 8 {
      let value = UInt64(bytes.integer(at: start + byte, as: UInt8.self))
      words[byte / 8] |= value << UInt64(byte % 8 * 8)
    }
    if count % 64 != 0 { words[words.count - 1] &= (1 << UInt64(count % 64)) - 1 }
  }

  var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
  func contains(_ bit: Int) -> Bool { words[bit / 64] >> UInt64(bit % 64) & 1 != 0 }

  /// Whether it was new.
  @discardableResult
  mutating func insert(_ bit: Int) -> Bool {
    let mask: UInt64 = 1 << UInt64(bit % 64)
    defer { words[bit / 64] |= mask }
    return words[bit / 64] & mask == 0
  }

  mutating func remove(_ bit: Int) { words[bit / 64] &= ~(1 << UInt64(bit % 64)) }

  /// Keeps the members for which `keeps` is true.
  mutating func formIntersection(_ keeps: (Int) -> Bool) {
    for index in words.indices where words[index] != 0 {
      for bit in index * 64..<index * 64 + 64 where contains(bit) && !keeps(bit) { remove(bit) }
    }
  }

  /// Writes what of the bits falls into `bytes`, where bit 0 would be at byte `start`, which may be
  /// before its beginning.
  func store(into bytes: inout MutableRawSpan, bitmapStart start: Int) {
    for index in words.indices where words[index] != 0 {
      for byte in 0..<8 {
        let at = start + index * 8 + byte
        guard at >= 0, at < bytes.byteCount else { continue }
        bytes.store(UInt8(truncatingIfNeeded: words[index] >> UInt64(byte * 8)), at: at)
      }
    }
  }
}
