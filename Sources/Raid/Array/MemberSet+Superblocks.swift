import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// Writing what the members know of the array.
///
/// One update goes over all members in three steps, each durable everywhere before the next: our own
/// header, which announces the superblock's next marker; the bitmap's header, whose event count may not
/// fall behind; the superblocks. A crash in between leaves superblocks of which the newest are at most
/// one event ahead, and md's rule takes both as good.
extension MemberSet {
  /// What an update changes beside events, time and the roles of those who failed.
  struct Change {
    /// Sectors, or all ones for clean; nil leaves it.
    var resyncOffsetSectors: UInt64?
    /// Sets or clears "the sums are stale" everywhere.
    var sumsAreStale: Bool?
    /// Roles by device number.
    var roles: [Int: MDRole] = [:]
    /// The content moves: what was noted as written tells nobody any more what they missed who left before.
    var endsRecords = false
    /// What comes next is missing from every older copy of a member. So it is said twice before: who is one event
    /// behind counts as cut off on the way, and a copy of before must not.
    var outdatesCopies = false
    /// For what is particular: called with each member's superblock, and once more for each member that fails
    /// meanwhile.
    var each: (@Sendable (Member, inout MDSuperblock) -> Void)?

    init() {}
  }

  /// Everyone whose superblock is kept up to date: the members in slots, their replacements, spares.
  ///
  /// In the order in which they are written. Those that have the data come first, so that one that is only
  /// being filled is never the newest: by its word they would be out of date. Those that are taken back come
  /// last: what they say now proves that they may be.
  private var keepers: [Member] {
    let returning = returningSlots.isEmpty ? [] : returningSlots.flatMap { slots[$0].writable }
    let active = self.active.filter { member in !returning.contains { $0 === member } }
    return active.filter(\.isInSync) + active.filter { !$0.isInSync }
      + spares.filter { !$0.isFailed } + returning
  }

  /// Writes new superblocks to all members.
  ///
  /// - Throws: `member` when so many fail that the array can't go on.
  func commit(
    _ change: Change, intent: WriteIntent?
  ) throws(RaidError) {
    try updating.withLock { (_) throws(RaidError) in
      try commitHolding(change, intent: intent)
    }
  }

  private func commitHolding(_ change: Change, intent: WriteIntent?) throws(RaidError) {
    var isRepeated = false
    while true {
      let failuresBefore = state.withLock { $0.failures.count }
      let goesOnWithout = try commitOnce(change, intent: intent)
      let failuresAfter = state.withLock { state in
        state.hasUnrecordedFailure = state.failures.count != failuresBefore
        return state.failures.count
      }
      // Who failed during the update must be called failed by the others. Who is not there may be one event ahead,
      // by an update that was cut off: once more, and nobody takes it for as new.
      guard failuresAfter == failuresBefore else { continue }
      if isRepeated || !goesOnWithout && !change.outdatesCopies { return }
      isRepeated = true
    }
  }

  /// - Returns: whether somebody who was known to have a slot has none from now on.
  private func commitOnce(_ change: Change, intent: WriteIntent?) throws(RaidError) -> Bool {
    let keepers = self.keepers
    try bringUpLaggards()
    let events = (keepers.map { $0.superblock.events }.max() ?? 0) &+ 1
    let (roles, goesOnWithout) = self.roles(change)
    let seconds = Machine.now().seconds
    let keepsKernelsAway = self.keepsKernelsAway.load(ordering: .acquiring)
    let isTakingBack = self.isTakingBack.load(ordering: .acquiring)
    for member in keepers {
      member.record.state.withLock { state in
        state.header?.lastMarker = state.superblock.marker
        let marker = UInt32.random(in: 1..<1 << 24)
        state.header?.nextMarker = marker
        state.superblock.events = events
        state.superblock.updateSeconds = seconds
        state.superblock.marker = marker
        if let sectors = change.resyncOffsetSectors {
          state.superblock.resyncOffsetSectors = sectors
        }
        if change.sumsAreStale == true { state.header?.flags.insert(.sumsStale) }
        if change.sumsAreStale == false { state.header?.flags.remove(.sumsStale) }
        state.superblock.roles = roles
        state.superblock.features.set(.writeJournal, keepsKernelsAway)
        state.superblock.features.set(.takingBack, isTakingBack)
        state.superblock.features.set(.badBlocks, member.badBlocks.isLogUsed)
        change.each?(member, &state.superblock)
        member.dropMarker(&state)
      }
    }
    try storeEvents(on: keepers)
    try onEach(keepers) { (member) throws(DeviceError) in
      try member.sums?.noteFlushed()
      if try member.storeFarHeader() { try member.device.flush() }
    }
    // Where all is there without somebody, what is written from now on is noted for nobody.
    let endsRecords = change.endsRecords || goesOnWithout && isComplete
    try intent?.setEvents(events, isNewRecord: endsRecords) {
      (page, range) throws(RaidError) in
      try storeIntent(page, range, isOurs: intent?.isOurs ?? false)
    }
    try onEach(keepers) { (member) throws(DeviceError) in
      try member.storeSuperblock()
      try member.device.flush()
    }
    return goesOnWithout
  }

