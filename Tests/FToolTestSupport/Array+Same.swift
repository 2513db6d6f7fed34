import Glibc

extension [UInt8] {
  /// Whether a range of these bytes is what is in others from `start` on. In a debug build `==` takes a
  /// hundred times as long.
  package func same(_ range: Range<Int>, as other: [UInt8], at start: Int) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    precondition(start >= 0 && start + range.count <= other.count)
    return withUnsafeBytes { bytes in
      other.withUnsafeBytes { others in
        guard let a = bytes.baseAddress, let b = others.baseAddress else { return true }
        return memcmp(a + range.lowerBound, b + start, range.count) == 0
      }
    }
  }

  /// Whether these are the same bytes, quickly.
  package func same(as other: [UInt8]) -> Bool {
    count == other.count && same(0..<count, as: other, at: 0)
  }
}
