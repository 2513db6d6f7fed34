import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

extension RaidArray {
  /// Opens the array that these devices are members of. Nothing is written until the first write.
  ///
  /// - Throws: `notStartable` when they do not make an array, `readOnly` when it may not be written
  ///   although `options` ask for it.
  package static func open(
    _ devices: [any BlockDevice], options: Options = Options(), name: String? = nil
  ) throws(RaidError) -> RaidArray {
    var probes: [MemberProbe] = []
    for device in devices { probes.append(try MemberProbe(device)) }
    return try open(try Assembly(probes), options: options, name: name)
  }

  /// Opens the array that has been assembled.
  package static func open(
    _ given: Assembly, options: Options = Options(), name: String? = nil,
    sumsFile: SumsFile? = nil
  ) throws(RaidError) -> RaidArray {
    let assembly =
      options.isWritable ? given : try given.replayed(allowsDoubt: options.allowsDoubt)
    let reference = assembly.reference
    let shapes = try ArrayShapes(assembly)
    let obstacle = Self.obstacle(assembly, options)
    if options.isWritable, let obstacle { throw .readOnly(obstacle) }

    let hasForeignWrite = Self.hasForeignWrite(assembly, countsKnown: true)
    let slotsFor = { (usesNewOffset: Bool) throws(RaidError) -> ([MemberSet.Slot], [Member]) in
      try Self.slots(
        assembly, usesNewOffset: usesNewOffset, trustsSums: !hasForeignWrite, sumsFile,
        shapes.new == nil ? shapes.old : nil)
    }
    let (slots, spares) = try slotsFor(false)
    let members = Self.memberSet(slots, spares, shapes.old, options)
    try Self.requireEnough(members, shapes.old, reference)
    let memory = WorkingMemoryPool(slotCount: members.slotCount)
    let intent = try Self.readIntent(assembly, shapes.old)
    // Levels without copies carry no dirty mark; there only the bits speak.
    let isUnclean =
      shapes.old.redundancy > 0 ? !reference.isClean : intent?.hasDoubt ?? false
    let doubtStart =
      !isUnclean
      ? Int.max
      : Int(clamping: reference.resyncOffsetSectors).multipliedOrMax(by: 512)
    func placed(_ shape: ArrayShape, _ members: MemberSet) -> Placed {
      let start = shape.redundancy > 0 ? doubtStart : isUnclean ? 0 : Int.max
      switch shape.placement {
      case .parity(let placement):
        return .parity(
          ParityStripes(
            placement: placement, members: members, intent: intent, doubtStart: start,
            memory: memory))
      case .copies(let placement):
        return .copies(
          CopiedData(
            placement: placement, members: members, intent: intent, doubtStart: start,
            readPolicy: options.readPolicy, hidesForeignWrites: shape.level.usesWholeMembers,
            memory: memory))
      }
    }
    var segments: [Segment] = []
    if let new = shapes.new {
      let (newSlots, _) = try slotsFor(true)
      let newMembers = Self.memberSet(newSlots, [], new, options)
      try Self.requireEnough(newMembers, new, reference)
      let (oldRange, newRange) = shapes.ranges
      segments = [
        Segment(range: oldRange, data: placed(shapes.old, members)),
        Segment(range: newRange, data: placed(new, newMembers)),
      ]
    } else {
      segments = [Segment(range: 0..<shapes.byteCount, data: placed(shapes.old, members))]
    }
    return RaidArray(
      name: name ?? reference.name, shape: shapes.old, byteCount: shapes.byteCount,
      assembly: assembly, members: members, segments: segments, intent: intent, options: options,
      obstacle: obstacle ?? (options.isWritable ? nil : .openedForReading),
      foundForeignWrite: hasForeignWrite,
      isForeignWriteFresh: Self.hasForeignWrite(assembly, countsKnown: false),
      wasUnclean: isUnclean, memory: memory)
  }

  /// Why the array may only be read, if so.
  private static func obstacle(_ assembly: Assembly, _ options: Options) -> WriteObstacle? {
    let reference = assembly.reference
    if reference.version == .v0_90 { return .metadata090 }
    if reference.isReshaping { return .reshaping }
    if reference.features.contains(.clustered) { return .clustered }
    if reference.features.contains(.journal) || assembly.journal != nil { return .hasJournal }
    if !reference.features.isDisjoint(with: .anyPartialParityLog) { return .hasPartialParityLog }
    if !options.allowsDegraded, !assembly.slotsNotGiven.isEmpty {
      return .membersNotGiven(assembly.slotsNotGiven)
    }
    if !options.allowsDoubt, !reference.isClean, !assembly.slotsNotInSync.isEmpty,
      MDLevel.withParity.contains(reference.level)
    {
      return .uncleanAndDegraded
    }
    return nil
  }

