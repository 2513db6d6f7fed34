/// Why a bad block log cannot be read or written.
package enum MDBadBlockLogError: Error, Equatable, Sendable {
  /// The word with this index names sectors that no disk has.
  case invalid(entry: Int)
  /// Units so large that the superblock must be wrong.
  case unsupportedShift(UInt8)
  /// More runs of bad sectors than the area has words.
  case full(capacity: Int)
}
