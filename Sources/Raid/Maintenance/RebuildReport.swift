/// What a rebuild did.
package struct RebuildReport: Sendable, Equatable {
  package var slot: Int
  package var member: String
  /// Member bytes: how far it came, and how far it was to go.
  package var position: Int
  package var end: Int
  /// Bytes that were written; less than all where a bitmap said what is missing.
  package var rebuiltByteCount: Int
  /// Data offsets of blocks that could not be computed, because too much of their row is lost.
  package var lostBlocks: [Int]

  package var isComplete: Bool { position == end }
}
