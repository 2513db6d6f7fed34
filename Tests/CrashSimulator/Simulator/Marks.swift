import FToolTestSupport

/// Which rows of an array with parity a crash puts in doubt: those in parts that were marked as being
/// written, which are of 64 KiB of each member. Writes that follow each other are marked ahead of time.
struct Marks {
  private var marked: Set<Int> = []
  private let isEverything: Bool
  private let chunkByteCount: Int
  private static let partByteCount = 64 << 10
  private static let aheadCount = 16

  /// - Parameters:
  ///   - writes: array bytes, in order.
  ///   - hasMarks: whether the members keep any; if not, everything is in doubt after the first write.
  init(_ geometry: SlowGeometry, writes: [Range<Int>], hasMarks: Bool) {
    chunkByteCount = geometry.chunk
    isEverything = !hasMarks && !writes.isEmpty
    let partCount = (geometry.sizes[0] + Self.partByteCount - 1) / Self.partByteCount
    for write in writes where !write.isEmpty {
      let rows =
        write.lowerBound / geometry.rowByteCount...(write.upperBound - 1) / geometry.rowByteCount
      for row in rows {
        let first = row * geometry.chunk / Self.partByteCount
        let last = ((row + 1) * geometry.chunk - 1) / Self.partByteCount
        guard !(first...last).allSatisfy(marked.contains) else { continue }
        let isAhead = first > 0 && marked.contains(first - 1)
        let end = isAhead ? max(last + 1, first + Self.aheadCount) : last + 1
        marked.formUnion(first..<min(partCount, end))
      }
    }
  }

  /// Whether the block that begins at a data offset of the members may be in doubt.
  func contains(memberOffset: Int) -> Bool {
    isEverything || marked.contains(memberOffset / Self.partByteCount)
  }
}
