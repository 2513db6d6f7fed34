import BlockStorage
import MDFormat
import RaidGeometry

/// Why an array can't be started.
package enum StartObstacle: Error, Equatable, Sendable {
  case noMembers
  /// Members of different arrays: names of one of each.
  case mixed(String, String)
  /// The superblocks of one array contradict each other on this field.
  case contradiction(field: String, String, String)
  /// Too few members: the slots that have none.
  case tooFew(missingSlots: [Int], needed: Int, present: Int)
  /// Members of linear or RAID 0 that are not given have sizes that nothing tells: where the others' bytes
  /// belong is not known.
  case unknownSizes(missingSlots: [Int])
  case badShape(ArrayShapeError)
  case unknownLevel(Int32)
  case unsupported(String)
  case unreadableSuperblock(member: String, MDSuperblockError)
  /// Nothing is where its superblock should be, although what we keep at its end is of this array.
  case lostSuperblock(member: String)
  case device(member: String, DeviceError)
  /// The array has a journal, what it holds may be nowhere else, and it was not given.
  case missingJournal
  /// The journal that was given has missed what the members have seen.
  case staleJournal(member: String, events: UInt64, newest: UInt64)
  /// The log on the journal has no beginning where its superblock says.
  case damagedJournal(member: String)
  /// What was written last is in the members' own journals, and not all of it can be read there.
  case damagedWriteJournal
  /// The live part of the log on the journal is larger than what is kept track of.
  case journalTooLarge(member: String)
  /// What a member's list of bad blocks would say is not known.
  case damagedBadBlockLog(member: String)
}
