import MDFormat
import RaidGeometry

/// Why an array can't be given another shape.
package enum ReshapeObstacle: Error, Equatable, Sendable {
  /// It has that shape.
  case nothingToChange
  /// Nobody knows how to come from one level to the other without copying everything.
  case levels(from: String, to: String)
  case badShape(ArrayShapeError)
  /// Arrays of this level are all laid out alike.
  case oneLayout(String)
  /// Arrays of this level have no chunks.
  case noChunks(String)
  /// On the way from one level to the other the layout is not to choose.
  case layoutAfterwards(from: String, to: String)
  /// The array would have fewer bytes than it has.
  case shrinks(from: Int, to: Int)
  /// All of each member is used, or where bytes lie depends on the size.
  case fixedSize(String)
  /// Bytes of its data that the member could have at most, and that are needed.
  case noRoomToGrow(member: String, has: Int, needs: Int)
  /// Copies are, or would be, in another half of the members: nothing of the array could move without all of it.
  case farCopies
  /// Each byte would have another number of copies.
  case copyCount(from: Int, to: Int)
  /// Nobody knows how to take members away from this level.
  case fewerMembers(String)
  /// The members of a RAID 0 are of different sizes, so that it has more than one zone.
  case unequalMembers
  /// So many new members are needed, and so many are there.
  case newMembers(needed: Int, given: Int)
  /// Slots that nobody in sync has: there has to be everybody.
  case degraded(slots: [Int])
  /// Something may not agree after a crash.
  case inDoubt
  /// A member whose list of bad blocks is not empty.
  case badBlocks(member: String)
  /// There are so many bytes to move a member's data into, or to go by way of, and so many are needed.
  case noHeadroom(member: String, has: Int, needs: Int)
  /// Metadata of this version has no words for what a reshape needs.
  case metadata(MDMetadataVersion)
  /// So little of each member is asked for that nothing is left of the array.
  case tooLittle(Int, needs: Int)
  /// The sums are in a file beside.
  case sumsBeside
  /// One that goes from the end to the start, or keeps its data in a file of mdadm's.
  case foreignKind(String)
  /// Somebody else has left the reshape at this array byte, from which nothing can be moved but less than a chunk at
  /// a time.
  case foreignPlace(Int)
  /// A reshape is under way: it has to end first.
  case underWay
  /// No reshape is under way.
  case notUnderWay
}
