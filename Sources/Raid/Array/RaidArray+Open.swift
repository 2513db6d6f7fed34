import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

extension RaidArray {
  /// Opens the array that these devices are members of. Nothing is written until the first write.
  ///
  /// - Throws: `notStartable` when they do not make an array, `readOnly` when it may not be written
  ///   although `options` ask for it.
  package static func open(
    _ devices: [any BlockDevice], options: Options = Options(), name: String? = nil
  ) throws(RaidError) -> RaidArray {
    try open(try Assembly(devices: devices), options: options, name: name)
  }

  /// Opens the array that has been assembled.
  package static func open(
    _ given: Assembly, options: Options = Options(), name: String? = nil,
    sumsFile: SumsFile? = nil
  ) throws(RaidError) -> RaidArray {
    var assembly =
      options.isWritable ? given : try given.replayed(allowsDoubt: options.allowsDoubt)
    let reference = assembly.reference
    let shapes = try ArrayShapes(
      assembly, assumesSizes: options.salvages, memberByteCounts: options.memberByteCounts)
    let scan = try Self.scan(assembly, shapes.old, options)
    let isMended = scan.map { !$0.isIncomplete && !$0.hasDoubt } ?? false
    let obstacle = Self.obstacle(assembly, options, isMended: isMended)
    if options.isWritable, let obstacle { throw .readOnly(obstacle) }
    // The sums of what was moved last may not be in their place yet.
    if scan != nil || shapes.new != nil, !options.isWritable { assembly = assembly.onScratch() }

    let hasForeignWrite = Self.hasForeignWrite(assembly, countsKnown: true)
    let records = assembly.members.map { MemberRecord($0.superblock, $0.header) }
    let slotsFor = { (usesNewOffset: Bool) throws(RaidError) -> ([MemberSet.Slot], [Member]) in
      try Self.slots(
        assembly, records, usesNewOffset: usesNewOffset, trustsSums: !hasForeignWrite, sumsFile,
        shapes.new == nil ? shapes.old : nil)
    }
    let (slots, spares) = try slotsFor(false)
    let members = Self.memberSet(
      slots, spares, shapes.old, options, isWritable: options.isWritable || scan != nil,
      returningSlots: assembly.returningSlots)
    if !options.salvages {
      let mayBePartial = !options.isWritable || reference.isReshaping
      try Self.requireEnough(members, shapes.old, mayBePartial: mayBePartial)
    }
    let memory = WorkingMemoryPool(
      slotCount: max(members.slotCount, shapes.new?.slotCount ?? 0))
    let intent = assembly.writeIntent(
      shapes.old, hasForeignWrite: Self.hasForeignWrite(assembly, countsKnown: false))
    // Levels without copies carry no dirty mark; there only the bits speak.
    let isUnclean =
      !isMended
      && (shapes.old.redundancy > 0 ? !reference.isClean : intent?.hasDoubt ?? false)
    if reference.features.contains(.writeJournal), shapes.new == nil, scan?.isIncomplete ?? true {
      // The bits of what was written by way of the journal are in the journal.
      intent?.doubtEverything()
    }
    let journal =
      options.isWritable && assembly.isJournaled && sumsFile == nil && shapes.new == nil
      ? WriteJournal(
        members: members, intent: intent, arrayID: reference.arrayID,
        redundancy: shapes.old.mostLosses) : nil
    let doubtStart =
      !isUnclean
      ? Int.max
      : Int(clamping: reference.resyncOffsetSectors).multipliedOrMax(by: 512)
    if isUnclean {
      let marked = intent.map { $0.doubtfulRanges.first?.lowerBound ?? .max } ?? 0
      Self.distrustReplacements(slots, shapes.old, from: max(doubtStart, marked))
    } else if let scan {
      Self.distrustReplacements(slots, shapes.old, from: scan.firstLooseByte)
    }
    func placed(_ shape: ArrayShape, _ members: MemberSet) -> Placed {
      let start = shape.redundancy > 0 ? doubtStart : isUnclean ? 0 : Int.max
      switch shape.placement {
      case .parity(let placement):
        return .parity(
          ParityStripes(
            placement: placement, members: members, intent: shapes.new == nil ? intent : nil,
            journal: journal,
            doubtStart: start,
            allowsDoubt: options.allowsDoubt || assembly.isMendedByLogs, memory: memory))
      case .copies(let placement):
        return .copies(
          CopiedData(
            placement: placement, members: members, intent: shapes.new == nil ? intent : nil,
            journal: journal,
            doubtStart: start,
            readPolicy: options.readPolicy, hidesForeignWrites: shape.level.usesWholeMembers,
            memory: memory))
      }
    }
    var segments: [Segment] = []
    var newMembers: MemberSet?
    var stagedRows: StagedRows?
    if let new = shapes.new {
      let (newSlots, _) = try slotsFor(true)
      let made = Self.memberSet(
        newSlots, spares, new, options, isWritable: options.isWritable, events: members.events)
      if !options.salvages { try Self.requireEnough(made, new, mayBePartial: true) }
      let (oldRange, newRange) = shapes.ranges
      segments = [
        Segment(range: oldRange, data: placed(shapes.old, members)),
        Segment(range: newRange, data: placed(new, made)),
      ]
      newMembers = made
      stagedRows = try Self.stagedRows(made, new, reference, memory)
      if let rows = stagedRows {
        let count = rows.part.clamped(to: oldRange).count
        let cut = reference.reshapesBackwards
        segments[0] = Segment(
          range: cut ? oldRange.dropLast(count) : oldRange.dropFirst(count), data: segments[0].data)
        segments.append(
          Segment(range: rows.part.clamped(to: oldRange), data: rows.data))
      }
    } else {
      segments = [Segment(range: 0..<shapes.byteCount, data: placed(shapes.old, members))]
    }
    let array = RaidArray(
      name: name ?? reference.name, shape: shapes.old, byteCount: shapes.byteCount,
      assembly: assembly, members: members, segments: segments, intent: intent, journal: journal,
      options: options, obstacle: obstacle ?? (options.isWritable ? nil : .openedForReading),
      foundForeignWrite: hasForeignWrite,
      isForeignWriteFresh: Self.hasForeignWrite(assembly, countsKnown: false),
      wasUnclean: isUnclean, replayedRecordCount: scan?.entries.count, memory: memory,
      sumsFile: sumsFile, newShape: shapes.new, newMembers: newMembers,
      stagedRows: stagedRows)
    if let newMembers { try Self.finishMoving(newMembers, reference) }
    if let scan {
      try array.replay(scan)
      if options.isWritable, isMended { try array.finishReplay(scan) }
    }
    return array
  }

