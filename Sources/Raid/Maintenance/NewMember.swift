import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// A device on its way into an array: what will be written to it before it counts.
struct NewMember {
  let device: any BlockDevice
  let layout: MemberLayout
  var superblock: MDSuperblock
  var header: RegionHeader?

  /// - Parameters:
  ///   - template: has everything that all members share.
  ///   - deviceNumber: its index into the role table.
  init(
    _ device: any BlockDevice, layout: MemberLayout, template: MDSuperblock, deviceNumber: Int,
    deviceID: Identifier, slot: Int?, hasBadBlockLog: Bool, isJournaled: Bool
  ) {
    self.device = device
    self.layout = layout
    var superblock = template
    superblock.deviceNumber = UInt32(deviceNumber)
    superblock.deviceID = deviceID
    superblock.dataOffsetSectors = UInt64(layout.dataOffset / 512)
    superblock.dataSizeSectors = UInt64(layout.dataByteCount / 512)
    superblock.superOffsetSectors = UInt64(
      layout.version.superblockSector(memberSectors: layout.memberByteCount / 512) ?? 0)
    superblock.recoveryOffsetSectors = 0
    superblock.features.subtract([.recoveryOffset, .replacement, .badBlocks, .recoveryBitmap])
    superblock.correctedReadErrors = 0
    superblock.deviceFlags = []
    superblock.badBlockLog =
      hasBadBlockLog
      ? .init(shift: 0, sizeSectors: 8, offsetSectors: layout.badBlockOffsetSectors) : .init()
    if superblock.features.contains(.bitmap) {
      superblock.bitmapOffsetSectors = layout.bitmapOffsetSectors
    }
    self.superblock = superblock
    guard !layout.regions.isEmpty else {
      header = nil
      return
    }
    header = RegionHeader(
      arrayID: template.arrayID, deviceID: deviceID,
      slot: slot.map { UInt32($0) } ?? RegionHeader.noSlot,
      flags: isJournaled ? .journaled : [], generation: 0,
      lastMarker: 0, nextMarker: 0, memberByteCount: device.byteCount,
      progress: MaintenanceProgress(), counters: IntegrityCounters(), regions: layout.regions)
  }

  /// Clears everything that could be mistaken for something of ours or of md's: old superblocks, our
  /// regions, the bad-block log. The new superblock comes last, and not from here.
  ///
  /// - Parameter slot: whose member it was, of the same array: that is what it says until then, and that it is out of
  ///   date and has nothing, so that a rebuild that is cut off here finds it again. nil for a stranger.
  func prepare(formerSlot slot: Int? = nil) throws(DeviceError) {
    let sectors = device.byteCount / 512
    for version in MDMetadataVersion.allCases {
      guard let sector = version.superblockSector(memberSectors: sectors) else { continue }
      let range = sector * 512..<min(device.byteCount, sector * 512 + 4096)
      // What lies in the data is the array's content, and stays.
      let data = layout.dataOffset..<layout.dataOffset + layout.dataByteCount
      if let slot, version == superblock.version {
        try storePlaceholder(slot, range)
      } else if !data.overlaps(range) {
        try device.zero(range)
      }
    }
    // What was a member of this very array must not pass for one without its regions.
    try device.flush()
    try prepareRegions()
    let log = superblock.badBlockLog
    if log.sizeSectors > 0 {
      let start = (Int(superblock.superOffsetSectors) + Int(log.offsetSectors)) * 512
      var buffer = AlignedBuffer(byteCount: 4096)
      var bytes = buffer.mutableBytes
      for index in 0..<512 { bytes.store(UInt64.max, at: 8 * index) }
      try device.write(bytes.bytes, range: 0..<4096, at: start)
    }
  }

  /// Clears our regions, and the far copy of the header that tells where they are.
  func prepareRegions() throws(DeviceError) {
    for region in layout.regions {
      if region.kind == .blanks {
        try BlankSums.fill(region.range, of: device)
      } else {
        try device.zero(region.range)
      }
    }
    let far = RegionHeader.farOffset(memberByteCount: device.byteCount)
    if header != nil { try device.zero(far..<far + 4096) }
  }

  /// Writes a superblock that nobody takes for current, and that says whose place the member had.
  private func storePlaceholder(_ slot: Int, _ range: Range<Int>) throws(DeviceError) {
    var placeholder = superblock
    placeholder.events = 0
    placeholder.marker = 0
    placeholder.features.insert(.recoveryOffset)
    placeholder.recoveryOffsetSectors = 0
    let number = Int(placeholder.deviceNumber)
    if placeholder.roles.indices.contains(number) {
      placeholder.roles[number] = MDRole.slot(slot).rawValue
    }
    var buffer = AlignedBuffer(byteCount: range.count)
    var bytes = buffer.mutableBytes
    bytes.zero()
    placeholder.encode(into: &bytes)
    try device.write(bytes.bytes, range: 0..<range.count, at: range.lowerBound)
  }

  /// The member as the array uses it.
  ///
  /// - Parameters:
  ///   - sumsBeside: its sums, where they do not lie on the member.
  ///   - other: who is in the slot already, with the slot's sums in the file beside if there is one.
  func member(
    slot: Int?, sumsBeside: BlockSums? = nil, besides other: Member? = nil
  ) -> Member {
    let shared = other?.sharableSums
    var sums = shared ?? sumsBeside
    if sums == nil, let slot {
      sums = BlockSums(
        on: device, header, slot: slot, dataByteCount: layout.dataByteCount,
        slotCount: superblock.slotCount)
    }
    return Member(
      device: device, superblock: superblock, header: header, dataOffset: layout.dataOffset,
      badBlocks: [], sums: sums,
      sumsAreTrusted: shared == nil ? sums != nil : other?.trustsSums == true,
      sharesSums: shared != nil)
  }
}
