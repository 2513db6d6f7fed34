/// Why a block is not the meta block that is looked for.
package enum MDJournalError: Error, Equatable, Sendable {
  /// No room for a single block.
  case noRoom
  /// No meta block of a known version.
  case absent
  case unsupportedVersion(UInt8)
  case damaged(stored: UInt32, computed: UInt32)
  /// One of another place: left over.
  case wrongPlace(statedSector: UInt64, foundSector: Int)
  /// One of another time: left over. The usual end of a log.
  case wrongSequence(stated: UInt64, expected: UInt64)
  /// The payload that begins at this byte makes no sense.
  case invalidPayload(offset: Int)
  /// All of the ring was read.
  case wholeLap
}
