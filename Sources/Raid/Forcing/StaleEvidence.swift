/// What proves how much of a member that is out of date is current.
package enum StaleEvidence: Equatable, Sendable {
  /// From the moment it left more slots were empty than the array can do without, these among them: nobody
  /// wrote anything since. What was in flight in that moment is in doubt, as after any crash.
  case nothingWrittenSince(emptySlots: [Int])
  /// The bitmap of the others marks all that may have been written since it left, so many bytes of the member;
  /// these are taken for lost, and everything else for current.
  case marked(byteCount: Int)
}

/// Why a member that is out of date is not taken back.
package enum StaleRefusal: Error, Equatable, Sendable {
  /// The array is started without it.
  case notNeeded
  /// The array could go on without it, and has no bitmap that would say what was written then.
  case noBitmap
  /// The bitmap tells what was written since this event, and the member left before it.
  case leftBeforeBitmap(since: UInt64)
  /// While the array went on without it, so did it without the array: it calls this member failed, or all of
  /// those that are used.
  case wentItsOwnWay(from: String?)
  /// The others count on it, and have moved on by so many events: it is an older copy of itself, and the member
  /// that they mean went on with them.
  case olderCopy(eventsBehind: UInt64)
  /// Somebody else wrote to it since ftool did, so that our marks do not tell what it has.
  case writtenByOthers
  /// Another member has its number in the array's books by now.
  case numberIsTaken
  /// Its superblock describes the array in another shape.
  case otherShape
  /// It was being filled itself when it left.
  case unfinished
  /// Another member is being filled in its slot.
  case slotIsBeingRebuilt
  /// Its list of bad blocks has no room for all that it lacks: bytes.
  case noRoomForLosses(byteCount: Int)
  /// Its list of bad blocks can't be read.
  case badBlocksUnknown
}
