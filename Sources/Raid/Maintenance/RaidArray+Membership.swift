import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

/// Members that come and go.
extension RaidArray {
  /// The slot of a member in use, by the device's name; nil for spares.
  package func slot(ofMemberNamed name: String) -> Int? {
    members.slots.firstIndex { $0.member?.name == name || $0.replacement?.name == name }
  }

  /// Puts a device into a slot that nobody in sync has, ready to be rebuilt.
  ///
  /// What it held as a member before is of use when it has missed only what the bitmap has marked: then
  /// the ranges that it lacks are returned.
  /// - Returns: the member ranges to rebuild; nil for everything.
  package func admit(
    _ device: any BlockDevice, toSlot slot: Int, knownAs probe: MemberProbe? = nil
  ) throws(RaidError) -> [Range<Int>]? {
    let holder = members.slots[slot]
    if let member = holder.member, !member.isFailed, member.isInSync {
      throw .unsuitable(.slotIsInUse(slot))
    }
    guard shape.redundancy > 0 else { throw .unsuitable(.noRedundancy) }
    let number = deviceNumber(for: probe)
    let new = try newMember(device, slot: slot, number: number, probe: probe)
    try beginChanging()
    let knowsWhatItMissed = probe.map { missesOnlyWhatIsMarked($0, slot: slot) } ?? false
    let member: Member
    if knowsWhatItMissed, let probe {
      try requireBitmapRoom(on: device, probe.superblock)
      member = try Self.member(probe, slot: slot, false, true, nil)
    } else {
      try prepare(new, formerSlot: probe == nil ? nil : slot)
      member = new.member(
        slot: slot, sumsBeside: try freshSumsBeside(slot), besides: holder.replacement)
    }
    member.setValid(upTo: 0)
    members.state.withLock { state in state.slots[slot].member = member }
    // Only now: a write that began before the member was in its slot has marked its range already.
    let marked = knowsWhatItMissed ? intent?.markedRanges : nil
    let cause: ArrayEvent.ArrivalCause = knowsWhatItMissed ? .returned : .rebuild
    try announce(member, number: number, slot: slot, cause)
    return marked
  }

  /// Puts a device beside the member of a slot, to take its place once it holds the same.
  package func admitReplacement(
    _ device: any BlockDevice, forSlot slot: Int
  ) throws(RaidError) {
    guard shape.redundancy > 0 else { throw .unsuitable(.noRedundancy) }
    let holder = members.slots[slot]
    guard holder.replacement == nil else { throw .unsuitable(.alreadyReplacing(slot)) }
    let number = deviceNumber(for: nil)
    let new = try newMember(device, slot: slot, number: number, probe: nil)
    try beginChanging()
    try prepare(new)
    let member = new.member(slot: slot, besides: holder.member)
    member.setValid(upTo: 0)
    members.state.withLock { state in state.slots[slot].replacement = member }
    try announce(member, number: number, slot: slot, .replacement)
  }

  /// Lets the replacement of a slot take the place of its member, which leaves the array.
  ///
  /// - Returns: who has left, for its superblock to be erased when nobody will want it back.
  @discardableResult
  package func finishReplacing(slot: Int) throws(RaidError) -> (any BlockDevice)? {
    let leaving = members.state.withLock { state -> Member? in
      guard let replacement = state.slots[slot].replacement, replacement.isInSync else {
        return nil
      }
      let leaving = state.slots[slot].member
      state.slots[slot].member = replacement
      state.slots[slot].replacement = nil
      return leaving
    }
    let current = members.slots[slot].member
    if let leaving, let journal, journal.isLive {
      // What it has of the journal leaves with it; and a crash may bring it back, so that it has to have all else.
      do throws(DeviceError) { try leaving.flush() } catch { leaving.markFailed() }
      try journal.checkpoint()
    }
    var change = MemberSet.Change()
    if let leaving { change.roles[Int(leaving.superblock.deviceNumber)] = .faulty }
    change.each = { member, superblock in
      if member === current { superblock.features.remove(.replacement) }
    }
    if let leaving { members.note(.memberRemoved, slot: slot, member: leaving) }
    if let current { members.note(.memberReplaced, slot: slot, member: current) }
    try members.commit(change, intent: intent)
    try storeRoster()
    return leaving?.device
  }

  /// Refuses a device that is too small, or otherwise no member for this array, before anything is changed.
  package func requireFit(_ device: any BlockDevice) throws(RaidError) {
    _ = try newMember(device, slot: nil, number: deviceNumber(for: nil), probe: nil)
  }

