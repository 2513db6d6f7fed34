import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization
import SystemPackage

/// Making an array: everything is worked out and checked before the first byte is written.
package struct ArrayCreation: Sendable {
  /// What is wanted.
  package struct Request: Sendable {
    /// The level; for `ec` with its number of parities.
    package var level: RaidLevel
    /// The superblock's layout word.
    package var layout: UInt32
    /// A power of two, at least 4096; 0 for levels without chunks.
    package var chunkByteCount: Int
    /// The name as the superblock has it, usually "host:name"; at most 32 bytes of UTF-8.
    package var name: String
    /// Where the superblocks go.
    package var version = MDMetadataVersion.v1_2
    /// nil for a random one. With one the members' identifiers are derived from it, so that images come out the
    /// same.
    package var arrayID: Identifier?
    /// Whether regions of ours, with checksums of the data, lie behind it.
    package var hasSums = true
    /// Whether writes go by way of a journal in our regions; only where there are sums.
    package var hasJournal = true
    /// Whether md's write-intent bitmap is kept.
    package var hasBitmap = false
    /// Bytes to use of each member; nil for as much as the smallest has.
    package var memberByteCount: Int?
    /// Where data begins on every member, in bytes, a multiple of 4096; nil for mdadm's choice.
    package var dataOffset: Int?

    package init(level: RaidLevel, layout: UInt32, chunkByteCount: Int, name: String) {
      self.level = level
      self.layout = layout
      self.chunkByteCount = chunkByteCount
      self.name = name
    }
  }

  /// What was asked for.
  package let request: Request
  /// Where the bytes of the new array lie.
  package let shape: ArrayShape
  /// The one asked for, or the random one.
  package let arrayID: Identifier
  let members: [NewMember]
  /// Slots, full or empty; spares are not counted.
  package let slotCount: Int

  /// Works out an array of these devices.
  ///
  /// - Parameters:
  ///   - devices: in the order of their slots; nil for a slot that stays empty.
  ///   - spares: take part when another fails.
  /// - Throws: `memberTooSmall`, `unsuitable` for a data offset within the metadata, `notStartable` with
  ///   what is wrong with the numbers.
  package init(
    _ request: Request, devices: [(any BlockDevice)?], spares: [any BlockDevice]
  ) throws(RaidError) {
    self.request = request
    slotCount = devices.count
    let arrayID = request.arrayID ?? .randomVersion4()
    self.arrayID = arrayID
    var layouts: [MemberLayout?] = []
    for device in devices {
      layouts.append(
        try device.map { (device) throws(RaidError) in
          try Self.layout(device, request, slotCount: devices.count)
        })
    }
    let spareLayouts = try spares.map { (device) throws(RaidError) in
      try Self.layout(device, request, slotCount: devices.count)
    }
    let size = try Self.memberByteCount(
      request, layouts.compactMap { $0 } + spareLayouts, devices.compactMap { $0 } + spares)
    do throws(ArrayShapeError) {
      shape = try ArrayShape(
        level: request.level, layout: request.layout, chunkByteCount: request.chunkByteCount,
        slotCount: devices.count,
        memberByteCounts: request.level.usesWholeMembers
          ? layouts.map { $0?.dataByteCount ?? 0 }
          : [Int](repeating: size, count: devices.count))
    } catch {
      throw .notStartable(.badShape(error))
    }
    guard shape.byteCount > 0 else {
      throw .memberTooSmall(
        name: devices.compactMap { $0?.name }.first ?? "", has: size, needs: request.chunkByteCount)
    }
    let template = Self.template(
      request, shape, arrayID: arrayID, size: size,
      empty: devices.indices.filter { devices[$0] == nil },
      deviceCount: devices.count + spares.count)
    var members: [NewMember] = []
    for (number, device) in (devices + spares.map { $0 }).enumerated() {
      guard let device else { continue }
      let isSpare = number >= devices.count
      guard let layout = isSpare ? spareLayouts[number - devices.count] : layouts[number] else {
        continue
      }
      members.append(
        NewMember(
          device, layout: layout, template: template, deviceNumber: number,
          deviceID: request.arrayID == nil
            ? .randomVersion4() : .derived(from: arrayID, number: number),
          slot: isSpare ? nil : number, hasBadBlockLog: !request.level.usesWholeMembers,
          isJournaled: request.hasJournal))
    }
    self.members = members
  }

  private static func layout(
    _ device: any BlockDevice, _ request: Request, slotCount: Int
  ) throws(RaidError) -> MemberLayout {
    var wanted = MemberLayout.Request()
    wanted.version = request.version
    wanted.chunkByteCount = request.chunkByteCount
    wanted.hasSums = request.hasSums
    wanted.hasBitmap = request.hasBitmap
    wanted.slotCount = slotCount
    let least = MemberLayout.leastDataOffset(wanted, memberByteCount: device.byteCount)
    if let offset = request.dataOffset, offset < least {
      throw .unsuitable(.dataOffsetTooSmall(member: device.name, least: least))
    }
    wanted.dataOffset = request.dataOffset
    // Members of linear and RAID 0 are used to their end, so the limit is what they offer.
    wanted.dataByteLimit = request.level.usesWholeMembers ? request.memberByteCount : nil
    guard let layout = MemberLayout(memberByteCount: device.byteCount, request: wanted),
      layout.dataByteCount >= max(8192, request.chunkByteCount)
    else {
      throw .memberTooSmall(
        name: device.name, has: device.byteCount,
        needs: (request.dataOffset ?? 0) + request.chunkByteCount + (512 << 10))
    }
    return layout
  }

  /// What the array uses of each member: the least that any has, or what is asked for.
  private static func memberByteCount(
    _ request: Request, _ layouts: [MemberLayout], _ devices: [any BlockDevice]
  ) throws(RaidError) -> Int {
    let least = layouts.map(\.dataByteCount).min() ?? 0
    if let wanted = request.memberByteCount, wanted > least {
      let index = layouts.firstIndex { $0.dataByteCount < wanted } ?? 0
      throw .memberTooSmall(
        name: devices[index].name, has: layouts[index].dataByteCount, needs: wanted)
    }
    let size = request.memberByteCount ?? least
    // Whole chunks; for mirrors mdadm's 64 KiB.
    let unit = request.level == .mirrored ? 64 << 10 : max(4096, request.chunkByteCount)
    return size >= unit ? size / unit * unit : size / 4096 * 4096
  }

  private static func template(
    _ request: Request, _ shape: ArrayShape, arrayID: Identifier, size: Int, empty: [Int],
    deviceCount: Int
  ) -> MDSuperblock {
    let roles = max(MDSuperblock.usualMaxDevices, (deviceCount + 127) / 128 * 128)
    var superblock = MDSuperblock(
      version: request.version, arrayID: arrayID, level: request.level.number,
      layout: request.layout, chunkSectors: UInt32(request.chunkByteCount / 512),
      slotCount: shape.slotCount, maxDevices: roles)
    superblock.name = request.name
    // Whole seconds, as mdadm's: the kernel takes all 64 bits for seconds, tells of the year 2106 then, and
    // refuses mdadm's changes of the array's size.
    let seconds = Machine.now().seconds
    superblock.creationTime = seconds
    superblock.updateSeconds = seconds
    superblock.sizeSectors = request.level.usesWholeMembers ? 0 : UInt64(size / 512)
    if request.level == .striped { superblock.features.insert(.raid0Layout) }
    if case .erasureCoded = request.level { superblock.features.insert(.erasureCoded) }
    if request.hasBitmap { superblock.features.insert(.bitmap) }
    for slot in 0..<shape.slotCount {
      superblock.roles[slot] = empty.contains(slot) ? MDSuperblock.faulty : UInt16(slot)
    }
    // Without redundancy there is nothing to resync; else it is dirty until it has been.
    superblock.resyncOffsetSectors = request.level.usesWholeMembers ? MDSuperblock.allOnes : 0
    return superblock
  }

  /// For the dry run: what would lie where on each member.
  package var plan:
    [(
      name: String, slot: Int?, dataOffset: Int, dataByteCount: Int, regions: [RegionHeader.Region]
    )]
  {
    members.map {
      (
        $0.device.name,
        $0.header.map { $0.slot == RegionHeader.noSlot ? nil : Int($0.slot) }
          ?? ($0.superblock.deviceNumber < UInt32(slotCount)
            ? Int($0.superblock.deviceNumber) : nil),
        $0.layout.dataOffset,
        $0.layout.dataByteCount, $0.layout.regions
      )
    }
  }

  /// Whether the data areas of all members are holes, so that parity and copies are right as they are.
  package var isAllHoles: Bool {
    members.allSatisfy { member in
      let start = member.layout.dataOffset
      let end = start + member.layout.dataByteCount
      return member.device.isHole(start..<end)
    }
  }

  /// The name of the first member whose data is not all zeros; nil when all are.
  package func firstNonZeroMember() throws(RaidError) -> String? {
    var buffer = AlignedBuffer(byteCount: 1 << 20)
    for member in members {
      let end = member.layout.dataOffset + member.layout.dataByteCount
      var offset = member.layout.dataOffset
      while offset < end {
        let extent = member.device.extent(at: offset, limit: end)
        if extent.isHole {
          offset = extent.range.upperBound
          continue
        }
        let count = min(1 << 20, extent.range.upperBound - offset)
        var bytes = buffer.mutableBytes
        do throws(DeviceError) {
          try member.device.read(into: &bytes, range: 0..<count, at: offset)
        } catch {
          throw .member(name: member.device.name, error)
        }
        if !isZero(bytes.bytes, range: 0..<count) { return member.device.name }
        offset += count
      }
    }
    return nil
  }

  /// Writes the metadata: a dirty array of which nothing is known to agree. `initialise` makes it agree.
  ///
  /// - Throws: `member`; no device that can still be written is a member of anything then.
  package func write() throws(RaidError) {
    for member in members {
      do throws(DeviceError) {
        try member.prepare()
        try member.device.flush()
      } catch {
        throw .member(name: member.device.name, error)
      }
    }
    do throws(RaidError) {
      try writeSuperblocks()
    } catch {
      withdraw()
      throw error
    }
  }

  /// Clears what has been written once more, so that no device passes for a member of an array that never was.
  private func withdraw() {
    for member in members {
      do throws(DeviceError) {
        try member.prepare()
        try member.device.flush()
      } catch {
        // The failure that led here is the one to tell; this device may well be its reason.
        continue
      }
    }
  }

  private func writeSuperblocks() throws(RaidError) {
    let roster = Roster(
      arrayID: arrayID,
      members: (0..<slotCount).map { slot in
        members.first { $0.superblock.deviceNumber == UInt32(slot) }?.superblock.deviceID ?? .zero
      })
    for member in members {
      do throws(DeviceError) {
        try write(member, roster)
      } catch {
        throw .member(name: member.device.name, error)
      }
    }
  }

  private func write(_ member: NewMember, _ roster: Roster) throws(DeviceError) {
    try member.writeBitmap(shape: shape, hasBitmap: request.hasBitmap, marksEverything: true)
    if let range = member.header?.range(of: .roster) {
      var buffer = AlignedBuffer(byteCount: Roster.byteCount)
      var bytes = buffer.mutableBytes
      roster.encode(into: &bytes)
      try member.device.write(bytes.bytes, range: 0..<Roster.byteCount, at: range.lowerBound)
    }
    let made = member.member(slot: nil)
    made.record.state.withLock { state in
      guard state.header != nil else { return }
      let marker = UInt32.random(in: 1..<1 << 24)
      state.header!.nextMarker = marker
      state.header!.lastMarker = marker
      state.superblock.marker = marker
      // Until the sums of what is there have been computed, they say "zeros" of everything.
      if !isAllHoles { state.header!.flags.insert(.sumsStale) }
    }
    _ = try made.storeFarHeader()
    try made.storeSuperblock()
    try member.device.flush()
  }

  /// Makes parity, copies and sums agree with what the members hold, and marks the array clean.
  ///
  /// - Parameter assumesClean: they agree already, as on members that are all zeros.
  /// - Throws: also when a member fails that the array could do without: it is not the array that was
  ///   asked for. No device that can still be written is a member of anything then.
  package func initialise(
    assumesClean: Bool, _ options: SweepOptions
  ) throws(RaidError) -> ScrubReport {
    do throws(RaidError) {
      return try settle(assumesClean: assumesClean, options)
    } catch {
      withdraw()
      throw error
    }
  }

  private func settle(
    assumesClean: Bool, _ options: SweepOptions
  ) throws(RaidError) -> ScrubReport {
    var opening = RaidArray.Options()
    opening.isWritable = true
    opening.allowsDegraded = true
    opening.allowsDoubt = true
    let array = try RaidArray.open(members.map(\.device), options: opening)
    // An array opens without members that can't tell all of themselves; a new one has to be whole.
    if let unusable = array.assembly.unusable.first { throw .notStartable(unusable.reason) }
    for (member, standing) in zip(array.assembly.members, array.assembly.standings)
    where !standing.isUsed {
      if case .unusable(let obstacle) = standing { throw .notStartable(obstacle) }
      // Its superblock reads back as another than was written.
      let offset = Int(member.superblock.superOffsetSectors) * 512
      throw .member(name: member.name, .unreadable(offset: offset, errno: .ioError))
    }
    // How it was found is no news.
    _ = array.members.events.takeOpening()
    array.members.note(.created, counts: .init(shape.slotCount, shape.byteCount))
    var report = ScrubReport()
    if assumesClean {
      try array.assumeSettled()
    } else {
      // Nothing is known to agree, whatever the bitmap reads as.
      if shape.redundancy > 0 { array.intent?.doubt(0..<shape.intentByteCount) }
      var scrub = RaidArray.ScrubOptions()
      scrub.sweep = options
      scrub.startsOver = true
      report = try array.scrub(scrub)
    }
    try array.close()
    if let failure = array.failures.first {
      throw .member(name: failure.name, failure.cause)
    }
    return report
  }
}