  /// What is to be put in its place before anything is read; nil when nothing is.
  private static func scan(
    _ assembly: Assembly, _ shape: ArrayShape, _ options: Options
  ) throws(RaidError) -> JournalScan? {
    guard !options.isWrittenElsewhere, !assembly.reference.isReshaping,
      assembly.needsReplay(shape)
    else { return nil }
    let places = assembly.journalPlaces
    let scan: JournalScan?
    do throws(DeviceError) {
      scan = try JournalScan(places, shape: shape)
    } catch {
      throw .notStartable(.device(member: places.first?.device.name ?? "", error))
    }
    let isNeeded = assembly.reference.features.contains(.writeJournal)
    if isNeeded && scan == nil || scan?.isIncomplete == true {
      // What can't be had of the journal is in doubt then.
      if options.salvages { return nil }
      guard options.allowsDoubt else { throw .notStartable(.damagedWriteJournal) }
    }
    // Without the bit nothing says that what is unclean is so by way of a run that is over.
    return scan?.isOver == true && !isNeeded ? nil : scan
  }

  /// Why the array may only be read, if so.
  private static func obstacle(
    _ assembly: Assembly, _ options: Options, isMended: Bool
  ) -> WriteObstacle? {
    let reference = assembly.reference
    if reference.version == .v0_90 { return .metadata090 }
    if reference.isReshaping, !options.reshapes { return .reshaping }
    if reference.features.contains(.clustered) { return .clustered }
    if reference.features.contains(.journal) || assembly.journal != nil { return .hasJournal }
    if !options.startsByForce, !reference.features.isDisjoint(with: .anyPartialParityLog) {
      return .hasPartialParityLog
    }
    if !options.allowsDegraded, !assembly.slotsNotGiven.isEmpty {
      return .membersNotGiven(assembly.slotsNotGiven)
    }
    if !options.allowsDoubt, !isMended, !reference.isClean, !assembly.slotsNotInSync.isEmpty,
      MDLevel.withParity.contains(reference.level)
    {
      return .uncleanAndDegraded
    }
    return nil
  }

