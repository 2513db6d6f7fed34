import BinaryCodec
import MDFormat

extension MDSuperblock {
  /// Sectors of the members that `arbitrary(using:)` makes superblocks for.
  static let arbitraryMemberSectors = 1 << 20

  /// A sound superblock of version 1.x with something in every field.
  static func arbitrary(using random: inout SplitMix64) -> MDSuperblock {
    let version: MDMetadataVersion = [.v1_0, .v1_1, .v1_2].randomElement(using: &random)!
    let level = [Int32](MDLevel.linux).sorted().randomElement(using: &random)!
    let slots = Int.random(in: 1...60, using: &random)
    var superblock = MDSuperblock(
      version: version, arrayID: .random(using: &random), level: level,
      layout: UInt32.random(in: 0...0x10202, using: &random),
      chunkSectors: 8 << UInt32.random(in: 0...10, using: &random), slotCount: slots,
      maxDevices: Int.random(in: 0...Self.deviceLimit, using: &random))
    superblock.fillArray(using: &random)
    superblock.fillMember(using: &random)
    superblock.features = .raid0Layout
    if Bool.random(using: &random) { superblock.addReshape(using: &random) }
    if Bool.random(using: &random) { superblock.addBitmap() } else { superblock.addParityLog() }
    for index in superblock.roles.indices {
      let slot = UInt16.random(in: 0..<UInt16(slots), using: &random)
      superblock.roles[index] = [slot, Self.spare, Self.faulty].randomElement(using: &random)!
    }
    return superblock
  }

  private mutating func fillArray(using random: inout SplitMix64) {
    nameBytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    creationTime = random.next()
    sizeSectors = UInt64.random(in: 1...1000, using: &random)
    updateTime = random.next()
    events = random.next()
    resyncOffsetSectors = random.next()
    logicalBlockSize = [0, 512, 4096].randomElement(using: &random)!
  }

  private mutating func fillMember(using random: inout SplitMix64) {
    let start = version.superblockSector(memberSectors: Self.arbitraryMemberSectors)!
    superOffsetSectors = UInt64(start)
    dataOffsetSectors = version.isBehindData ? 0 : UInt64.random(in: 4096...8192, using: &random)
    dataSizeSectors = UInt64.random(in: 1000...100_000, using: &random)
    recoveryOffsetSectors = random.next()
    deviceNumber = UInt32.random(in: 0...2000, using: &random)
    correctedReadErrors = UInt32.random(in: .min ... .max, using: &random)
    deviceID = .random(using: &random)
    deviceFlags = MDDeviceFlags(rawValue: UInt8.random(in: .min ... .max, using: &random))
    badBlockLog = BadBlockLogPlace(shift: 3, sizeSectors: 8, offsetSectors: offset(2048))
  }

  /// A place that is free in front of the superblock or behind it.
  private func offset(_ distance: Int32) -> Int32 { version == .v1_0 ? -distance : distance }

  private mutating func addReshape(using random: inout SplitMix64) {
    features.insert(.reshape)
    reshape = MDReshape(
      newLevel: level, positionSectors: random.next(),
      deltaSlots: Int.random(in: -50..<slotCount, using: &random),
      newLayout: UInt32.random(in: .min ... .max, using: &random), newChunkSectors: 8,
      newOffsetSectors: Int32.random(in: .min ... .max, using: &random))
  }

  private mutating func addBitmap() {
    features.insert(.bitmap)
    bitmapOffsetSectors = offset(1024)
  }

  private mutating func addParityLog() {
    features.insert(.multiplePartialParityLogs)
    partialParityOffsetSectors = Int16(offset(1024))
    partialParitySectors = 64
  }
}
