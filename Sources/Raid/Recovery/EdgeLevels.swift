/// How well members go on across edges of every alignment, from 4 KiB on, seen from one start of the data.
///
/// Inside a chunk a member goes on as the array does; across the edge of a chunk it does not. So the
/// alignment from which continuity breaks is the size of the chunks.
struct EdgeLevels {
  static let first = 12
  static let last = 24

  /// By alignment: summed weight, and pairs looked at.
  private(set) var weights = [Double](repeating: 0, count: Self.last + 1)
  private(set) var counts = [Double](repeating: 0, count: Self.last + 1)

  init(_ book: SketchBook, dataOffset: Int, end: Int, usesSum: Bool) throws(RaidError) {
    let marks = book.landmarks.filter { $0 >= dataOffset && $0 < end }
    guard !marks.isEmpty else { return }
    for level in Self.first...Self.last {
      try book.images.checkStop()
      let unit = 1 << level
      var edges: Set<Int> = []
      let step = max(1, marks.count / 24)
      for index in stride(from: level % step, to: marks.count, by: step) {
        // The nearest odd multiple: at even ones the alignment is a higher one.
        let multiple = (marks[index] - dataOffset) / unit | 1
        let edge = dataOffset + multiple * unit
        if edge < end { edges.insert(edge) }
        if edges.count >= 16 { break }
      }
      for edge in edges.sorted() {
        let (weight, count) = book.continuity(across: edge, usesSum: usesSum)
        weights[level] += weight
        counts[level] += Double(count)
      }
    }
  }

  /// What all edges say for chunks of this size whose ends go on so well on average; for 0, that there
  /// are no chunks.
  func weight(chunkByteCount: Int, linkMean: Double) -> Double {
    let chunkLevel = chunkByteCount == 0 ? Self.last + 1 : chunkByteCount.trailingZeroBitCount
    var sum = 0.0
    for level in Self.first...Self.last {
      sum += level < chunkLevel ? weights[level] : linkMean * counts[level]
    }
    return sum
  }

  var totalCount: Double { counts.reduce(0, +) }
}
