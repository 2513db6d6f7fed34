import MDFormat

/// Where everything lies on a new member: the superblock, md's own areas, the data, and the regions of
/// ours behind it. All in bytes from the member's start.
///
/// ```
/// 1.2:  4 KiB superblock | bitmap | bad-block log | … | data | sums | blanks | intent | roster | events | journal | header
/// 1.0:  data | sums | blanks | intent | roster | events | journal | … | bitmap | bad-block log | superblock | header
/// ```
package struct MemberLayout: Sendable, Equatable {
  /// Where the superblock is.
  package let version: MDMetadataVersion
  /// The whole member.
  package let memberByteCount: Int
  /// Where the data begins.
  package let dataOffset: Int
  /// Room for data; at least the array's `size`.
  package let dataByteCount: Int
  /// Regions of ours behind the data, one after the other; none without sums.
  package let regions: [RegionHeader.Region]
  /// From the superblock's start, in sectors; what a bitmap uses if there is one.
  package let bitmapOffsetSectors: Int32
  /// From the superblock's start, in sectors: the list of bad blocks, 8 sectors.
  package let badBlockOffsetSectors: Int32
  /// Room for a bitmap.
  package let bitmapByteCount: Int

  /// What is wanted of a layout.
  package struct Request: Sendable {
    /// Where the superblock goes.
    package var version: MDMetadataVersion = .v1_2
    /// The data offset that mdadm chooses depends on it; 0 for levels without.
    package var chunkByteCount = 0
    /// How many slots the array has: its journal has to have room for a row.
    package var slotCount = 0
    /// Keep room for regions of ours.
    package var hasSums = true
    /// Whether md's bitmap is kept; its room is there in any case.
    package var hasBitmap = false
    /// What the array's bitmap takes, where it has one already: there is room for no less.
    package var bitmapByteCount = 0
    /// Rooms for the journal and for events are kept where there are sums.
    package var dataOffset: Int?
    /// Bytes for the journal, where it cannot be as long as it should; nil for that.
    package var journalByteCount: Int?
    /// Whether it is noted which blocks of sums have been written.
    package var hasBlanks = true
    /// Use only so much of the member's data room.
    package var dataByteLimit: Int?

    package init() {}
  }

  /// Room for the ring of events.
  static let eventsByteCount = 64 << 10
  /// Room for the journal. The least holds a few times the new blocks of a row of one block of each slot.
  static func journalByteCount(memberByteCount: Int, slotCount: Int) -> Int {
    min(64 << 20, max(128 << 10, (24 << 10) * slotCount, memberByteCount / 64 / 4096 * 4096))
  }

  /// The first byte at which data may begin: behind the superblock, and room for a bitmap and a bad-block log.
  static func leastDataOffset(_ request: Request, memberByteCount: Int) -> Int {
    guard !request.version.isBehindData,
      let superblockSector = request.version.superblockSector(memberSectors: memberByteCount / 512)
    else { return 0 }
    let bitmap = bitmapRoom(
      memberByteCount: memberByteCount, request, superblockSector: superblockSector)
    return (superblockSector + 8) * 512 + bitmap + 4096
  }

  /// nil when the member is too small to hold any data.
  package init?(memberByteCount: Int, request: Request) {
    version = request.version
    self.memberByteCount = memberByteCount
    let sectors = memberByteCount / 512
    guard let superblockSector = request.version.superblockSector(memberSectors: sectors) else {
      return nil
    }
    let bitmap = Self.bitmapRoom(
      memberByteCount: memberByteCount, request, superblockSector: superblockSector)
    bitmapByteCount = bitmap
    let end: Int
    if request.version == .v1_0 {
      guard request.dataOffset ?? 0 == 0 else { return nil }
      dataOffset = 0
      badBlockOffsetSectors = -8
      bitmapOffsetSectors = Int32(-8 - bitmap / 512)
      end = (superblockSector - 8) * 512 - bitmap
    } else {
      let least = Self.leastDataOffset(request, memberByteCount: memberByteCount)
      dataOffset =
        request.dataOffset
        ?? Self.defaultDataOffset(
          memberByteCount: memberByteCount, chunkByteCount: request.chunkByteCount, bitmap: bitmap)
      guard dataOffset >= least, dataOffset % 4096 == 0 else { return nil }
      bitmapOffsetSectors = 8
      badBlockOffsetSectors = Int32(8 + bitmap / 512)
      end =
        request.hasSums ? RegionHeader.farOffset(memberByteCount: memberByteCount) : memberByteCount
    }
    var room = end - dataOffset
    let journal =
      request.journalByteCount
      ?? Self.journalByteCount(memberByteCount: memberByteCount, slotCount: request.slotCount)
    if request.hasSums {
      room = Self.dataRoom(
        behind: dataOffset, end: end, journal: journal, hasBlanks: request.hasBlanks)
    }
    if let limit = request.dataByteLimit { room = min(room, limit) }
    room -= room % 512
    guard room >= 8192 else { return nil }
    dataByteCount = room
    regions =
      request.hasSums
      ? Self.regions(
        from: (dataOffset + room + 4095) / 4096 * 4096, dataByteCount: room,
        journal: journal, hasBlanks: request.hasBlanks)
      : []
  }

  /// mdadm's choice: 4 KiB for members up to 8 GiB, 64 KiB up to 200 GiB, 128 KiB above; here always
  /// at least 64 KiB on members that can spare it, so that a bitmap can be finer.
  /// More where the array's bitmap needs it; less of what is spare where the data has to begin before.
  private static func bitmapRoom(
    memberByteCount: Int, _ request: Request, superblockSector: Int
  ) -> Int {
    let usual =
      memberByteCount < 64 << 20 ? 4096 : memberByteCount < 200 << 30 ? 64 << 10 : 128 << 10
    let needed = (request.bitmapByteCount + 4095) / 4096 * 4096
    guard needed > 0, let dataOffset = request.dataOffset, request.version != .v1_0 else {
      return max(usual, needed)
    }
    let most = (dataOffset - (superblockSector + 8) * 512 - 4096) / 4096 * 4096
    return max(needed, min(usual, most))
  }

  /// mdadm's choice of the space before the data, which a later reshape needs (super1.c).
  private static func defaultDataOffset(
    memberByteCount: Int, chunkByteCount: Int, bitmap: Int
  ) -> Int {
    var headroom = 128 << 20
    while headroom << 10 > memberByteCount
      && (chunkByteCount == 0 || headroom / 2 >= 2 * chunkByteCount)
      && headroom > 1 << 20
    {
      headroom >>= 1
    }
    let offset = 12 << 10 + bitmap + headroom
    let aligned = (offset + (1 << 20) - 1) / (1 << 20) * (1 << 20)
    // A very small member gives up the headroom rather than its data.
    return aligned * 2 > memberByteCount ? 16 << 10 + bitmap : aligned
  }

  /// One page of header and bits: 30,720 parts of the array.
  static let intentByteCount = 4096

  private static func dataRoom(behind start: Int, end: Int, journal: Int, hasBlanks: Bool) -> Int {
    let sums = BlockSums.regionByteCount(dataByteCount: max(0, end - start))
    let blanks = hasBlanks ? BlankSums.byteCount(sumsByteCount: sums) : 0
    // Sums take 4096 bytes of each 1016 * 4096 of data, so this is at most one block too small.
    let space =
      end - start - blanks - intentByteCount - Roster.byteCount - eventsByteCount - journal
      - 2 * 4096
    guard space > 0 else { return 0 }
    let blocks = space / 4096
    return (blocks - (blocks + BlockSums.sumsPerBlock) / (BlockSums.sumsPerBlock + 1)) * 4096
  }

  private static func regions(
    from start: Int, dataByteCount: Int, journal: Int, hasBlanks: Bool
  ) -> [RegionHeader.Region] {
    var at = start
    var regions: [RegionHeader.Region] = []
    let sums = BlockSums.regionByteCount(dataByteCount: dataByteCount)
    for (kind, byteCount) in [
      (RegionHeader.Kind.sums, sums),
      (.blanks, hasBlanks ? BlankSums.byteCount(sumsByteCount: sums) : 0),
      (.intent, intentByteCount), (.roster, Roster.byteCount), (.events, eventsByteCount),
      (.journal, journal),
    ] where byteCount > 0 {
      regions.append(.init(kind: kind, range: at..<at + byteCount))
      at += byteCount
    }
    return regions
  }
}