  /// Adds a device that takes part when a member fails.
  ///
  /// - Parameter isForReshape: it is to take part when the array gets another shape, so that there may be
  ///   nothing yet from which it could be filled.
  package func addSpare(
    _ device: any BlockDevice, isForReshape: Bool = false
  ) throws(RaidError) {
    guard shape.redundancy > 0 || isForReshape else { throw .unsuitable(.noRedundancy) }
    let number = deviceNumber(for: nil)
    let new = try newMember(device, slot: nil, number: number, probe: nil)
    try beginChanging()
    try prepare(new)
    let spare = new.member(slot: nil)
    members.state.withLock { state in state.spares.append(spare) }
    var change = MemberSet.Change()
    change.roles[number] = .spare
    try members.copyEvents(to: spare)
    members.note(
      .memberAdded, cause: ArrayEvent.ArrivalCause.spare.rawValue, member: spare)
    try members.commit(change, intent: intent)
  }

  /// Moves a spare into a slot that nobody in sync has, ready to be rebuilt.
  package func promoteSpare(named name: String?, toSlot slot: Int) throws(RaidError) {
    if let member = members.slots[slot].member, !member.isFailed, member.isInSync {
      throw .unsuitable(.slotIsInUse(slot))
    }
    let found = members.spares.first { !$0.isFailed && (name == nil || $0.name == name) }
    guard let spare = found else {
      throw .noSuchMember(name ?? "spare")
    }
    try requireBitmapRoom(on: spare.device, spare.superblock)
    try beginChanging()
    members.state.withLock { state in state.spares.removeAll { $0 === spare } }
    let number = Int(spare.superblock.deviceNumber)
    var header = spare.header
    header?.slot = UInt32(slot)
    let other = members.slots[slot].replacement
    let shared = other?.sharableSums
    var sums = shared
    if sums == nil { sums = try freshSumsBeside(slot) }
    if sums == nil {
      sums = BlockSums(
        on: spare.device, header, slot: slot,
        dataByteCount: Int(spare.superblock.dataSizeSectors) * 512,
        slotCount: spare.superblock.slotCount)
      do throws(DeviceError) { try sums?.reset() } catch { throw .member(name: spare.name, error) }
    }
    let member = Member(
      device: spare.device, superblock: spare.superblock, header: header,
      dataOffset: spare.dataOffset, badBlocks: spare.badBlocks.ranges, sums: sums,
      sumsAreTrusted: shared == nil ? sums != nil : other?.trustsSums == true,
      sharesSums: shared != nil)
    member.setValid(upTo: 0)
    members.state.withLock { state in state.slots[slot].member = member }
    try announce(member, number: number, slot: slot, .promotion)
  }

  /// Whether a member that was given is not used, and the others have it written down that they go on
  /// without it: then there is nothing left to fail.
  package func isOutAlready(_ name: String) -> Bool {
    guard let index = unusedMember(named: name) else { return false }
    let number = Int(assembly.members[index].superblock.deviceNumber)
    guard case .slot(let slot) = assembly.reference.role(ofDevice: number) else { return true }
    return !assembly.slotsNotGiven.contains(slot)
  }

  /// The index, in the assembly, of a member that was given and takes no part.
  private func unusedMember(named name: String) -> Int? {
    assembly.members.indices.first {
      assembly.members[$0].name == name && !assembly.standings[$0].isUsed
    }
  }

  /// Declares a member failed. It keeps what it has; the others stop counting on it.
  package func failMember(named name: String) throws(RaidError) {
    guard let member = try requireDispensable(name) else {
      try beginChanging()
      noteDeclared(name)
      // Whoever is not there loses its slot.
      try members.commit(MemberSet.Change(), intent: intent)
      return
    }
    try beginChanging()
    // So that the member, too, is known as it was when it left.
    try flushAll()
    // Another one may have failed by now.
    let mayGo = members.state.withLock { state in
      guard canDoWithout(member, state.slots) else { return false }
      member.markFailed()
      return true
    }
    guard mayGo else { throw .unsuitable(.memberIsNeeded(name)) }
    members.note(
      .memberFailed, cause: ArrayEvent.FailureCause.declared.rawValue,
      slot: slot(ofMemberNamed: name), member: member)
    try members.commit(MemberSet.Change(), intent: intent)
  }

