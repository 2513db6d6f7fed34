/// What can't be done with this array.
package enum Unsuitable: Error, Equatable, Sendable {
  case noRedundancy
  /// The file holds the sums of another array, or none.
  case foreignSumsFile(String)
  /// It was a file of sums, and its header is damaged.
  case damagedSumsFile(String)
  case unknownSumsFileVersion(String, version: UInt32)
  /// The file ends before the array's sums do: bytes.
  case shortSumsFile(String, has: Int, needs: Int)
  /// The array has sums on its members, and needs no file of them.
  case keepsSumsOnMembers
  case noSums
  /// Metadata is in front of that byte, the first at which the member's data may begin.
  case dataOffsetTooSmall(member: String, least: Int)
  case slotIsInUse(Int)
  case memberIsInUse(String)
  case noFreeSlot
  case memberIsNeeded(String)
  /// What a crash has left in doubt can't be decided without it.
  case memberDecidesDoubt(String)
  case alreadyReplacing(Int)
  /// The array's bitmap takes more bytes than there are for it on the member.
  case noRoomForBitmap(member: String, has: Int, needs: Int)
  case reshape(ReshapeObstacle)
}
