import BinaryCodec

/// The header's 2048 bytes; the page ftool-raid-format(5) says the same.
///
/// ```
/// offset size
///      0    8 magic "ftoolRGN"
///      8    4 version, 1
///     12    4 CRC-32C of bytes 16 to 2047
///     16   16 array's UUID
///     32   16 member's UUID
///     48    4 slot, all ones for a spare
///     52    4 flags: 1 = sums are stale, 2 = writes go by way of the journal
///     56    8 generation
///     64    4 last marker
///     68    4 next marker
///     72    8 size of the member
///     80    4 number of regions, at most 16
///     84    4 zero
///    128    4 operation   132  4 phase   136  8 position   144  8 end   152  8 started   160  8 updated   168  8 start position
///    176    8 blocks that the scrub has repaired   184  8 and left unrepaired
///    192    8 each: damaged, unreadable, repaired, renewed, unrepaired, time of the last scrub
///    512   32 each: region: kind 4, zero 4, offset 8, length 8, zero 8
/// ```
extension RegionHeader {
  /// A header's length.
  package static let byteCount = 2048
  /// Where the near copy starts, counted from the superblock.
  package static let offsetInSuperblock = 2048
  static let magic: UInt64 = 0x4e47_526c_6f6f_7466

  private enum Offset {
    static let magic = 0
    static let version = 8
    static let checksum = 12
    static let arrayID = 16
    static let deviceID = 32
    static let slot = 48
    static let flags = 52
    static let generation = 56
    static let lastMarker = 64
    static let nextMarker = 68
    static let memberByteCount = 72
    static let regionCount = 80
    static let operation = 128
    static let phase = 132
    static let position = 136
    static let end = 144
    static let startedAt = 152
    static let updatedAt = 160
    static let startPosition = 168
    static let repaired = 176
    static let unrepaired = 184
    static let counters = 192
    static let regions = 512
    static let regionStride = 32
    static let regionLimit = 16
  }

  /// Where the far copy lies: the last whole 4 KiB of a member, as a byte offset. It never meets a
  /// version-1.0 superblock, which ends there at the latest.
  package static func farOffset(memberByteCount: Int) -> Int {
    memberByteCount / 4096 * 4096 - 4096
  }

  /// Writes the header to `byteCount` bytes of `block`, from `start` on.
  package func encode(into block: inout MutableRawSpan, at start: Int) {
    precondition(regions.count <= Offset.regionLimit)
    block.zero(start..<start + Self.byteCount)
    block.store(Self.magic, at: start + Offset.magic)
    block.store(UInt32(1), at: start + Offset.version)
    arrayID.store(in: &block, at: start + Offset.arrayID)
    deviceID.store(in: &block, at: start + Offset.deviceID)
    block.store(slot, at: start + Offset.slot)
    block.store(flags.rawValue, at: start + Offset.flags)
    block.store(generation, at: start + Offset.generation)
    block.store(lastMarker, at: start + Offset.lastMarker)
    block.store(nextMarker, at: start + Offset.nextMarker)
    block.store(UInt64(memberByteCount), at: start + Offset.memberByteCount)
    block.store(UInt32(regions.count), at: start + Offset.regionCount)
    block.store(progress.operation.rawValue, at: start + Offset.operation)
    block.store(progress.phase.rawValue, at: start + Offset.phase)
    block.store(UInt64(progress.position), at: start + Offset.position)
    block.store(UInt64(progress.end), at: start + Offset.end)
    block.store(progress.startedAt, at: start + Offset.startedAt)
    block.store(progress.updatedAt, at: start + Offset.updatedAt)
    block.store(UInt64(progress.startPosition), at: start + Offset.startPosition)
    block.store(UInt64(progress.found.repairedCount), at: start + Offset.repaired)
    block.store(UInt64(progress.found.unrepairedCount), at: start + Offset.unrepaired)
    for (index, counter) in counters.inOrder.enumerated() {
      block.store(counter, at: start + Offset.counters + 8 * index)
    }
    for (index, region) in regions.enumerated() {
      let at = start + Offset.regions + index * Offset.regionStride
      block.store(region.kind.rawValue, at: at)
      block.store(UInt64(region.range.lowerBound), at: at + 8)
      block.store(UInt64(region.range.count), at: at + 16)
    }
    let sum = crc32c(block.bytes.sub(start + Offset.arrayID..<start + Self.byteCount))
    block.store(sum, at: start + Offset.checksum)
  }