  /// Whether a member that keeps sums has a superblock that is not ours; or, if that counts, had one
  /// and its sums have not been renewed since.
  static func hasForeignWrite(_ assembly: Assembly, countsKnown: Bool) -> Bool {
    assembly.membersInSlots.contains { probe in
      guard probe.header?.range(of: .sums) != nil else { return false }
      return !probe.isLastWrittenByUs
        || countsKnown && probe.header?.flags.contains(.sumsStale) == true
    }
  }

  private static func slots(
    _ assembly: Assembly, _ records: [MemberRecord], usesNewOffset: Bool, trustsSums: Bool,
    _ sumsFile: SumsFile?,
    _ shape: ArrayShape?
  ) throws(RaidError) -> ([MemberSet.Slot], [Member]) {
    var slots: [MemberSet.Slot] = []
    let othersKeepSums = assembly.membersInSlots.contains { $0.header?.range(of: .sums) != nil }
    for (slot, holder) in assembly.holders.enumerated() {
      var made = MemberSet.Slot()
      if let index = holder.member {
        made.member = try member(
          assembly.members[index], slot: slot, usesNewOffset, trustsSums, sumsFile, shape: shape,
          othersKeepSums: othersKeepSums, record: records[index])
      }
      if let index = holder.replacement {
        made.replacement = try member(
          assembly.members[index], slot: slot, usesNewOffset, trustsSums, sumsFile, shape: shape,
          beside: made.member, othersKeepSums: othersKeepSums, record: records[index])
      }
      slots.append(made)
    }
    var spares: [Member] = []
    for (index, standing) in assembly.standings.enumerated() where standing == .spare {
      spares.append(
        try member(
          assembly.members[index], slot: nil, usesNewOffset, false, nil, record: records[index]))
    }
    return (slots, spares)
  }

  /// Makes a member of what was found.
  ///
  /// - Parameter current: the member that it is to replace, whose sums in a file beside are the slot's.
  static func member(
    _ probe: MemberProbe, slot: Int?, _ usesNewOffset: Bool, _ trustsSums: Bool,
    _ sumsFile: SumsFile?, shape: ArrayShape? = nil, beside current: Member? = nil,
    othersKeepSums: Bool = false, record: MemberRecord? = nil
  ) throws(RaidError) -> Member {
    let superblock = probe.superblock
    let offsetSectors =
      usesNewOffset ? superblock.newDataOffsetSectors : superblock.dataOffsetSectors
    var sums: BlockSums?
    var trusts = trustsSums
    if let slot {
      if let sumsFile {
        sums = current?.sharableSums ?? sumsFile.sums(ofSlot: slot, shape: shape)
        trusts = sumsFile.isTrusted
      } else if let header = probe.header, header.slot == UInt32(slot) {
        sums = BlockSums(
          on: probe.device, header, slot: slot,
          dataByteCount: Int(superblock.dataSizeSectors) * 512, slotCount: superblock.slotCount,
          isUsed: { block in shape?.uses(slot: slot, at: block * 4096) ?? true })
      }
    }
    return Member(
      device: probe.device, superblock: superblock, header: probe.header,
      dataOffset: Int(offsetSectors) * 512,
      badBlocks: try probe.requireBadBlocks(dataOffsetSectors: Int(offsetSectors)), sums: sums,
      sumsAreTrusted: trusts, sharesSums: current?.sharableSums != nil,
      lacksSums: slot != nil && sums == nil && (othersKeepSums || probe.lacksHeader),
      record: record)
  }

