import BinaryCodec

/// Numbers below a bound that are in or out.
struct BitSet: Equatable, Sendable {
  private var words: [UInt64]

  init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

  /// All numbers below the bound.
  init(allBelow count: Int) {
    self.init(count: count)
    for index in words.indices { words[index] = .max }
    if count % 64 != 0 { words[words.count - 1] = (1 << UInt64(count % 64)) - 1 }
  }

  /// Adds those of `bits` that are set in `bytes`: bit `i` is at byte `place(i)`, value `1 << (i % 8)`.
  /// The first is a multiple of 8.
  ///
  /// - Returns: whether `bytes` had the same of them as the set had.
  mutating func formUnion(
    _ bits: Range<Int>, of bytes: RawSpan, at place: (_ bit: Int) -> Int
  ) -> Bool {
    precondition(bits.lowerBound % 8 == 0, "bits begin in the middle of a byte")
    var isSame = true
    for bit in stride(from: bits.lowerBound, to: bits.upperBound, by: 8) {
      var value = UInt64(bytes.integer(at: place(bit), as: UInt8.self))
      if bits.upperBound - bit < 8 { value &= 1 << UInt64(bits.upperBound - bit) - 1 }
      let shift = UInt64(bit % 64)
      if words[bit / 64] >> shift & 0xff != value { isSame = false }
      words[bit / 64] |= value << shift
    }
    return isSame
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
    // Only words of which a byte may be in `bytes`.
    let first = min(max(0, -start) / 8, words.count)
    let end = min(max(0, (bytes.byteCount - start + 7) / 8), words.count)
    for index in first..<max(first, end) where words[index] != 0 {
      for byte in 0..<8 {
        let at = start + index * 8 + byte
        guard at >= 0, at < bytes.byteCount else { continue }
        bytes.store(UInt8(truncatingIfNeeded: words[index] >> UInt64(byte * 8)), at: at)
      }
    }
  }
}