  /// The member of this name, if the array can do without it; nil for one that takes no part anyway.
  @discardableResult
  package func requireDispensable(_ name: String) throws(RaidError) -> Member? {
    let all =
      members.slots.flatMap { [$0.member, $0.replacement].compactMap { $0 } } + members.spares
    guard let member = all.first(where: { $0.name == name }) else {
      guard unusedMember(named: name) != nil else { throw .noSuchMember(name) }
      return nil
    }
    guard canDoWithout(member, members.slots) else { throw .unsuitable(.memberIsNeeded(name)) }
    if hasDoubt, !options.allowsDoubt, MDLevel.withParity.contains(shape.level.number),
      !isHeldByOthers(member)
    {
      throw .unsuitable(.memberDecidesDoubt(name))
    }
    return member
  }

  /// Whether it has no slot, or another in sync has the same.
  private func isHeldByOthers(_ member: Member) -> Bool {
    let slot = members.slots.first { $0.writable.contains { $0 === member } }
    return slot?.writable.contains { $0 !== member && $0.isInSync } ?? true
  }

  /// Notes that somebody calls a member failed that was given and takes no part.
  private func noteDeclared(_ name: String) {
    guard let index = unusedMember(named: name) else { return }
    members.note(
      .memberFailed, cause: ArrayEvent.FailureCause.declared.rawValue,
      probe: assembly.members[index])
  }

  private func canDoWithout(_ member: Member, _ slots: [MemberSet.Slot]) -> Bool {
    guard slots.contains(where: { $0.member === member }) else { return true }
    return shape.survives(
      present: slots.map { slot in slot.writable.contains { $0 !== member && $0.isInSync } })
  }

  /// Refuses a member that is in use, and one that is none.
  package func requireRemovable(_ name: String) throws(RaidError) {
    if members.spares.contains(where: { $0.name == name }) { return }
    if let slot = slot(ofMemberNamed: name) {
      let holder = members.slots[slot]
      guard holder.replacement?.name == name || holder.member?.isFailed == true else {
        throw .unsuitable(.memberIsInUse(name))
      }
      return
    }
    guard unusedMember(named: name) != nil else { throw .noSuchMember(name) }
  }

  /// Takes a spare, or a member that has failed, out of the array's books.
  ///
  /// - Returns: who has left and has nothing that the array could want back, for its superblock to be
  ///   erased: a spare, a replacement, a member whose place another has, a copy of a member. One whose place is
  ///   empty keeps its own, by which it can be brought back with no more than what it missed.
  @discardableResult
  package func removeMember(named name: String) throws(RaidError) -> (any BlockDevice)? {
    try requireRemovable(name)
    try beginChanging()
    if let spare = members.spares.first(where: { $0.name == name }) {
      var change = MemberSet.Change()
      // A spare needs no events, so it would come back as one by itself.
      change.roles[Int(spare.superblock.deviceNumber)] = .faulty
      members.state.withLock { state in state.spares.removeAll { $0 === spare } }
      members.note(.memberRemoved, member: spare)
      try members.commit(change, intent: intent)
      return spare.device
    }
    if let slot = slot(ofMemberNamed: name) {
      let holder = members.slots[slot]
      let isReplacement = holder.replacement?.name == name
      let leaving = isReplacement ? holder.replacement : holder.member
      var change = MemberSet.Change()
      if let leaving { change.roles[Int(leaving.superblock.deviceNumber)] = .spare }
      members.state.withLock { state in
        if state.slots[slot].replacement === leaving {
          state.slots[slot].replacement = nil
        } else {
          state.slots[slot].member = nil
        }
      }
      if let leaving { members.note(.memberRemoved, slot: slot, member: leaving) }
      try members.commit(change, intent: intent)
      return isReplacement ? leaving?.device : nil
    }
    guard let index = unusedMember(named: name) else { throw .noSuchMember(name) }
    let probe = assembly.members[index]
    let number = Int(probe.superblock.deviceNumber)
    let others = members.active + members.spares
    // Another may have its number by now.
    if !others.contains(where: { Int($0.superblock.deviceNumber) == number }) {
      var change = MemberSet.Change()
      change.roles[number] = .spare
      members.note(.memberRemoved, probe: probe)
      try members.commit(change, intent: intent)
    }
    if case .former = assembly.standings[index] { return probe.device }
    let isCopy = others.contains { $0.superblock.deviceID == probe.superblock.deviceID }
    return isCopy && listedLossByteCount == 0 ? probe.device : nil
  }

  // MARK: The steps