  /// What was being put in its place by way of the members' spare room.
  private static func stagedRows(
    _ members: MemberSet, _ shape: ArrayShape, _ reference: MDSuperblock,
    _ memory: WorkingMemoryPool
  ) throws(RaidError) -> StagedRows? {
    guard reference.features.contains(.writeJournal) else { return nil }
    return try StagedRows.find(
      on: members, shape,
      position: Int(clamping: reference.reshape.positionSectors).multipliedOrMax(by: 512),
      isBackwards: reference.reshapesBackwards, memory: memory)
  }

  /// Puts the sums of what was moved last in their place, where that was cut off: in memory.
  private static func finishMoving(
    _ members: MemberSet, _ reference: MDSuperblock
  ) throws(RaidError) {
    for member in members.active {
      guard let sums = member.sums else { continue }
      do throws(DeviceError) {
        let position = Int(clamping: reference.reshape.positionSectors)
        let isBackwards = reference.reshapesBackwards
        guard
          let log = try ReshapeLog(
            on: member,
            where: {
              (isBackwards ? $0.part.lowerBound : $0.part.upperBound) / 512 == position
                && $0.blocks.upperBound <= sums.blockCount
            })
        else { continue }
        try log.apply(to: sums)
      } catch {
        throw .notStartable(.device(member: member.name, error))
      }
    }
  }

  /// What is in doubt is settled by what the members hold that are in use, and a replacement is none yet: it
  /// is filled once more from where doubt begins.
  private static func distrustReplacements(
    _ slots: [MemberSet.Slot], _ shape: ArrayShape, from doubtStart: Int
  ) {
    var start = doubtStart
    // For RAID 10, doubt is counted in bytes of the array.
    if shape.level == .mirroredStripes, start < shape.byteCount { start = 0 }
    for slot in slots {
      guard let replacement = slot.replacement, slot.member?.isInSync == true,
        replacement.validByteCount > start
      else { continue }
      replacement.setValid(upTo: start)
      replacement.record.state.withLock { state in
        state.superblock.features.insert(.recoveryOffset)
        state.superblock.recoveryOffsetSectors = UInt64(start / 512)
      }
    }
  }

  private static func memberSet(
    _ slots: [MemberSet.Slot], _ spares: [Member], _ shape: ArrayShape, _ options: Options,
    isWritable: Bool, returningSlots: Set<Int> = [], events: EventLog = EventLog()
  ) -> MemberSet {
    MemberSet(
      slots: Array(slots.prefix(shape.slotCount)), spares: spares,
      isWritable: isWritable, returningSlots: returningSlots, events: events,
      survives: { options.salvages || shape.survives(present: $0) })
  }

  /// Refuses an array some of whose data nobody has.
  /// Half-built members alone may be read as far as they are, and are not written to: nothing would fill the rest,
  /// and what is out of date may have more.
  private static func requireEnough(
    _ members: MemberSet, _ shape: ArrayShape, mayBePartial: Bool
  ) throws(RaidError) {
    let present = members.slots.map { slot in
      // A member that is being rebuilt counts where reads find it useful, which is decided there.
      slot.member?.isInSync == true || slot.replacement?.isInSync == true
    }
    let partly = members.slots.map { $0.member != nil || $0.replacement != nil }
    guard shape.survives(present: present) || mayBePartial && shape.survives(present: partly) else {
      throw .notStartable(
        .tooFew(
          missingSlots: present.indices.filter { !present[$0] },
          needed: shape.slotCount - shape.redundancy, present: present.count { $0 }))
    }
  }
}

extension ArrayShape {
  /// How many members may be lost without loss of data, if chance is kind about which they are: so many may be
  /// missing when a journal is needed.
  fileprivate var mostLosses: Int {
    level == .mirroredStripes && redundancy > 0 ? slotCount - 1 : redundancy
  }

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
