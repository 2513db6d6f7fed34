/// What can't be done with this array.
package enum Unsuitable: Error, Equatable, Sendable {
  case noRedundancy
  /// The file holds the sums of another array, or none.
  case foreignSumsFile(String)
  case noSums
  /// Metadata is in front of that byte, the first at which the member's data may begin.
  case dataOffsetTooSmall(member: String, least: Int)
  case slotIsInUse(Int)
  case memberIsInUse(String)
  case noFreeSlot
  case memberIsNeeded(String)
  case alreadyReplacing(Int)
  /// The array's bitmap takes more bytes than there are for it on the member.
  case noRoomForBitmap(member: String, has: Int, needs: Int)
}