  /// Whether a member that was away has missed no more than what the bitmap has marked.
  private func missesOnlyWhatIsMarked(_ probe: MemberProbe, slot: Int) -> Bool {
    guard let intent, shape.level != .mirroredStripes, !hasDoubt,
      !intent.isOurs || !foundForeignWrite,
      probe.superblock.role == .slot(slot),
      // What has moved is not marked.
      probe.superblock.hasShape(of: assembly.reference),
      probe.superblock.events >= intent.eventsCleared,
      !probe.superblock.features.contains(.recoveryOffset),
      // One that called others failed has been written to without them.
      members.active.allSatisfy({
        probe.superblock.role(ofDevice: Int($0.superblock.deviceNumber)) != .faulty
      }),
      probe.superblock.dataSizeSectors >= assembly.reference.sizeSectors,
      probe.superblock.creationTime == assembly.reference.creationTime,
      // Its own sums are of use only if nobody wrote to it on its own.
      (probe.header == nil) == !hasSums, !hasSums || probe.isLastWrittenByUs,
      case .success = probe.badBlocks
    else { return false }
    return true
  }

  /// Whether the members keep sums.
  package var hasSums: Bool { members.active.contains { $0.sums != nil } }

  /// The number that a device has or gets: its own, or the lowest that nobody has.
  private func deviceNumber(for probe: MemberProbe?) -> Int {
    let taken = Set((members.active + members.spares).map { Int($0.superblock.deviceNumber) })
    if let probe, !taken.contains(Int(probe.superblock.deviceNumber)) {
      return Int(probe.superblock.deviceNumber)
    }
    let roles = members.active.first?.superblock.roles ?? []
    let free = roles.indices.first { number in
      if taken.contains(number) { return false }
      // One that the array knows and that is not here keeps its number.
      if case .slot? = MDRole(rawValue: roles[number]) { return false }
      return true
    }
    return free ?? roles.count
  }

  private func newMember(
    _ device: any BlockDevice, slot: Int?, number: Int, probe: MemberProbe?
  ) throws(RaidError) -> NewMember {
    guard let template = members.active.first?.superblock else {
      throw .readOnly(.broken)
    }
    var wanted = regionRequest(like: template)
    wanted.dataOffset = Int(template.dataOffsetSectors) * 512
    let needed =
      MDLevel.usesSize(template.level)
      ? Int(template.sizeSectors) * 512 : shape.memberByteCounts.min() ?? 0
    var layout = MemberLayout(memberByteCount: device.byteCount, request: wanted)
    func isTooSmall() -> Bool { layout.map { $0.dataByteCount < needed } ?? true }
    if isTooSmall() {
      // With a data offset of its own, less than the others', it may do.
      wanted.dataOffset = nil
      layout = MemberLayout(memberByteCount: device.byteCount, request: wanted)
    }
    if isTooSmall() {
      // The others' regions may be of a time when the array had fewer members, and do as well.
      let headers = members.active.compactMap(\.header)
      wanted.journalByteCount = headers.compactMap { $0.range(of: .journal)?.count }.min()
      wanted.hasBlanks = headers.allSatisfy { $0.range(of: .blanks) != nil }
      wanted.dataOffset = Int(template.dataOffsetSectors) * 512
      layout = MemberLayout(memberByteCount: device.byteCount, request: wanted)
    }
    guard let layout, !isTooSmall() else {
      wanted.bitmapByteCount = 0
      if let without = MemberLayout(memberByteCount: device.byteCount, request: wanted),
        without.dataByteCount >= needed
      {
        throw .unsuitable(
          .noRoomForBitmap(
            member: device.name, has: without.bitmapByteCount, needs: bitmapByteCount))
      }
      throw .memberTooSmall(
        name: device.name, has: layout?.dataByteCount ?? device.byteCount, needs: needed)
    }
    guard number < template.maxDevices else { throw .unsuitable(.noFreeSlot) }
    return NewMember(
      device, layout: layout, template: template, deviceNumber: number,
      deviceID: probe.map(\.superblock.deviceID).flatMap { knownID($0) } ?? .randomVersion4(),
      slot: slot, hasBadBlockLog: template.badBlockLog.sizeSectors > 0,
      isJournaled: journal != nil)
  }

  /// What all members have beside their data.
  func regionRequest(like template: MDSuperblock) -> MemberLayout.Request {
    var wanted = MemberLayout.Request()
    wanted.version = template.version
    wanted.chunkByteCount = shape.chunkByteCount
    wanted.slotCount = members.slotCount
    wanted.hasSums = members.active.contains { $0.header != nil || $0.lacksSums }
    wanted.hasBitmap = template.features.contains(.bitmap)
    wanted.bitmapByteCount = bitmapByteCount
    return wanted
  }

