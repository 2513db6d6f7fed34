/// What a rebuild did.
package struct RebuildReport: Sendable, Equatable {
  /// The slot whose member it was.
  package var slot: Int
  /// The name of the member that was written.
  package var member: String
  /// Member bytes: how far it came, and how far it was to go.
  package var position: Int
  /// See `position`.
  package var end: Int
  /// Bytes that were written; less than all where a bitmap said what is missing.
  package var rebuiltByteCount: Int
  /// Only what a bitmap had marked as written while the member was away was to be rebuilt.
  package var isOfMarkedOnly: Bool
  /// Data offsets of blocks that could not be computed, because too much of their row is lost; those of
  /// earlier sessions, which were cut off, too.
  package var lostBlocks: [Int]

  /// Whether it came to the end; blocks may have been lost all the same.
  package var isComplete: Bool { position == end }
}
