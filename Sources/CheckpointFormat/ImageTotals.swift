/// How much an image holds.
package struct ImageTotals: Equatable, Sendable {
  /// Frames before the index.
  package var frameCount = 0
  /// Frames of memory.
  package var blockCount = 0
  /// Of the state.
  package var stateByteCount = 0
  /// Of memory, in blocks.
  package var memoryByteCount = 0
  /// Of files kept whole.
  package var contentByteCount = 0
  /// Entries of the frames of references.
  package var referenceCount = 0

  package init() {}

  /// Counts a frame before the index; its numbers were checked.
  mutating func count(_ head: FrameHead) {
    frameCount += 1
    switch head.knownKind {
    case .state: stateByteCount += head.rawByteCount
    case .block:
      blockCount += 1
      memoryByteCount += head.rawByteCount
    case .content: contentByteCount += head.rawByteCount
    case .references: referenceCount += head.rawByteCount / PageReference.byteCount
    case .index, nil: break
    }
  }
}

/// What was written.
package struct ImageSummary: Equatable, Sendable {
  package let totals: ImageTotals
  /// The whole image.
  package let storedByteCount: Int
}
