import BinaryCodec

/// What ftool keeps on a member beside Linux md's own metadata: a table of regions behind the data, who
/// wrote the superblock last, and how the array's maintenance stands.
///
/// Two copies exist: one in the second half of the superblock's own 4 KiB, which md never writes and
/// which is found however the member grew, and one in the last whole 4 KiB of the member. The one with
/// the higher generation counts.
///
/// **Knowing that someone else wrote.** Every superblock that ftool writes carries a fresh random marker
/// in the high 24 bits of its `utime`; any write of a superblock by a kernel clears these. The header
/// names the marker that stands in the superblock and the one that is about to, and is on disk before
/// the superblock is: so a superblock whose marker is neither was written by someone else, and the sums
/// of the member may be stale.
package struct RegionHeader: Sendable, Equatable {
  /// A part of the member that is ours. Bytes from the member's start.
  package struct Region: Sendable, Equatable {
    /// What it is for.
    package var kind: Kind
    /// Device offsets, in bytes: whole blocks of 4096.
    package var range: Range<Int>

    package init(kind: Kind, range: Range<Int>) {
      self.kind = kind
      self.range = range
    }
  }

  /// What a region holds.
  package enum Kind: UInt32, Sendable, CaseIterable {
    /// A sum for every 4 KiB of the member's data: `BlockSums`.
    case sums = 1
    /// Which parts of the array are being written, as a bitmap of md's format, where md has none.
    case intent = 2
    /// Room for a journal of writes.
    case journal = 3
    /// Room for a ring of events.
    case events = 4
    /// The UUIDs of all members by slot, so that one that is not there can be named: `Roster`.
    case roster = 5
    /// Which blocks of sums have never been written: `BlankSums`.
    case blanks = 6
  }

  /// What is to be known before anything else in the regions is believed.
  package struct Flags: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Somebody else wrote to the array and the sums have not been renewed since.
    package static let sumsStale = Flags(rawValue: 1)
    /// What is written goes by way of the journal in the member's region.
    package static let journaled = Flags(rawValue: 2)
  }

  /// The array's, as in the superblock: a header of another array is left from earlier.
  package var arrayID: Identifier
  /// The member's, as in the superblock: it tells a copy of a header from the member's own.
  package var deviceID: Identifier
  /// The slot whose data the sums cover; `noSlot` for a spare.
  package var slot: UInt32
  /// See `Flags`.
  package var flags: Flags
  /// Goes up by one whenever the header is written.
  package var generation: UInt64
  /// The superblock's marker as it is, and as it is about to be: 24 bits each, never 0.
  package var lastMarker: UInt32
  /// The marker that the next superblock is to carry; told before it is written.
  package var nextMarker: UInt32
  /// Size of the member when the header was written, in bytes.
  package var memberByteCount: Int
  /// How far the last long operation came.
  package var progress: MaintenanceProgress
  /// What reads and scrubs have found on this member.
  package var counters: IntegrityCounters
  /// Where everything else of ours is on the member.
  package var regions: [Region]

  /// The slot of a spare.
  package static let noSlot: UInt32 = 0xffff_ffff

  /// The region of this kind, if the member has one.
  package func range(of kind: Kind) -> Range<Int>? { regions.first { $0.kind == kind }?.range }
}