extension NewMember {
  /// Writes the bitmap that belongs to the array: md's or, where it has none, ours.
  func writeBitmap(
    shape: ArrayShape, hasBitmap: Bool, marksEverything: Bool
  ) throws(DeviceError) {
    let start: Int
    let room: Int
    if hasBitmap {
      start = (Int(superblock.superOffsetSectors) + Int(superblock.bitmapOffsetSectors)) * 512
      room = layout.bitmapByteCount
    } else {
      guard let region = header?.range(of: .intent) else { return }
      start = region.lowerBound
      room = region.count
    }
    try device.writeBitmap(
      at: start, byteCount: room, shape, superblock, marksEverything: marksEverything)
  }
}

extension BlockDevice {
  /// Writes a bitmap of the array's shape to so many bytes of a member.
  ///
  /// - Parameter marksEverything: mark all of it as being written, if the array has anything that could disagree.
  func writeBitmap(
    at start: Int, byteCount room: Int, _ shape: ArrayShape, _ superblock: MDSuperblock,
    marksEverything: Bool
  ) throws(DeviceError) {
    let covered = shape.intentByteCount
    let granularity = WriteIntent.granularity(covering: covered, bitmapByteCount: room)
    var bitmap = MDBitmapHeader(
      arrayID: superblock.bitmapArrayID, syncSizeSectors: UInt64(covered / 512),
      chunkByteCount: UInt32(granularity))
    bitmap.events = superblock.events
    // Whoever was away before does not learn from it what they missed.
    bitmap.eventsCleared = superblock.events
    bitmap.sectorsReserved = UInt32(room / 512)
    var buffer = AlignedBuffer(byteCount: room)
    var bytes = buffer.mutableBytes
    bytes.zero()
    bitmap.encode(into: &bytes)
    if marksEverything, shape.redundancy > 0 {
      for bit in 0..<bitmap.bitCount { MDBitmapHeader.set(bit: bit, to: true, in: &bytes) }
    }
    try write(bytes.bytes, range: 0..<room, at: start)
  }
}

extension ArrayShape {
  /// What a bitmap's bits cover: member bytes, or array bytes for levels whose members hold different
  /// parts of it.
  package var intentByteCount: Int {
    switch level {
    case .linear, .striped, .mirroredStripes: byteCount
    case .mirrored, .dedicatedParity, .singleParity, .doubleParity, .erasureCoded:
      memberByteCounts.min() ?? 0
    }
  }
}

extension Identifier {
  /// A random UUID, marked as such (RFC 9562, version 4).
  package static func randomVersion4() -> Identifier {
    var generator = SystemRandomNumberGenerator()
    return .random(using: &generator)
  }

  /// A member's UUID made from the array's, so that the same request makes the same images.
  static func derived(from arrayID: Identifier, number: Int) -> Identifier {
    var generator = DerivedNumbers(seed: arrayID, number: UInt64(number))
    return .random(using: &generator)
  }
}

/// Numbers that follow from an identifier: SplitMix64 over its halves.
private struct DerivedNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: Identifier, number: UInt64) {
    var hasher: UInt64 = number &* 0x9e37_79b9_7f4a_7c15
    for byte in seed.description.utf8 { hasher = (hasher ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    state = hasher
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
