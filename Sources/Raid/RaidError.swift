import BlockStorage
import MDFormat
import RaidGeometry

/// Why an array could not do what was asked; a case for everything that a caller can do about it.
package enum RaidError: Error, Equatable, Sendable {
  /// More members are lost than the level can do without. Offsets are array bytes.
  case lost(arrayRange: Range<Int>, LossReason)
  /// The array can't be started from these members.
  case notStartable(StartObstacle)
  /// The array was opened for reading only, or what is on the members may only be read.
  case readOnly(WriteObstacle)
  /// A member failed and could not be done without.
  case member(name: String, DeviceError)
  /// The request reaches past the array's end.
  case outOfBounds(offset: Int, byteCount: Int, arrayByteCount: Int)
  /// There is nothing of this name, slot or state to do it to.
  case noSuchMember(String)
  /// The new member is too small: bytes it has, bytes it needs.
  case memberTooSmall(name: String, has: Int, needs: Int)
  /// What was asked makes no sense for this array.
  case unsuitable(Unsuitable)
  /// A signal asked to stop; the position is kept on the members.
  case interrupted
}

/// Why bytes of an array can't be given.
package enum LossReason: Error, Equatable, Sendable {
  /// So many columns of the row are gone, unreadable or damaged; the names of those that are there but bad.
  case tooManyBad(members: [String])
  /// The block's sum is wrong, and the level has no second copy; where a kernel may have written
  /// without leaving a trace, the block may also be right.
  case damaged(member: String, mayBeForeignWrite: Bool)
  case unreadable(member: String)
  case missing(slot: Int)
}

/// Why an array can't be started.
package enum StartObstacle: Error, Equatable, Sendable {
  case noMembers
  /// Members of different arrays: names of one of each.
  case mixed(String, String)
  /// The superblocks of one array contradict each other on this field.
  case contradiction(field: String, String, String)
  /// Too few members: the slots that have none.
  case tooFew(missingSlots: [Int], needed: Int, present: Int)
  case badShape(ArrayShapeError)
  case unknownLevel(Int32)
  case unsupported(String)
  case unreadableSuperblock(member: String, MDSuperblockError)
  case device(member: String, DeviceError)
}

/// Why an array may only be read.
package enum WriteObstacle: Error, Equatable, Sendable {
  case openedForReading
  case reshaping
  case hasJournal
  case hasPartialParityLog
  case metadata090
  case clustered
  /// An array recorded as complete: the slots whose members were not given, with the members' names if known.
  case membersNotGiven([Int])
  /// A crash left it unclean, and members are missing: some of what is in doubt can't be decided.
  case uncleanAndDegraded
  /// Too many members failed while it was open.
  case broken
}

/// What can't be done with this array.
package enum Unsuitable: Error, Equatable, Sendable {
  case noRedundancy
  /// The file holds the sums of another array, or none.
  case foreignSumsFile(String)
  case noSums
  case slotIsInUse(Int)
  case memberIsInUse(String)
  case noFreeSlot
  case memberIsNeeded(String)
  case alreadyReplacing(Int)
}
