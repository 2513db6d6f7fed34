import BlockStorage
import MDFormat
import RaidGeometry

// Starting an array that does not start, when too few of its members are current, or when it was cut off while
// one was missing. The rules, each of them at least as careful as `mdadm --assemble --force`:
//
// 1. A member that is out of date is taken back only where something proves what it may lack (`StaleEvidence`):
//    that nothing can have been written since it left, or a bitmap that says where. A sum proves a block
//    undamaged, not current, and a count of events proves nothing at all. Nor does parity: any number of parities
//    tells one row from another by one place more than there are parities (RAID's codes are MDS), and where members
//    are needed that are out of date, these and the lost ones are as many. What was written may be on them alone.
// 2. The newest first, and no more of them than the array needs. Never for a slot that a current member has.
// 3. What it lacks, and nobody else has, is put on its list of bad blocks before it counts as current: old
//    content is never read for new. Where the list has no room for it, the member is not taken back.
// 4. Logs are never skipped. What a journal of ours has is put in its place; an array with a partial parity log
//    stays dirty, so that whoever opens it next mends what is torn.
// 5. All that is decided is told before anything is written (this type), and all that is written survives a
//    power cut: the current members learn first that the others are back, and a member that comes back keeps
//    its old superblock, by which it was decided, until the last write. The same command finishes what was
//    cut off.

/// What starting an array by force takes and costs: decided, and not done yet.
package struct ForcedStart: Sendable {
  /// Whether there is anything to do.
  package enum Verdict: Equatable, Sendable {
    /// The array starts as it is.
    case startsAlready
    /// It can be done.
    case possible
    /// Nothing proves what the members have that would be needed, or there are too few of them.
    case impossible
  }

  /// A member that is taken back.
  package struct Returning: Equatable, Sendable {
    /// Its index in the assembly.
    package let index: Int
    package let slot: Int
    package let evidence: StaleEvidence
    /// Data offsets of blocks that it lacks, in order; they go on its list of bad blocks.
    let lostBlocks: [Int]
    /// Bytes of them.
    package var lostByteCount: Int { lostBlocks.count * 4096 }
  }

  /// What was found of the members.
  package let assembly: Assembly
  package let verdict: Verdict
  /// By slot.
  package let returning: [Returning]
  /// Members that have a slot which nobody current has, and stay out: their indices.
  package let refused: [(index: Int, reason: StaleRefusal)]
  /// Slots that stay without a current member.
  package let emptySlots: [Int]
  /// Array bytes of which nothing current is left.
  package let lost: ArrayExtent
  /// Array bytes that are computed from what was being written when the array was left: they may be of no time.
  package let doubtful: ArrayExtent
  /// The array was not closed properly, and is called clean, since nothing but its members can say what is right.
  package let endsDoubt: Bool
  /// What is torn is mended by the partial parity logs when the array is opened next.
  package let keepsLogs: Bool
  /// Somebody has begun it already, and was cut off.
  package let isUnderWay: Bool
  /// How large the array is.
  package let byteCount: Int
}
