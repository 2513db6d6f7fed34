import BinaryCodec

/// One entry of the journal: what an update of the array is about to put in its place on the members.
///
/// The journal is a *redo log*. A record is on stable storage before the first byte that it speaks of is
/// written in place; so whatever a crash leaves of that, the record tells how to complete it, or that what
/// is there is to be looked at.
struct JournalRecord: Equatable, Sendable {
  /// How much a record has of what is written.
  enum Kind: UInt32, Sendable {
    /// The new blocks themselves, data and parity: whatever is in place is replaced by them.
    case content = 1
    /// Whole rows of a complete array are written. Each block in place is old or new afterwards, the data
    /// stands, and parity follows it. The sums tell which rows are all old or all new, when a member is lost.
    case rewrite = 2
    /// A range of an array without parity is written. Copies are made alike, and sums follow the data. The sums tell
    /// which copies have all of what was written, where no copy agrees with its own.
    case touch = 3
  }

  /// Blocks of 4 KiB that follow each other.
  struct Extent: Equatable, Sendable {
    /// Whose data they are; `wholeArray` where they are counted in the array.
    var slot: Int
    /// Numbers of blocks: in the member's data, or in the array.
    var blocks: Range<Int>

    static let wholeArray = 0xffff_ffff
  }

  /// Which run of the journal it belongs to; see `JournalHeader`.
  var epoch: UInt64
  /// Goes up by one from record to record of all members together.
  var sequence: UInt64
  /// All records up to this one were on stable storage when this one was written.
  var committed: UInt64
  var kind: Kind
  var extents: [Extent]
  /// What the blocks' sums are when they are in place, in the order of the extents. Those of a touch are of blocks of
  /// the array, as if it were a member of slot `Extent.wholeArray`; there may be none of it.
  var sums: [UInt32]
  /// Of a rewrite: what they were, likewise; empty where that is not known.
  var oldSums: [UInt32] = []

  /// What the sums of touched blocks begin with.
  static func touchRegister(arrayID: Identifier) -> UInt32 {
    BlockSums.prefixRegister(arrayID: arrayID, slot: UInt32(Extent.wholeArray))
  }

  var blockCount: Int { extents.reduce(0) { $0 + $1.blocks.count } }
}
