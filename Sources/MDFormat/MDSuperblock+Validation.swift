/// What must hold between the fields, as far as one member alone can tell. The kernel's checks
/// (`super_1_load`, `super_1_validate`, `ppl_validate_rdev`, raid456's and raid10's `setup_conf`)
/// and some more: sizes and places that pass here may be used in arithmetic on sectors. How far
/// something has come (`recoveryOffsetSectors`, `resyncOffsetSectors`, `reshape.positionSectors`) may
/// still be any number, all ones among them: compare it, do not add to it.
extension MDSuperblock {
  /// Throws what is wrong with this superblock on a member of `memberSectors` sectors. Decoding does
  /// this; a writer may want it before it writes.
  package func validate(memberSectors: Int) throws(MDSuperblockError) {
    try validateLevel()
    try validateShape()
    try validateRoles()
    try validateData(memberSectors: memberSectors)
    try validateBitmap(memberSectors: memberSectors)
    try validatePartialParity(memberSectors: memberSectors)
    try validateBadBlockLog(memberSectors: memberSectors)
  }

  private func validateLevel() throws(MDSuperblockError) {
    guard features.isSubset(of: .known) else {
      throw .unsupportedFeatures(features.subtracting(.known).rawValue)
    }
    if isErasureCoded {
      guard level == MDLevel.erasureCoded else { throw .invalid(field: .features) }
      try Self.validateErasureCoding(
        layout: layout, slotCount: previousSlotCount, field: .layout)
    } else {
      guard MDLevel.linux.contains(level) else { throw .unsupportedLevel(level) }
    }
    if !features.isDisjoint(with: .anyPartialParityLog) {
      guard features.isDisjoint(with: [.bitmap, .journal]) else { throw .invalid(field: .features) }
    }
    guard isReshaping else { return }
    if isErasureCoded {
      guard reshape.newLevel == level else { throw .invalid(field: .newLevel) }
      try Self.validateErasureCoding(
        layout: reshape.newLayout, slotCount: slotCount, field: .newLayout)
    } else {
      guard MDLevel.linux.contains(reshape.newLevel) else { throw .invalid(field: .newLevel) }
    }
  }

  private static func validateErasureCoding(
    layout: UInt32, slotCount: Int, field: MDSuperblockError.Field
  ) throws(MDSuperblockError) {
    let parityCount = Int(layout & 0xff)
    guard (1...6).contains(parityCount), slotCount > parityCount else {
      throw .invalid(field: field)
    }
  }

  private func validateShape() throws(MDSuperblockError) {
    guard (1...Self.deviceLimit).contains(slotCount) else { throw .invalid(field: .slotCount) }
    guard Self.isSane(chunkSectors: chunkSectors, level: level) else {
      throw .invalid(field: .chunkSectors)
    }
    if isReshaping {
      guard (1...Self.deviceLimit).contains(previousSlotCount) else {
        throw .invalid(field: .deltaSlots)
      }
      guard Self.isSane(chunkSectors: reshape.newChunkSectors, level: reshape.newLevel) else {
        throw .invalid(field: .newChunkSectors)
      }
    }
    guard logicalBlockSize == 0 || (512...65536).contains(logicalBlockSize),
      logicalBlockSize.nonzeroBitCount <= 1
    else { throw .invalid(field: .logicalBlockSize) }
  }

  private static func isSane(chunkSectors: UInt32, level: Int32) -> Bool {
    if MDLevel.needsRoundChunk(level) {
      return chunkSectors >= 8 && chunkSectors.nonzeroBitCount == 1
    }
    return chunkSectors > 0 || !MDLevel.needsChunk(level)
  }

  private func validateRoles() throws(MDSuperblockError) {
    guard roles.count <= Self.deviceLimit else { throw .invalid(field: .maxDevices) }
    let slots = max(slotCount, previousSlotCount)
    for number in roles {
      guard let role = MDRole(rawValue: number) else { throw .invalid(field: .role) }
      if case .slot(let slot) = role, slot >= slots { throw .invalid(field: .role) }
    }
    if role == .journal, !features.contains(.journal) { throw .invalid(field: .role) }
  }

  /// Sectors whose bytes can be counted in an `Int`.
  private static var sectorLimit: UInt64 { 1 << 54 }

  private func validateData(memberSectors: Int) throws(MDSuperblockError) {
    let limit = version.isBehindData ? superOffsetSectors : UInt64(clamping: memberSectors)
    let first =
      version.isBehindData ? 0 : superOffsetSectors.clampedSum(UInt64(occupiedSectors))
    let end = dataOffsetSectors.clampedSum(dataSizeSectors)
    if !version.isBehindData, dataOffsetSectors >= first, dataSizeSectors >= 10, end > limit,
      end <= Self.sectorLimit
    {
      throw .cutShort(arrayID: arrayID, sectors: memberSectors, neededSectors: Int(end))
    }
    guard dataOffsetSectors >= first, dataOffsetSectors < limit else {
      throw .invalid(field: .dataOffset)
    }
    guard dataSizeSectors >= 10, dataSizeSectors <= limit - dataOffsetSectors else {
      throw .invalid(field: .dataSize)
    }
    guard sizeSectors <= Self.sectorLimit else { throw .invalid(field: .sizeSectors) }
    if case .slot = role, MDLevel.usesSize(level) {
      guard sizeSectors > 0, sizeSectors <= dataSizeSectors else {
        throw .invalid(field: .sizeSectors)
      }
    }
    if isReshaping, features.contains(.newOffset) {
      let new = Int64(clamping: dataOffsetSectors) + Int64(reshape.newOffsetSectors)
      guard new >= Int64(clamping: first), new < Int64(clamping: limit) else {
        throw .invalid(field: .newOffset)
      }
    }
  }

  private func validateBitmap(memberSectors: Int) throws(MDSuperblockError) {
    guard features.contains(.bitmap) else { return }
    guard let sector = bitmapSector,
      isFree(sector..<sector + 1, of: usedDataArea, memberSectors: memberSectors)
    else { throw .invalid(field: .bitmapOffset) }
  }

  /// A header and the partial parity of one stripe are the least.
  private func validatePartialParity(memberSectors: Int) throws(MDSuperblockError) {
    guard !features.isDisjoint(with: .anyPartialParityLog) else { return }
    guard let area = partialParityArea, area.count >= 16,
      isFree(area, of: dataArea, memberSectors: memberSectors)
    else { throw .invalid(field: .partialParityLog) }
  }

  /// The kernel limits the list to one page, and looks at it only with its feature.
  private func validateBadBlockLog(memberSectors: Int) throws(MDSuperblockError) {
    guard features.contains(.badBlocks) else { return }
    guard let area = badBlockLogArea, area.count <= 8,
      isFree(area, of: usedDataArea, memberSectors: memberSectors)
    else { throw .invalid(field: .badBlockLog) }
  }

  /// Whether an area is on the member, and neither in the data nor in the superblock's own bytes.
  private func isFree(_ area: Range<Int>, of data: Range<Int>, memberSectors: Int) -> Bool {
    let start = superblockArea.lowerBound
    return area.lowerBound >= 0 && area.upperBound <= memberSectors && !area.overlaps(data)
      && !area.overlaps(start..<start.clampedSum(occupiedSectors))
  }

  /// Sectors that superblock and role table take; of 0.90, all of its place.
  private var occupiedSectors: Int {
    version == .v0_90 ? MDMetadataVersion.superblockSectors : (encodedByteCount + 511) / 512
  }
}

extension UInt64 {
  fileprivate func clampedSum(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