  /// Whether a member that keeps sums has a superblock that is not ours; or, if that counts, had one
  /// and its sums have not been renewed since.
  private static func hasForeignWrite(_ assembly: Assembly, countsKnown: Bool) -> Bool {
    assembly.members.indices.contains { index in
      let probe = assembly.members[index]
      guard probe.header?.range(of: .sums) != nil else { return false }
      switch assembly.standings[index] {
      case .active, .rebuilding, .replacement:
        return !probe.isLastWrittenByUs
          || countsKnown && probe.header?.flags.contains(.sumsStale) == true
      default: return false
      }
    }
  }

  private static func slots(
    _ assembly: Assembly, usesNewOffset: Bool, trustsSums: Bool, _ sumsFile: SumsFile?,
    _ shape: ArrayShape?
  ) throws(RaidError) -> ([MemberSet.Slot], [Member]) {
    var slots: [MemberSet.Slot] = []
    for (slot, holder) in assembly.holders.enumerated() {
      var made = MemberSet.Slot()
      if let index = holder.member {
        made.member = try member(
          assembly.members[index], slot: slot, usesNewOffset, trustsSums, sumsFile, shape: shape)
      }
      if let index = holder.replacement {
        made.replacement = try member(
          assembly.members[index], slot: slot, usesNewOffset, trustsSums, nil, shape: shape)
      }
      slots.append(made)
    }
    var spares: [Member] = []
    for (index, standing) in assembly.standings.enumerated() where standing == .spare {
      spares.append(try member(assembly.members[index], slot: nil, usesNewOffset, false, nil))
    }
    return (slots, spares)
  }

  /// Makes a member of what was found.
  static func member(
    _ probe: MemberProbe, slot: Int?, _ usesNewOffset: Bool, _ trustsSums: Bool,
    _ sumsFile: SumsFile?, shape: ArrayShape? = nil
  ) throws(RaidError) -> Member {
    let superblock = probe.superblock
    let offsetSectors =
      usesNewOffset ? superblock.newDataOffsetSectors : superblock.dataOffsetSectors
    var sums: BlockSums?
    var trusts = trustsSums
    if let slot {
      if let sumsFile {
        sums = sumsFile.sums(ofSlot: slot)
        trusts = sumsFile.isTrusted
      } else if let header = probe.header, let region = header.range(of: .sums),
        header.slot == UInt32(slot)
      {
        sums = BlockSums(
          device: probe.device, region: region,
          dataByteCount: Int(superblock.dataSizeSectors) * 512, arrayID: superblock.arrayID,
          slot: UInt32(slot), pageLimit: max(4, 2048 / max(1, superblock.slotCount)),
          isUsed: { block in shape?.uses(slot: slot, at: block * 4096) ?? true })
      }
    }
    return Member(
      device: probe.device, superblock: superblock, header: probe.header,
      dataOffset: Int(offsetSectors) * 512, badBlocks: try badBlocks(probe), sums: sums,
      sumsAreTrusted: trusts)
  }

