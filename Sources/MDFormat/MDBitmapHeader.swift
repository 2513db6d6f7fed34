import BinaryCodec

/// The 256 bytes before a write-intent bitmap's bits: which ranges writes may have torn.
///
/// Bit i stands for the sectors from i * `chunkSectors` on, of every member's data area for
/// raid1/4/5/6, of the array for raid10. It is set, on disk, before a write to its range begins, and
/// cleared some time after all members have it (Linux: drivers/md/md-bitmap.c and md-bitmap.h).
///
/// | offset | type | field |
/// | --- | --- | --- |
/// | 0 | u32 | magic 0x6d746962, "bitm" |
/// | 4 | u32 | version: 4; 3 is the same on little-endian machines |
/// | 8 | 16 bytes | array identifier |
/// | 24 | u64 | events |
/// | 32 | u64 | events when bits were last cleared |
/// | 40 | u64 | sectors covered |
/// | 48 | u32 | state |
/// | 52 | u32 | bytes that a bit covers |
/// | 56 | u32 | seconds between two looks at what can be cleared |
/// | 60 | u32 | writes that a write-mostly member may lag behind |
/// | 64 | u32 | sectors reserved for the bitmap, or 0 |
/// | 68 | u32 | nodes of a cluster |
/// | 72 | 64 bytes | name of the cluster |
/// | 136 | 120 bytes | 0 |
package struct MDBitmapHeader: Equatable, Sendable {
  /// 4, or 3.
  package var version: UInt32
  /// The array's, in the form of `MDSuperblock.bitmapArrayID`.
  package var arrayID: Identifier
  /// Equal to the superblock's, or one more: the bitmap is written first. Fewer: not to be trusted.
  package var events: UInt64
  /// The last events at which bits were cleared, which a degraded array never does: a member that
  /// left at or after these needs only the chunks whose bits are set.
  package var eventsCleared: UInt64
  /// Sectors that the bits cover.
  package var syncSizeSectors: UInt64
  /// What is the matter with the bitmap as a whole.
  package var state: State
  /// Bytes that a bit stands for: a power of two, at least 512.
  package var chunkByteCount: UInt32
  /// How often the kernel clears bits that it does not need any more.
  package var daemonSleepSeconds: UInt32
  /// How many writes a write-mostly member may lag behind; 0 for none.
  package var writeBehindCount: UInt32
  /// Sectors that header and bits may use on the member; 0 from older mdadm, which does not say.
  package var sectorsReserved: UInt32
  /// Nodes of a cluster, each with a bitmap of its own; 0 without one.
  package var nodeCount: UInt32
  /// 64 bytes.
  package var clusterName: [UInt8]

  /// The header's own bytes; bits follow.
  package static let byteCount = 256

  static let magic: UInt32 = 0x6d74_6962

  /// Most writes that a write-mostly member may lag behind (Linux: `COUNTER_MAX`).
  private static let writeBehindLimit: UInt32 = 16383

  /// Sectors whose bytes can be counted in an `Int`.
  private static let sectorLimit: UInt64 = 1 << 54

  /// The state word (Linux: `enum bitmap_state`).
  package struct State: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Missed writes: all bits count as set.
    package static let stale = State(rawValue: 1 << 1)
    /// Writing the bitmap failed.
    package static let writeError = State(rawValue: 1 << 2)
    /// The bits are in the order of the machine that wrote them.
    package static let hostEndian = State(rawValue: 1 << 15)
  }

  /// The header of a new bitmap for `syncSizeSectors` sectors, with mdadm's choices.
  package init(
    arrayID: Identifier, syncSizeSectors: UInt64, chunkByteCount: UInt32, events: UInt64 = 0
  ) {
    version = 4
    self.arrayID = arrayID
    self.events = events
    eventsCleared = events
    self.syncSizeSectors = syncSizeSectors
    state = []
    self.chunkByteCount = chunkByteCount
    daemonSleepSeconds = 5
    writeBehindCount = 0
    sectorsReserved = 0
    nodeCount = 0
    clusterName = [UInt8](repeating: 0, count: 64)
  }

  private enum Offset {
    static let magic = 0, version = 4, arrayID = 8, events = 24, eventsCleared = 32
    static let syncSize = 40, state = 48, chunk = 52, daemonSleep = 56, writeBehind = 60
    static let sectorsReserved = 64, nodeCount = 68, clusterName = 72, rest = 136, end = 256
  }

  /// Writes the header to the first 256 bytes of `block`.
  package func encode(into block: inout MutableRawSpan) {
    precondition(block.byteCount >= Offset.end && clusterName.count == 64)
    block.store(Self.magic, at: Offset.magic)
    block.store(version, at: Offset.version)
    arrayID.store(in: &block, at: Offset.arrayID)
    block.store(events, at: Offset.events)
    block.store(eventsCleared, at: Offset.eventsCleared)
    block.store(syncSizeSectors, at: Offset.syncSize)
    block.store(state.rawValue, at: Offset.state)
    block.store(chunkByteCount, at: Offset.chunk)
    block.store(daemonSleepSeconds, at: Offset.daemonSleep)
    block.store(writeBehindCount, at: Offset.writeBehind)
    block.store(sectorsReserved, at: Offset.sectorsReserved)
    block.store(nodeCount, at: Offset.nodeCount)
    block.copy(clusterName, at: Offset.clusterName)
    block.zero(Offset.rest..<Offset.end)
  }

  /// Reads the header from the first 256 bytes of `block`. There is no checksum: a caller compares
  /// `arrayID` and `events` with the superblock's, and `byteCountOnDisk` with the room there is.
  package init(decoding block: RawSpan) throws(MDBitmapError) {
    guard block.byteCount >= Offset.end else { throw .truncated(byteCount: block.byteCount) }
    guard block.integer(at: Offset.magic) == Self.magic else { throw .absent }
    version = block.integer(at: Offset.version)
    switch version {
    case 3, 4: break
    case 5: throw .clustered
    case 6: throw .lockless
    default: throw .unsupportedVersion(version)
    }
    arrayID = Identifier(bytes: block, at: Offset.arrayID)
    events = block.integer(at: Offset.events)
    eventsCleared = block.integer(at: Offset.eventsCleared)
    syncSizeSectors = block.integer(at: Offset.syncSize)
    state = State(rawValue: block.integer(at: Offset.state))
    chunkByteCount = block.integer(at: Offset.chunk)
    daemonSleepSeconds = block.integer(at: Offset.daemonSleep)
    writeBehindCount = block.integer(at: Offset.writeBehind)
    sectorsReserved = block.integer(at: Offset.sectorsReserved)
    nodeCount = block.integer(at: Offset.nodeCount)
    clusterName = block.array(Offset.clusterName..<Offset.rest)
    try validate()
  }

  /// The kernel's demands (`md_bitmap_read_sb`), and that no size overflows.
  private func validate() throws(MDBitmapError) {
    guard chunkByteCount >= 512, chunkByteCount.nonzeroBitCount == 1 else {
      throw .invalid(field: .chunkSize)
    }
    guard (1...UInt32(Int32.max / 1000)).contains(daemonSleepSeconds) else {
      throw .invalid(field: .daemonSleep)
    }
    guard writeBehindCount <= Self.writeBehindLimit else { throw .invalid(field: .writeBehind) }
    guard (1...Self.sectorLimit).contains(syncSizeSectors) else {
      throw .invalid(field: .syncSize)
    }
  }

  /// Whether the bits may be believed for an array whose superblock has these events.
  package func isTrustworthy(superblockEvents: UInt64) -> Bool {
    events >= superblockEvents && !state.contains(.stale)
  }
}
