extension Range<Int> {
  /// The parts of a range of blocks between those that start at these bytes.
  func without(_ offsets: Set<Int>) -> [Range<Int>] {
    if offsets.isEmpty { return [self] }
    var parts: [Range<Int>] = []
    var start = lowerBound
    for block in Set(offsets.map { $0 / 4096 }).sorted() where contains(block) {
      if start < block { parts.append(start..<block) }
      start = block + 1
    }
    if start < upperBound { parts.append(start..<upperBound) }
    return parts
  }
}

extension [Range<Int>] {
  /// The same bytes widened to blocks of 4 KiB; in order, and none touches the next.
  var inWholeBlocks: [Range<Int>] {
    var whole: [Range<Int>] = []
    for range in sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      let start = range.lowerBound / 4096 * 4096
      let end =
        range.upperBound > Int.max - 4095 ? Int.max : (range.upperBound + 4095) / 4096 * 4096
      if let last = whole.last, start <= last.upperBound {
        whole[whole.count - 1] = last.lowerBound..<Swift.max(last.upperBound, end)
      } else {
        whole.append(start..<end)
      }
    }
    return whole
  }
}