  /// What the member's list of bad blocks says, as data offsets.
  static func badBlocks(_ probe: MemberProbe) throws(RaidError) -> [Range<Int>] {
    let superblock = probe.superblock
    guard superblock.features.contains(.badBlocks), superblock.badBlockLog.sizeSectors > 0 else {
      return []
    }
    let place = superblock.badBlockLog
    let start = (Int(superblock.superOffsetSectors) + Int(place.offsetSectors)) * 512
    let count = Int(place.sizeSectors) * 512
    guard start >= 0, start + count <= probe.device.byteCount else {
      throw .notStartable(.unsupported("bad-block log of \(probe.name) lies outside it"))
    }
    var buffer = AlignedBuffer(byteCount: count)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try probe.device.read(into: &bytes, range: 0..<count, at: start)
    } catch {
      throw .notStartable(.device(member: probe.name, error))
    }
    do throws(MDBadBlockLogError) {
      let log = try MDBadBlockLog(decoding: bytes.bytes.sub(0..<count), shift: place.shift)
      let dataOffset = Int(superblock.dataOffsetSectors)
      return log.ranges.compactMap { range in
        let lower = max(range.lowerBound, dataOffset) - dataOffset
        let upper = max(range.upperBound, dataOffset) - dataOffset
        return lower < upper ? lower.multipliedOrMax(by: 512)..<upper.multipliedOrMax(by: 512) : nil
      }.sorted { $0.lowerBound < $1.lowerBound }
    } catch {
      throw .notStartable(.unsupported("bad-block log of \(probe.name) is damaged"))
    }
  }

  private static func memberSet(
    _ slots: [MemberSet.Slot], _ spares: [Member], _ shape: ArrayShape, _ options: Options
  ) -> MemberSet {
    MemberSet(
      slots: Array(slots.prefix(shape.slotCount)), spares: spares,
      isWritable: options.isWritable, survives: { shape.survives(present: $0) })
  }

  /// Refuses an array some of whose data nobody has.
  private static func requireEnough(
    _ members: MemberSet, _ shape: ArrayShape, _ reference: MDSuperblock
  ) throws(RaidError) {
    let present = members.slots.map { slot in
      // A member that is being rebuilt counts where reads find it useful, which is decided there.
      slot.member?.isInSync == true || slot.replacement?.isInSync == true
    }
    let partly = members.slots.map { $0.member != nil || $0.replacement != nil }
    guard shape.survives(present: present) || shape.survives(present: partly) else {
      throw .notStartable(
        .tooFew(
          missingSlots: present.indices.filter { !present[$0] },
          needed: shape.slotCount - shape.redundancy, present: present.count { $0 }))
    }
  }

  /// The bitmap: md's where there is one, else ours.
  private static func readIntent(
    _ assembly: Assembly, _ shape: ArrayShape
  ) throws(RaidError) -> WriteIntent? {
    let reference = assembly.reference
    let isOurs = !reference.features.contains(.bitmap)
    for holder in assembly.holders {
      guard let index = holder.member ?? holder.replacement else { continue }
      let probe = assembly.members[index]
      if isOurs, probe.header?.range(of: .intent) == nil { continue }
      guard let intent = readIntent(probe, reference, shape, isOurs: isOurs) else { continue }
      return intent
    }
    return nil
  }

  private static func readIntent(
    _ probe: MemberProbe, _ reference: MDSuperblock, _ shape: ArrayShape, isOurs: Bool
  ) -> WriteIntent? {
    let start: Int
    let room: Int
    if isOurs {
      guard let region = probe.header?.range(of: .intent) else { return nil }
      start = region.lowerBound
      room = region.count
    } else {
      guard probe.superblock.features.contains(.bitmap) else { return nil }
      let sector =
        Int(probe.superblock.superOffsetSectors) + Int(probe.superblock.bitmapOffsetSectors)
      guard sector >= 0 else { return nil }
      start = sector * 512
      room =
        probe.superblock.freeSectors(
          from: sector, memberSectors: probe.device.byteCount / 512) * 512
    }
    guard var header = readHeader(probe.device, at: start),
      header.arrayID == reference.bitmapArrayID, header.byteCountOnDisk <= min(room, 64 << 20),
      // One that covers less than the array, or much more, is of another shape of it.
      header.syncSizeSectors <= 1 << 50, header.chunkByteCount >= 4096,
      Int(header.syncSizeSectors) * 512 >= shape.intentByteCount
    else { return nil }
    var buffer = AlignedBuffer(byteCount: header.byteCountOnDisk)
    var bytes = buffer.mutableBytes
    guard
      (try? probe.device.read(into: &bytes, range: 0..<header.byteCountOnDisk, at: start)) != nil
    else { return nil }
    let stored = BitSet(
      count: header.bitCount, bitmap: bytes.bytes, start: MDBitmapHeader.byteCount)
    let isTrusted = header.isTrustworthy(superblockEvents: reference.events)
    // Writes that it knows nothing of were made without it, by us when it could not be read: who was away
    // then has missed more than it marks. (Linux, too, counts from now on.)
    if !isTrusted { header.eventsCleared = max(header.eventsCleared, reference.events) }
    let isUnclean = shape.redundancy > 0 ? !reference.isClean : true
    let intent = WriteIntent(
      header: header, stored: stored,
      doubtful: isUnclean && isTrusted ? stored : BitSet(count: header.bitCount), isOurs: isOurs)
    if isUnclean, !isTrusted, shape.redundancy > 0 { intent.doubtEverything() }
    return intent
  }

  private static func readHeader(_ device: any BlockDevice, at start: Int) -> MDBitmapHeader? {
    guard start + 4096 <= device.byteCount else { return nil }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    guard (try? device.read(into: &bytes, range: 0..<4096, at: start)) != nil else { return nil }
    return try? MDBitmapHeader(decoding: bytes.bytes)
  }
}

extension ArrayShape {
  /// Whether the array keeps anything at this data offset of a slot's member.
  func uses(slot: Int, at offset: Int) -> Bool {
    switch placement {
    case .parity(let rows): offset < rows.rowCount * rows.chunkByteCount
    case .copies(let copies):
      copies.arrayRange(at: .init(slot: slot, offset: offset), limit: 4096) != nil
    }
  }

  /// Whether all data is there when just these slots can be read.
  package func survives(present: [Bool]) -> Bool {
    let missing = present.prefix(slotCount).count { !$0 }
    if missing <= redundancy { return true }
    guard case .copies(let copies) = placement, copies.copyCount > 1 else { return false }
    if level == .mirrored { return missing < slotCount }
    return copies.survives(present: present)
  }
}

extension CopyPlacement {
  /// Whether each byte has a copy in one of these slots. The copies' places repeat after as many
  /// chunks as there are slots.
  func survives(present: [Bool]) -> Bool {
    var places: [Place] = []
    var offset = 0
    var chunks = 0
    while offset < byteCount, chunks <= slotCount {
      let count = locate(offset, into: &places)
      if !places.contains(where: { present[$0.slot] }) { return false }
      offset += count
      chunks += 1
    }
    return true
  }
}