  /// Reads the header from `byteCount` bytes of `block`, from `start` on.
  ///
  /// - Parameter deviceByteCount: size of the member now; no region may reach past it.
  package init(
    decoding block: RawSpan, at start: Int, deviceByteCount: Int
  ) throws(RegionHeaderError) {
    precondition(start >= 0 && start + Self.byteCount <= block.byteCount)
    let bytes = block.sub(start..<start + Self.byteCount)
    guard bytes.integer(at: Offset.magic, as: UInt64.self) == Self.magic else { throw .absent }
    let version = bytes.integer(at: Offset.version, as: UInt32.self)
    guard version == 1 else { throw .unsupported(version: version) }
    let stored = bytes.integer(at: Offset.checksum, as: UInt32.self)
    guard stored == crc32c(bytes.sub(Offset.arrayID..<Self.byteCount)) else { throw .damaged }
    arrayID = Identifier(bytes: bytes, at: Offset.arrayID)
    deviceID = Identifier(bytes: bytes, at: Offset.deviceID)
    slot = bytes.integer(at: Offset.slot)
    flags = Flags(rawValue: bytes.integer(at: Offset.flags))
    generation = bytes.integer(at: Offset.generation)
    lastMarker = bytes.integer(at: Offset.lastMarker)
    nextMarker = bytes.integer(at: Offset.nextMarker)
    let size = bytes.integer(at: Offset.memberByteCount, as: UInt64.self)
    guard size <= UInt64(Int.max) else { throw .invalid }
    memberByteCount = Int(size)
    progress = try Self.progress(in: bytes)
    counters = IntegrityCounters(
      inOrder: (0..<6).map { bytes.integer(at: Offset.counters + 8 * $0) })
    let count = bytes.integer(at: Offset.regionCount, as: UInt32.self)
    guard count <= Offset.regionLimit else { throw .invalid }
    regions = []
    for index in 0..<Int(count) {
      let at = Offset.regions + index * Offset.regionStride
      let offset = bytes.integer(at: at + 8, as: UInt64.self)
      let length = bytes.integer(at: at + 16, as: UInt64.self)
      guard offset % 4096 == 0, length % 4096 == 0, offset <= UInt64(deviceByteCount),
        length <= UInt64(deviceByteCount) - offset
      else { throw .invalid }
      // A kind that a later version knows is left alone.
      guard let kind = Kind(rawValue: bytes.integer(at: at)) else { continue }
      regions.append(Region(kind: kind, range: Int(offset)..<Int(offset + length)))
    }
  }

  private static func progress(in bytes: RawSpan) throws(RegionHeaderError) -> MaintenanceProgress {
    var progress = MaintenanceProgress()
    let position = bytes.integer(at: Offset.position, as: UInt64.self)
    let end = bytes.integer(at: Offset.end, as: UInt64.self)
    guard
      let operation = MaintenanceProgress.Operation(
        rawValue: bytes.integer(at: Offset.operation)),
      let phase = MaintenanceProgress.Phase(rawValue: bytes.integer(at: Offset.phase)),
      end <= UInt64(Int.max), position <= end
    else { throw .invalid }
    progress.operation = operation
    progress.phase = phase
    progress.position = Int(position)
    progress.end = Int(end)
    progress.startedAt = bytes.integer(at: Offset.startedAt)
    progress.updatedAt = bytes.integer(at: Offset.updatedAt)
    progress.startPosition = Int(
      clamping: bytes.integer(at: Offset.startPosition, as: UInt64.self))
    // No member has more blocks; a number that is larger would not survive being added to.
    progress.found = ScrubTally(
      repairedCount: min(
        1 << 52, Int(clamping: bytes.integer(at: Offset.repaired, as: UInt64.self))),
      unrepairedCount: min(
        1 << 52, Int(clamping: bytes.integer(at: Offset.unrepaired, as: UInt64.self))))
    return progress
  }
}

extension IntegrityCounters {
  fileprivate var inOrder: [UInt64] {
    [
      damagedBlocks, unreadableBlocks, repairedBlocks, renewedSums, unrepairedBlocks, lastScrubAt,
    ]
  }

  fileprivate init(inOrder values: [UInt64]) {
    damagedBlocks = values[0]
    unreadableBlocks = values[1]
    repairedBlocks = values[2]
    renewedSums = values[3]
    unrepairedBlocks = values[4]
    lastScrubAt = values[5]
  }
}

/// Why a region header is not believed.
package enum RegionHeaderError: Error, Equatable {
  /// There is none.
  case absent
  case unsupported(version: UInt32)
  /// Its checksum is wrong.
  case damaged
  /// Its checksum is right and its numbers make no sense for this member.
  case invalid
}
