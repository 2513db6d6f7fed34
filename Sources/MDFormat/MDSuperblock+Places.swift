/// Where a member's areas are. All of these are sectors from the member's start, and of a decoded
/// superblock inside the member.
extension MDSuperblock {
  /// The superblock's own 4 KiB.
  package var superblockArea: Range<Int> {
    let start = Int(clamping: superOffsetSectors)
    return start..<start.clampedSum(MDMetadataVersion.superblockSectors)
  }

  /// The data, at its old place if a reshape is moving it.
  package var dataArea: Range<Int> {
    let start = Int(clamping: dataOffsetSectors)
    return start..<start.clampedSum(Int(clamping: dataSizeSectors))
  }

  /// What the array uses of the data area, both shapes together while a reshape runs. Behind it and
  /// before the data area's end, a bitmap may lie: the kernel looks at the used size only.
  package var usedDataArea: Range<Int> {
    let used = MDLevel.usesSize(level) ? min(sizeSectors, dataSizeSectors) : dataSizeSectors
    let (old, new) = (Int(clamping: dataOffsetSectors), Int(clamping: newDataOffsetSectors))
    return min(old, new)..<max(old, new).clampedSum(Int(clamping: used))
  }

  /// Where the bitmap begins; nil without one.
  package var bitmapSector: Int? {
    guard features.contains(.bitmap) else { return nil }
    return fromSuperblock(Int(bitmapOffsetSectors))
  }

  /// The partial parity log; nil without one.
  package var partialParityArea: Range<Int>? {
    guard !features.isDisjoint(with: .anyPartialParityLog) else { return nil }
    guard let start = fromSuperblock(Int(partialParityOffsetSectors)) else { return nil }
    return start..<start + Int(partialParitySectors)
  }

  /// Room for a bad block log, used or not; nil without one. Valid content: feature `badBlocks`.
  package var badBlockLogArea: Range<Int>? {
    guard badBlockLog.sizeSectors > 0, badBlockLog.offsetSectors != 0,
      let start = fromSuperblock(Int(badBlockLog.offsetSectors))
    else { return nil }
    return start..<start + Int(badBlockLog.sizeSectors)
  }

  /// How many sectors from `start` on belong to nothing that this superblock names: up to the next of
  /// superblock, bad block log, used data, and the member's end. The bitmap is not looked at.
  package func freeSectors(from start: Int, memberSectors: Int) -> Int {
    let areas = [superblockArea, badBlockLogArea, usedDataArea].compactMap(\.self)
    let next = areas.filter { $0.upperBound > start && !$0.isEmpty }.map(\.lowerBound).min()
    return max(0, min(next ?? memberSectors, memberSectors) - start)
  }

  /// Sector numbers of a decoded superblock are below 2^62, so this does not overflow.
  private func fromSuperblock(_ offset: Int) -> Int? {
    let sector = Int(clamping: superOffsetSectors).clampedSum(offset)
    return sector < 0 || sector > Int.max / 2 ? nil : sector
  }
}

extension Int {
  /// The sum, or the end of the range that it runs over.
  func clampedSum(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }
}
