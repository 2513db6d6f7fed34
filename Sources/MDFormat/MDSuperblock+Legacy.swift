import BinaryCodec

/// A 0.90 superblock, by 32-bit words, in the byte order of the machine that wrote it, which must be
/// little-endian here (Linux: `mdp_super_t` in include/uapi/linux/raid/md_p.h, `super_90_load` and
/// `super_90_validate`). Sizes are KiB, the chunk is bytes.
///
/// | word | field |
/// | --- | --- |
/// | 0...3 | magic, major 0, minor 90 (91 while a reshape runs), patch |
/// | 5, 13...15 | array identifier |
/// | 6...12 | creation time, level, size, devices, slots, preferred minor, not persistent |
/// | 32...37 | update time, state, active, working, failed, spare devices |
/// | 38 | checksum |
/// | 39, 41 | events, events at the checkpoint (two words each) |
/// | 43 | resync checkpoint, sectors |
/// | 44, 46...49 | reshape: position (two words), level, delta, layout, chunk |
/// | 64, 65 | layout, chunk |
/// | 128 + 32 i | device i: number, major, minor, slot, state |
/// | 992 | this device, likewise |
extension MDSuperblock {
  /// The most devices that 0.90 can have.
  package static let legacyDeviceLimit = 27

  private enum Word {
    static let magic = 0, majorVersion = 1, minorVersion = 2, patchVersion = 3
    static let creationTime = 6, level = 7, sizeKiB = 8, deviceCount = 9, slotCount = 10
    static let preferredMinor = 11, updateTime = 32, state = 33, activeCount = 34
    static let workingCount = 35, failedCount = 36, spareCount = 37, checksum = 38, events = 39
    static let checkpointEvents = 41, checkpoint = 43, reshapePosition = 44, newLevel = 46
    static let deltaSlots = 47, newLayout = 48, newChunk = 49, layout = 64, chunk = 65
    static let devices = 128, thisDevice = 992, end = 1024
    static let arrayID = [5, 13, 14, 15]
  }

  init(decodingLegacy block: RawSpan, superblockSector: Int) throws(MDSuperblockError) {
    func word(_ index: Int) -> UInt32 { block.integer(at: 4 * index) }
    try Self.checkLegacyFrame(of: block)
    guard word(Word.slotCount) <= UInt32(Self.legacyDeviceLimit) else {
      throw .invalid(field: .slotCount)
    }
    let legacy = MDLegacyDetails(decoding: block)
    self.init(
      version: .v0_90, arrayID: Self.legacyArrayID(of: block),
      level: Int32(bitPattern: word(Word.level)), layout: word(Word.layout),
      chunkSectors: try Self.sectors(bytes: word(Word.chunk), field: .chunkSectors),
      slotCount: Int(word(Word.slotCount)), maxDevices: 0)
    creationTime = UInt64(word(Word.creationTime))
    sizeSectors = UInt64(word(Word.sizeKiB)) * 2
    dataSizeSectors = UInt64(superblockSector)
    superOffsetSectors = UInt64(superblockSector)
    updateTime = UInt64(word(Word.updateTime))
    events = block.integer(at: 4 * Word.events)
    if legacy.state & 1 == 0 {
      resyncOffsetSectors =
        events == legacy.checkpointEvents ? UInt64(word(Word.checkpoint)) : 0
    }
    if legacy.state & 1 << 8 != 0 {
      features.insert(.bitmap)
      bitmapOffsetSectors = Int32(MDMetadataVersion.superblockSectors)
    }
    if legacy.minorVersion > 90 { try decodeLegacyReshape(from: block) }
    try takeRoles(from: legacy)
    self.legacy = legacy
  }

  private static func checkLegacyFrame(of block: RawSpan) throws(MDSuperblockError) {
    func word(_ index: Int) -> UInt32 { block.integer(at: 4 * index) }
    guard word(Word.magic) == magic else {
      guard word(Word.magic).byteSwapped == magic, word(Word.majorVersion) == 0 else {
        throw .absent
      }
      throw .bigEndian
    }
    let (major, minor) = (word(Word.majorVersion), word(Word.minorVersion))
    guard major == 0, minor == 90 || minor == 91 else {
      throw .unsupportedVersion(major: major, minor: minor)
    }
    // Exact, or the same when folded to 16 bits: old kernels on Alpha wrote those.
    let (stored, computed) = (word(Word.checksum), legacyChecksum(of: block))
    guard folded(stored) == folded(computed) else {
      throw .damaged(stored: stored, computed: computed)
    }
  }