  /// What md's bitmap takes on each member; 0 where there is none.
  var bitmapByteCount: Int {
    guard let intent, !intent.isOurs else { return 0 }
    return intent.byteCount
  }

  /// Refuses a member that has a place for a bitmap, made by others, into which the array's does not fit.
  private func requireBitmapRoom(
    on device: any BlockDevice, _ superblock: MDSuperblock
  ) throws(RaidError) {
    let needs = bitmapByteCount
    guard needs > 0, let sector = superblock.bitmapSector else { return }
    let has = superblock.freeSectors(from: sector, memberSectors: device.byteCount / 512) * 512
    guard has >= needs else {
      throw .unsuitable(.noRoomForBitmap(member: device.name, has: has, needs: needs))
    }
  }

  /// A member that comes back keeps its UUID.
  private func knownID(_ deviceID: Identifier) -> Identifier? {
    members.active.contains { $0.superblock.deviceID == deviceID } ? nil : deviceID
  }

  /// The sums of a slot in the file beside the array, if there is one: they say zeros of everything now,
  /// and not what the slot's last member held. None where somebody in the slot has them already.
  private func freshSumsBeside(_ slot: Int) throws(RaidError) -> BlockSums? {
    guard let sumsFile, members.slots[slot].replacement?.sharableSums == nil else { return nil }
    let sums = sumsFile.sums(ofSlot: slot, shape: shape)
    do throws(DeviceError) {
      try sums.reset()
    } catch {
      throw .sumsFile(name: sumsFile.name, error)
    }
    return sums
  }

  private func prepare(_ new: NewMember, formerSlot: Int? = nil) throws(RaidError) {
    do throws(DeviceError) {
      try new.prepare(formerSlot: formerSlot)
      try new.writeBitmap(
        shape: shape, hasBitmap: new.superblock.features.contains(.bitmap),
        marksEverything: false)
      try new.device.flush()
    } catch {
      throw .member(name: new.device.name, error)
    }
  }

  /// Makes all superblocks say that a member is being rebuilt.
  private func announce(
    _ member: Member, number: Int, slot: Int, _ cause: ArrayEvent.ArrivalCause
  ) throws(RaidError) {
    let isReplacement = cause == .replacement
    member.record.state.withLock { state in
      state.superblock.deviceNumber = UInt32(number)
      state.header?.slot = UInt32(slot)
    }
    try intent?.writeAll { (page, range) throws(RaidError) in
      try members.storeIntent(page, range, isOurs: intent?.isOurs ?? false)
    }
    let template = members.active.first { $0 !== member }?.superblock
    try members.copyEvents(to: member)
    members.note(.memberAdded, cause: cause.rawValue, slot: slot, member: member)
    var change = MemberSet.Change()
    change.roles[number] = .slot(slot)
    change.each = { each, superblock in
      guard each === member else { return }
      if let template { superblock.copyArrayState(of: template) }
      superblock.features.insert(.recoveryOffset)
      superblock.recoveryOffsetSectors = 0
      if isReplacement { superblock.features.insert(.replacement) }
    }
    try members.commit(change, intent: intent)
    try storeRoster()
  }

  /// Keeps the UUIDs of all members on all members.
  func storeRoster() throws(RaidError) { try storeRoster(of: members) }

  func storeRoster(of members: MemberSet) throws(RaidError) {
    let known = assembly.members.firstRoster
    let roster = Roster(
      arrayID: assembly.reference.arrayID,
      members: members.slots.enumerated().map { index, slot in
        slot.member?.superblock.deviceID
          ?? known.flatMap { $0.members.indices.contains(index) ? $0.members[index] : nil } ?? .zero
      })
    try members.onEach(members.active) { (member) throws(DeviceError) in
      guard let range = member.header?.range(of: .roster) else { return }
      var buffer = AlignedBuffer(byteCount: Roster.byteCount)
      var bytes = buffer.mutableBytes
      roster.encode(into: &bytes)
      try member.device.write(bytes.bytes, range: 0..<Roster.byteCount, at: range.lowerBound)
    }
  }
}

extension MDSuperblock {
  /// Takes over what is the same on all members and changes while an array runs.
  fileprivate mutating func copyArrayState(of other: MDSuperblock) {
    resyncOffsetSectors = other.resyncOffsetSectors
    slotCount = other.slotCount
    sizeSectors = other.sizeSectors
    nameBytes = other.nameBytes
  }
}
