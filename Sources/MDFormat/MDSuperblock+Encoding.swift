import BinaryCodec

/// A 1.x superblock, byte by byte; all little-endian (Linux: `struct mdp_superblock_1` in
/// include/uapi/linux/raid/md_p.h; man ftool-raid-format(5) has the same table with all notes).
///
/// | offset | type | field |
/// | --- | --- | --- |
/// | 0 | u32 | magic 0xa92b4efc |
/// | 4 | u32 | major version 1 |
/// | 8 | u32 | feature map |
/// | 12 | u32 | 0 |
/// | 16 | 16 bytes | array identifier |
/// | 32 | 32 bytes | name |
/// | 64 | u64 | creation time |
/// | 72 | s32 | level |
/// | 76 | u32 | layout |
/// | 80 | u64 | size, sectors |
/// | 88 | u32 | chunk, sectors |
/// | 92 | u32 | slots |
/// | 96 | s32 | bitmap offset, sectors; or s16 offset and u16 size of the partial parity log |
/// | 100 | s32, u64, s32, u32, u32, s32 | the reshape: level, position, delta, layout, chunk, offset |
/// | 128 | u64 x 3 | data offset, data size, super offset, sectors |
/// | 152 | u64 | recovery offset or journal tail, sectors |
/// | 160 | u32 x 2 | device number, corrected read errors |
/// | 168 | 16 bytes | device identifier |
/// | 184 | u8 x 2, u16, s32 | device flags; bad block log: shift, size, offset |
/// | 192 | u64 x 3 | update time, events, resync offset |
/// | 216 | u32 | checksum |
/// | 220 | u32 | length of the role table |
/// | 224 | u32 | logical block size |
/// | 228 | 28 bytes | 0 |
/// | 256 | u16 each | roles |
///
/// The checksum covers all of that and nothing behind it; what is behind, up to 4 KiB, is not
/// touched by anybody and is where `ftool` keeps a header of its own.
extension MDSuperblock {
  static let magic: UInt32 = 0xa92b_4efc

  /// Whether a block of 4 bytes or more begins as superblocks of version 1 do.
  package static func hasMagic(_ block: RawSpan) -> Bool {
    block.integer(at: Offset.magic) == magic
  }

  private enum Offset {
    static let magic = 0, majorVersion = 4, features = 8, reservedWord = 12, arrayID = 16
    static let name = 32, creationTime = 64, level = 72, layout = 76, size = 80, chunk = 88
    static let slotCount = 92, bitmapOffset = 96, newLevel = 100, reshapePosition = 104
    static let deltaSlots = 112, newLayout = 116, newChunk = 120, newOffset = 124
    static let dataOffset = 128, dataSize = 136, superOffset = 144, recoveryOffset = 152
    static let deviceNumber = 160, correctedReadErrors = 164, deviceID = 168, deviceFlags = 184
    static let badBlockShift = 185, badBlockSize = 186, badBlockOffset = 188, updateTime = 192
    static let events = 200, resyncOffset = 208, checksum = 216, maxDevices = 220
    static let logicalBlockSize = 224, reservedBytes = 228, roles = 256
  }

  /// The bytes that superblock and role table have, and that the checksum covers.
  package var encodedByteCount: Int { Offset.roles + 2 * roles.count }

  /// Writes superblock, role table and checksum: `encodedByteCount` bytes from the block's start,
  /// and not one byte behind them. For 1.x only.
  package func encode(into block: inout MutableRawSpan) {
    precondition(version != .v0_90, "0.90 superblocks are only read")
    precondition(roles.count <= Self.deviceLimit && nameBytes.count == 32)
    precondition(block.byteCount >= encodedByteCount)
    block.store(Self.magic, at: Offset.magic)
    block.store(1 as UInt32, at: Offset.majorVersion)
    block.store(features.rawValue, at: Offset.features)
    block.store(0 as UInt32, at: Offset.reservedWord)
    encodeArray(into: &block)
    encodeReshape(into: &block)
    encodeMember(into: &block)
    block.store(updateTime, at: Offset.updateTime)
    block.store(events, at: Offset.events)
    block.store(resyncOffsetSectors, at: Offset.resyncOffset)
    block.store(UInt32(roles.count), at: Offset.maxDevices)
    block.store(logicalBlockSize, at: Offset.logicalBlockSize)
    block.zero(Offset.reservedBytes..<Offset.roles)
    for (index, role) in roles.enumerated() { block.store(role, at: Offset.roles + 2 * index) }
    let checksum = Self.checksum(of: block.bytes.sub(0..<encodedByteCount))
    block.store(checksum, at: Offset.checksum)
  }