  /// The sum of all words but the checksum; what runs over 32 bits is added in again.
  private static func legacyChecksum(of block: RawSpan) -> UInt32 {
    var sum: UInt64 = 0
    for index in 0..<Word.end where index != Word.checksum {
      sum += UInt64(block.integer(at: 4 * index, as: UInt32.self))
    }
    return UInt32(truncatingIfNeeded: sum) &+ UInt32(sum >> 32)
  }

  private static func folded(_ sum: UInt32) -> UInt32 {
    let once = (sum & 0xffff) + sum >> 16
    return (once & 0xffff) + once >> 16
  }

  /// The words as mdadm prints them, highest digit first.
  private static func legacyArrayID(of block: RawSpan) -> Identifier {
    let bytes = Word.arrayID.flatMap { block.array(4 * $0..<4 * $0 + 4) }
    return Identifier(bytes: bytes.rawBytes).wordSwapped
  }

  private static func sectors(
    bytes: UInt32, field: MDSuperblockError.Field
  ) throws(MDSuperblockError) -> UInt32 {
    guard bytes % 512 == 0 else { throw .invalid(field: field) }
    return bytes / 512
  }

  private mutating func decodeLegacyReshape(from block: RawSpan) throws(MDSuperblockError) {
    features.insert(.reshape)
    reshape.positionSectors = block.integer(at: 4 * Word.reshapePosition)
    reshape.newLevel = block.integer(at: 4 * Word.newLevel)
    reshape.deltaSlots = Int(block.integer(at: 4 * Word.deltaSlots, as: Int32.self))
    reshape.newLayout = block.integer(at: 4 * Word.newLayout)
    reshape.newChunkSectors = try Self.sectors(
      bytes: block.integer(at: 4 * Word.newChunk), field: .newChunkSectors)
  }

  /// The device table as a role table. Failed beats in sync; active without in sync is a member that
  /// a reshape adds, otherwise a spare.
  private mutating func takeRoles(from legacy: MDLegacyDetails) throws(MDSuperblockError) {
    let own = legacy.thisDevice.number
    guard own < UInt32(Self.legacyDeviceLimit) else { throw .invalid(field: .deviceNumber) }
    deviceNumber = own
    roles = try legacy.devices.map { (device) throws(MDSuperblockError) in
      if device.state.contains(.faulty) { return Self.faulty }
      guard
        device.state.contains(.inSync) || device.state.contains(.active) && isReshaping
      else { return Self.spare }
      guard device.slot < UInt32(MDRole.slotLimit) else { throw .invalid(field: .role) }
      return UInt16(device.slot)
    }
    let state = legacy.devices[Int(own)].state
    if isReshaping, state.contains(.active), state.isDisjoint(with: [.inSync, .faulty]) {
      features.insert(.recoveryOffset)
    }
    if state.contains(.writeMostly) { deviceFlags.insert(.writeMostly) }
    if state.contains(.failFast) { deviceFlags.insert(.failFast) }
  }
}

extension MDLegacyDetails {
  fileprivate init(decoding block: RawSpan) {
    func word(_ index: Int) -> UInt32 { block.integer(at: 4 * index) }
    func device(_ index: Int) -> Device {
      Device(
        number: word(index), major: word(index + 1), minor: word(index + 2),
        slot: word(index + 3), state: State(rawValue: word(index + 4)))
    }
    minorVersion = word(2)
    patchVersion = word(3)
    deviceCount = word(9)
    preferredMinor = word(11)
    state = word(33)
    activeCount = word(34)
    workingCount = word(35)
    failedCount = word(36)
    spareCount = word(37)
    checksum = word(38)
    checkpointEvents = block.integer(at: 4 * 41)
    devices = (0..<MDSuperblock.legacyDeviceLimit).map { device(128 + 32 * $0) }
    thisDevice = device(992)
  }
}