  /// The role table as it should be now. Failed members, and those that are not there, lose their slots; and whether
  /// there were any.
  private func roles(_ change: Change) -> ([UInt16], goesOnWithout: Bool) {
    let slots = self.slots
    // One that has just come back does not know who came while it was away.
    let active = self.active
    let current = active.filter(\.isInSync).map(\.superblock)
    let known = current.isEmpty ? (active + spares).map(\.superblock) : current
    var roles = known.max { $0.events < $1.events }?.roles ?? []
    var holders: [Int: Set<Int>] = [:]
    for (slot, members) in slots.enumerated() {
      for member in members.writable {
        holders[Int(member.superblock.deviceNumber), default: []].insert(slot)
      }
    }
    let before = roles
    for number in roles.indices {
      guard case .slot(let slot)? = MDRole(rawValue: roles[number]) else { continue }
      if holders[number]?.contains(slot) != true { roles[number] = MDRole.faulty.rawValue }
    }
    for (number, role) in change.roles where number < roles.count { roles[number] = role.rawValue }
    let faulty = MDRole.faulty.rawValue
    let goesOnWithout = roles.indices.contains { number in
      guard roles[number] == faulty, case .slot? = MDRole(rawValue: before[number]) else {
        return false
      }
      return true
    }
    return (roles, goesOnWithout)
  }

  /// Does something to each member, and fails those to which it can't be done.
  func onEach(
    _ members: [Member], _ body: (Member) throws(DeviceError) -> Void
  ) throws(RaidError) {
    for member in members where !member.isFailed {
      do throws(DeviceError) {
        try body(member)
      } catch {
        try fail(member, error)
      }
    }
  }

  /// Writes pages of the bitmap to every member that has one, durably.
  func storeIntent(
    _ page: RawSpan, _ range: Range<Int>, isOurs: Bool
  ) throws(RaidError) {
    for member in keepers {
      guard let start = member.intentOffset(isOurs: isOurs) else { continue }
      do throws(DeviceError) {
        try member.device.write(page, range: 0..<range.count, at: start + range.lowerBound)
        try member.device.flush()
      } catch {
        try fail(member, error)
      }
    }
  }

  /// Writes the far copy of the headers that have changed: progress and counters, which need no
  /// superblock. Not durable before the next flush, which is soon enough for them.
  func storeProgress() throws(RaidError) {
    try storeEvents(on: keepers)
    try onEach(keepers) { (member) throws(DeviceError) in
      _ = try member.storeFarHeader()
    }
  }
}

extension Member {
  /// Takes our mark from a superblock beside which there is no header, nor was one: a mark there says that it was lost.
  /// But who goes on with a reshape wants to know whether it was ours, also where nothing else of ours is.
  func dropMarker(_ state: inout MemberRecord.State) {
    if state.header == nil, !lacksSums, !state.superblock.isReshaping {
      state.superblock.marker = 0
    }
  }

  /// Where the bitmap's header lies on the device: md's, or in our region.
  func intentOffset(isOurs: Bool) -> Int? {
    record.state.withLock { state in
      if isOurs { return state.header?.range(of: .intent)?.lowerBound }
      guard state.superblock.features.contains(.bitmap) else { return nil }
      return
        (Int(state.superblock.superOffsetSectors)
        + Int(state.superblock.bitmapOffsetSectors)) * 512
    }
  }

  /// Writes the header's copy at the member's end; false where the member has no header.
  func storeFarHeader() throws(DeviceError) -> Bool {
    let header = record.state.withLock { state -> RegionHeader? in
      guard state.header != nil else { return nil }
      state.header!.generation &+= 1
      state.header!.memberByteCount = device.byteCount
      state.headerChanged = false
      return state.header
    }
    guard let header else { return false }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    bytes.zero()
    header.encode(into: &bytes, at: 0)
    try device.write(
      bytes.bytes, range: 0..<4096,
      at: RegionHeader.farOffset(memberByteCount: device.byteCount))
    return true
  }

  /// Writes the superblock, and in the same 4 KiB the header's near copy.
  func storeSuperblock() throws(DeviceError) {
    let (superblock, header) = record.state.withLock { ($0.superblock, $0.header) }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    let offset = Int(superblock.superOffsetSectors) * 512
    // What is not ours of these 4 KiB stays.
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<4096, at: offset)
    } catch {
      guard case .unreadable = error else { throw error }
      bytes.zero()
    }
    superblock.encode(into: &bytes)
    if let header, superblock.maxDevices * 2 + 256 <= RegionHeader.offsetInSuperblock {
      header.encode(into: &bytes, at: RegionHeader.offsetInSuperblock)
    }
    try device.write(bytes.bytes, range: 0..<4096, at: offset)
  }
}