  private func encodeArray(into block: inout MutableRawSpan) {
    arrayID.store(in: &block, at: Offset.arrayID)
    block.copy(nameBytes, at: Offset.name)
    block.store(creationTime, at: Offset.creationTime)
    block.store(level, at: Offset.level)
    block.store(layout, at: Offset.layout)
    block.store(sizeSectors, at: Offset.size)
    block.store(chunkSectors, at: Offset.chunk)
    block.store(UInt32(slotCount), at: Offset.slotCount)
    block.store(bitmapOffsetSectors, at: Offset.bitmapOffset)
  }

  private func encodeReshape(into block: inout MutableRawSpan) {
    block.store(reshape.newLevel, at: Offset.newLevel)
    block.store(reshape.positionSectors, at: Offset.reshapePosition)
    block.store(Int32(reshape.deltaSlots), at: Offset.deltaSlots)
    block.store(reshape.newLayout, at: Offset.newLayout)
    block.store(reshape.newChunkSectors, at: Offset.newChunk)
    block.store(reshape.newOffsetSectors, at: Offset.newOffset)
  }

  private func encodeMember(into block: inout MutableRawSpan) {
    block.store(dataOffsetSectors, at: Offset.dataOffset)
    block.store(dataSizeSectors, at: Offset.dataSize)
    block.store(superOffsetSectors, at: Offset.superOffset)
    block.store(recoveryOffsetSectors, at: Offset.recoveryOffset)
    block.store(deviceNumber, at: Offset.deviceNumber)
    block.store(correctedReadErrors, at: Offset.correctedReadErrors)
    deviceID.store(in: &block, at: Offset.deviceID)
    block.store(deviceFlags.rawValue, at: Offset.deviceFlags)
    block.store(badBlockLog.shift, at: Offset.badBlockShift)
    block.store(badBlockLog.sizeSectors, at: Offset.badBlockSize)
    block.store(badBlockLog.offsetSectors, at: Offset.badBlockOffset)
  }

  /// Reads the superblock of a member of `memberSectors` sectors from the 4096 bytes that are at
  /// `version`'s place, and checks everything that can be checked without the other members.
  package init(
    decoding block: RawSpan, version: MDMetadataVersion, memberSectors: Int
  ) throws(MDSuperblockError) {
    guard block.byteCount >= version.superblockByteCount else {
      throw .truncated(byteCount: block.byteCount)
    }
    guard let sector = version.superblockSector(memberSectors: memberSectors) else {
      throw .absent
    }
    let block = block.sub(0..<version.superblockByteCount)
    if version == .v0_90 {
      try self.init(decodingLegacy: block, superblockSector: sector)
    } else {
      try Self.checkFrame(of: block)
      try self.init(fieldsOf: block, version: version)
      guard superOffsetSectors == UInt64(sector) else {
        throw .wrongPlace(statedSector: superOffsetSectors, foundSector: sector)
      }
    }
    try validate(memberSectors: memberSectors)
  }

  /// Magic, version, checksum, and what must be known before the fields mean anything.
  private static func checkFrame(of block: RawSpan) throws(MDSuperblockError) {
    guard block.integer(at: Offset.magic) == magic else { throw .absent }
    let major: UInt32 = block.integer(at: Offset.majorVersion)
    guard major == 1 else { throw .unsupportedVersion(major: major, minor: 0) }
    let maxDevices: UInt32 = block.integer(at: Offset.maxDevices)
    guard maxDevices <= UInt32(deviceLimit) else { throw .invalid(field: .maxDevices) }
    let covered = block.sub(0..<Offset.roles + 2 * Int(maxDevices))
    let stored: UInt32 = block.integer(at: Offset.checksum)
    let computed = checksum(of: covered)
    guard stored == computed else { throw .damaged(stored: stored, computed: computed) }
    let features = MDFeatures(rawValue: block.integer(at: Offset.features))
    guard features.isSubset(of: .known) else {
      throw .unsupportedFeatures(features.subtracting(.known).rawValue)
    }
    guard block.integer(at: Offset.reservedWord) == 0 as UInt32 else {
      throw .invalid(field: .reservedWord)
    }
    guard block.allZero(Offset.reservedBytes..<Offset.roles) else {
      throw .invalid(field: .reservedBytes)
    }
  }

