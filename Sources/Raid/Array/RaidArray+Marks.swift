extension RaidArray {
  /// What the members have marked as being written, or as missed by a member that is not there.
  package struct Marks: Equatable, Sendable {
    /// Bytes in marked parts, and in all: member bytes for levels 1, 4, 5, 6 and ec:K+M, else array bytes.
    package var markedByteCount: Int
    /// See `markedByteCount`.
    package var byteCount: Int
    /// What one mark stands for.
    package var granularity: Int
    /// In a record of ours, on an array that has no bitmap of md's.
    package var isOurs: Bool
  }

  /// nil where the array has neither a bitmap nor a record of ours.
  package var marks: Marks? {
    guard let intent else { return nil }
    let end = shape.intentByteCount
    let marked = intent.markedRanges.reduce(0) { $0 + $1.clamped(to: 0..<end).count }
    return Marks(
      markedByteCount: marked, byteCount: end, granularity: intent.granularity,
      isOurs: intent.isOurs)
  }
}
