/// How well members go on across edges of every alignment.
///
/// Inside a chunk a member goes on as the array does; across the edge of a chunk it does not. All
/// hypotheses about where data starts and how large chunks are judge the same edges: each has to explain
/// those that break and those that do not.
struct EdgeLevels {
  private struct Edge {
    let offset: Int
    let weight: Double
    let count: Double
  }

  private var edges: [Edge] = []

  /// - Parameter dataOffsets: those in question: edges are taken from the view of each.
  init(_ book: SketchBook, dataOffsets: [Int], end: Int, usesSum: Bool) throws(RaidError) {
    let marks = book.landmarks.filter { $0 < end }
    guard !marks.isEmpty else { return }
    var offsets: Set<Int> = []
    var seen: Set<Int> = []
    for dataOffset in dataOffsets {
      for level in 12...24 {
        let unit = 1 << level
        // The same edges as for another start, seen from this one.
        guard seen.insert(level << 32 | dataOffset % (2 * unit)).inserted else { continue }
        let step = max(1, marks.count / 12)
        for index in stride(from: level % step, to: marks.count, by: step) {
          // An odd multiple: at even ones the alignment is a higher one.
          let multiple = max(0, (marks[index] - dataOffset) / unit) | 1
          let edge = dataOffset + multiple * unit
          if edge < end { offsets.insert(edge) }
        }
      }
    }
    for offset in offsets.sorted() {
      try book.images.checkStop()
      let (weight, count) = book.continuity(across: offset, usesSum: usesSum)
      if count > 0 { edges.append(Edge(offset: offset, weight: weight, count: Double(count))) }
    }
  }

  /// What the edges say for chunks of this size from this start on, whose ends go on so well in the array,
  /// against there being no chunks.
  func weight(chunkByteCount: Int, dataOffset: Int, linkMean: Double) -> Double {
    var sum = 0.0
    for edge in edges
    where edge.offset > dataOffset && (edge.offset - dataOffset) % chunkByteCount == 0 {
      sum += linkMean * edge.count - edge.weight
    }
    return sum
  }
}