  /// Takes the fields over; the frame is checked, nothing else.
  private init(fieldsOf block: RawSpan, version: MDMetadataVersion) throws(MDSuperblockError) {
    let slots: UInt32 = block.integer(at: Offset.slotCount)
    guard slots <= UInt32(MDRole.slotLimit) else { throw .invalid(field: .slotCount) }
    let maxDevices: UInt32 = block.integer(at: Offset.maxDevices)
    self.init(
      version: version, arrayID: Identifier(bytes: block, at: Offset.arrayID),
      level: block.integer(at: Offset.level), layout: block.integer(at: Offset.layout),
      chunkSectors: block.integer(at: Offset.chunk), slotCount: Int(slots), maxDevices: 0)
    features = MDFeatures(rawValue: block.integer(at: Offset.features))
    nameBytes = block.array(Offset.name..<Offset.creationTime)
    creationTime = block.integer(at: Offset.creationTime)
    sizeSectors = block.integer(at: Offset.size)
    bitmapOffsetSectors = block.integer(at: Offset.bitmapOffset)
    decodeReshape(from: block)
    decodeMember(from: block)
    updateTime = block.integer(at: Offset.updateTime)
    events = block.integer(at: Offset.events)
    resyncOffsetSectors = block.integer(at: Offset.resyncOffset)
    logicalBlockSize = block.integer(at: Offset.logicalBlockSize)
    roles = (0..<Int(maxDevices)).map { block.integer(at: Offset.roles + 2 * $0) }
  }

  private mutating func decodeReshape(from block: RawSpan) {
    reshape.newLevel = block.integer(at: Offset.newLevel)
    reshape.positionSectors = block.integer(at: Offset.reshapePosition)
    reshape.deltaSlots = Int(block.integer(at: Offset.deltaSlots, as: Int32.self))
    reshape.newLayout = block.integer(at: Offset.newLayout)
    reshape.newChunkSectors = block.integer(at: Offset.newChunk)
    reshape.newOffsetSectors = block.integer(at: Offset.newOffset)
  }

  private mutating func decodeMember(from block: RawSpan) {
    dataOffsetSectors = block.integer(at: Offset.dataOffset)
    dataSizeSectors = block.integer(at: Offset.dataSize)
    superOffsetSectors = block.integer(at: Offset.superOffset)
    recoveryOffsetSectors = block.integer(at: Offset.recoveryOffset)
    deviceNumber = block.integer(at: Offset.deviceNumber)
    correctedReadErrors = block.integer(at: Offset.correctedReadErrors)
    deviceID = Identifier(bytes: block, at: Offset.deviceID)
    deviceFlags = MDDeviceFlags(rawValue: block.integer(at: Offset.deviceFlags))
    badBlockLog.shift = block.integer(at: Offset.badBlockShift)
    badBlockLog.sizeSectors = block.integer(at: Offset.badBlockSize)
    badBlockLog.offsetSectors = block.integer(at: Offset.badBlockOffset)
  }

  /// The sum of the words, the checksum's own left out; a last half word counts as a half. What runs
  /// over 32 bits is added in again (Linux: `calc_sb_1_csum`).
  private static func checksum(of covered: RawSpan) -> UInt32 {
    var sum: UInt64 = 0
    for offset in stride(from: 0, to: covered.byteCount - 3, by: 4) where offset != Offset.checksum
    {
      sum += UInt64(covered.integer(at: offset, as: UInt32.self))
    }
    if covered.byteCount % 4 == 2 {
      sum += UInt64(covered.integer(at: covered.byteCount - 2, as: UInt16.self))
    }
    return UInt32(truncatingIfNeeded: sum) &+ UInt32(sum >> 32)
  }
}
