import BinaryCodec

/// Whether `range` of the bytes is the same as what starts at `other`.
func equal(_ bytes: RawSpan, _ range: Range<Int>, _ other: Int) -> Bool {
  equal(bytes, range, bytes, other)
}

/// Whether `range` of the bytes is the same as what starts at `other` of others.
func equal(_ bytes: RawSpan, _ range: Range<Int>, _ others: RawSpan, _ other: Int) -> Bool {
  var at = 0
  while at + 8 <= range.count {
    if bytes.integer(at: range.lowerBound + at, as: UInt64.self)
      != others.integer(at: other + at, as: UInt64.self)
    {
      return false
    }
    at += 8
  }
  while at < range.count {
    if bytes.integer(at: range.lowerBound + at, as: UInt8.self)
      != others.integer(at: other + at, as: UInt8.self)
    {
      return false
    }
    at += 1
  }
  return true
}
