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
