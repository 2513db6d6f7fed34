import RaidGeometry

/// Bytes of an array, which may be scattered over millions of places: how many, and where the first are.
package struct ArrayExtent: Equatable, Sendable {
  /// All of them.
  package private(set) var byteCount = 0
  /// In order, joined where they meet; no more than `listLimit`.
  package private(set) var ranges: [Range<Int>] = []
  /// How many ranges there are, listed or not.
  package private(set) var rangeCount = 0
  private var end = -1

  /// How many ranges are listed.
  package static let listLimit = 4096

  package var isEmpty: Bool { byteCount == 0 }

  /// Adds bytes behind those that were added before.
  mutating func append(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    precondition(range.lowerBound >= end, "an extent goes on where it ends")
    byteCount += range.count
    if range.lowerBound == end {
      if rangeCount == ranges.count {
        ranges[rangeCount - 1] = ranges[rangeCount - 1].lowerBound..<range.upperBound
      }
    } else {
      rangeCount += 1
      if ranges.count < Self.listLimit { ranges.append(range) }
    }
    end = range.upperBound
  }

  /// Adds bytes that are behind those that were added before, though not in order among each other.
  mutating func append(inAnyOrder ranges: [Range<Int>]) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
  }
}

extension ParityPlacement {
  /// The array bytes that some slots have at these member bytes, which are of one row.
  func arrayRanges(of column: Range<Int>, on slots: Set<Int>) -> [Range<Int>] {
    let row = column.lowerBound / chunkByteCount
    let first = row * rowByteCount + column.lowerBound % chunkByteCount
    return pattern(ofRow: row).dataSlots.enumerated().compactMap { index, slot in
      guard slots.contains(slot) else { return nil }
      let start = first + index * chunkByteCount
      return start..<start + column.count
    }
  }
}
