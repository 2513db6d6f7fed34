import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

/// From the wish for another shape to superblocks that say so. Nothing has been moved then; `continueReshape`
/// moves it, on the array opened anew.
extension RaidArray {
  /// What would be done, or why it can't be. Changes nothing.
  ///
  /// - Parameter givenCount: devices that are to come, beside the spares that are there.
  package func reshapePlan(
    _ request: ReshapeRequest, givenCount: Int
  ) throws(RaidError) -> ReshapePlan {
    if obstacle == .reshaping || assembly.reference.isReshaping {
      throw .unsuitable(.reshape(.underWay))
    }
    let all = members.active + members.spares
    let plan = try ReshapePlan(
      shape, request,
      .init(
        before: all.map(\.headroom).min() ?? 0,
        behind: members.active.map { $0.tailroom(shape) }.min() ?? 0,
        beside: all.map {
          let room = $0.reshapeRoom(usedByteCount: shape.memberByteCounts.max() ?? 0)
          return (room?.stagedBlockCount ?? 0) * 4096
        }.min() ?? 0,
        isFixed: assembly.reference.version.isBehindData))
    let spareCount = members.spares.count + givenCount
    guard plan.joiningSlots.count <= spareCount else {
      throw .unsuitable(
        .reshape(.newMembers(needed: plan.joiningSlots.count, given: spareCount)))
    }
    try requireWhole()
    let version = assembly.reference.version
    if !plan.isInstant, version == .v0_90 {
      throw .unsuitable(.reshape(.metadata(version)))
    }
    return plan
  }

  /// Whether what is asked for is one step behind the reshape that is under way, in which nothing moves: from 6 to 5, a
  /// member can leave when all of Q is on it.
  package func isOnTheWay(to request: ReshapeRequest) -> Bool {
    guard let newShape, newShape.level == shape.level, request.level ?? shape.level != shape.level,
      let plan = try? ReshapePlan(newShape, request, .init(before: 0, behind: 0))
    else { return false }
    return plan.isInstant
  }

  /// What has to be so before data is moved: everybody there, nothing in doubt, no block known to be bad.
  func requireWhole() throws(RaidError) {
    if sumsFile != nil { throw .unsuitable(.reshape(.sumsBeside)) }
    let missing = degradedSlots
    if !missing.isEmpty { throw .unsuitable(.reshape(.degraded(slots: missing))) }
    if let slot = members.slots.firstIndex(where: { $0.replacement != nil }) {
      throw .unsuitable(.alreadyReplacing(slot))
    }
    if wasUnclean || hasDoubt { throw .unsuitable(.reshape(.inDoubt)) }
    if let member = members.active.first(where: { !$0.badBlocks.isEmpty }) {
      throw .unsuitable(.reshape(.badBlocks(member: member.name)))
    }
  }

  /// Writes superblocks that say that the reshape has begun, with spares in the slots that are new. The array is
  /// closed then, and to be opened anew.
  ///
  /// - Parameter names: of spares that are to come before others.
  package func beginReshape(
    _ plan: ReshapePlan, preferring names: Set<String> = []
  ) throws(RaidError) {
    try beginChanging()
    try flushAll()
    let spares = members.spares.filter { !$0.isFailed }
    let (wanted, others) = (
      spares.filter { names.contains($0.name) }, spares.filter { !names.contains($0.name) }
    )
    let joining = (wanted + others).prefix(plan.joiningSlots.count)
    guard joining.count == plan.joiningSlots.count else {
      if let failure = failures.last { throw .member(name: failure.name, failure.cause) }
      throw .unsuitable(
        .reshape(.newMembers(needed: plan.joiningSlots.count, given: joining.count)))
    }
    let shift = plan.shift
    for member in members.active + joining {
      let has = shift < 0 ? member.tailroom(plan.old) : member.headroom
      guard has >= abs(shift) else {
        throw .unsuitable(.reshape(.noHeadroom(member: member.name, has: has, needs: abs(shift))))
      }
    }
    try forgetSums(of: Array(joining))
    let old = MDShape(plan.old)
    let new = MDShape(plan.new)
    var change = MemberSet.Change()
    change.endsRecords = true
    // Whom the old shape knows a slot for and has nothing there: it is filled as the reshape goes.
    var filled: Set<Int> = []
    for (slot, member) in zip(plan.joiningSlots, joining) {
      let number = Int(member.superblock.deviceNumber)
      change.roles[number] = .slot(slot)
      if slot < plan.old.slotCount || plan.isInstant { filled.insert(number) }
      member.record.state.withLock { $0.header?.slot = UInt32(slot) }
      members.note(
        .memberAdded, cause: ArrayEvent.ArrivalCause.promotion.rawValue, slot: slot,
        member: member)
    }
    if plan.isInstant { members.makeSpares(behind: plan.new.slotCount, &change) }
    if plan.isStaged { members.keepsKernelsAway.store(true, ordering: .releasing) }
    let end = plan.isBackwards ? UInt64(plan.new.byteCount / 512) : nil
    change.each = { [filled] member, superblock in
      superblock.beginReshape(from: old, to: new, shiftSectors: shift / 512, endSectors: end)
      if plan.isInstant { superblock.finishReshape() }
      superblock.sizeSectors = new.sizeSectors
      if filled.contains(Int(superblock.deviceNumber)) {
        superblock.features.insert(.recoveryOffset)
        superblock.recoveryOffsetSectors = 0
      }
    }
    if !plan.isInstant { try eraseLogs(of: members.active + joining, plan) }
    note(.started, .reshape, .init(0, plan.new.byteCount))
    if plan.isInstant { note(.finished, .reshape, .init(0, plan.new.byteCount)) }
    if plan.new.marksArrayBytes, !plan.isInstant {
      // As md does: its bits are of the new array from now on (raid10.c, `raid10_start_reshape`).
      try members.commit(change, bitmapOf: plan.new)
    } else {
      try members.commit(change, intent: intent)
    }
    if plan.isInstant, members.slotCount > plan.new.slotCount {
      // Only now: who still counts is nothing without its sums.
      members.forgetSlots(behind: plan.new.slotCount)
      try members.commit(MemberSet.Change(), intent: intent)
    }
    endWithoutUpdate()
  }

  /// Makes the sums of spares say that they hold nothing. One that had a slot before has those of what it held then.
  private func forgetSums(of spares: [Member]) throws(RaidError) {
    for spare in spares {
      do throws(DeviceError) {
        let superblock = spare.superblock
        let sums = BlockSums(
          on: spare.device, spare.header, slot: 0,
          dataByteCount: Int(superblock.dataSizeSectors) * 512, slotCount: superblock.slotCount)
        try sums?.reset()
        try spare.device.flush()
      } catch {
        throw .member(name: spare.name, error)
      }
    }
  }

  /// What an earlier reshape has left is not of this one.
  private func eraseLogs(of members: [Member], _ plan: ReshapePlan) throws(RaidError) {
    let used = plan.new.memberByteCounts.min() ?? 0
    try self.members.onEach(members.filter { plan.isStaged || $0.header != nil }) {
      (member) throws(DeviceError) in
      guard let room = member.reshapeRoom(usedByteCount: used) else { return }
      try ReshapeLog.erase(room, from: member)
      try member.device.flush()
    }
  }
}

extension Member {
  /// Bytes behind what the array uses of it.
  fileprivate func tailroom(_ shape: ArrayShape) -> Int {
    max(0, dataByteCount - (shape.memberByteCounts.min() ?? 0)) / 4096 * 4096
  }

  /// Bytes before the data that belong to nothing.
  var headroom: Int {
    let superblock = superblock
    var first = superblock.superblockArea.upperBound
    if let log = superblock.badBlockLogArea { first = max(first, log.upperBound) }
    if let bitmap = superblock.bitmapSector {
      // Up to the list of bad blocks, which is behind it, or of the size that a bitmap has at most there.
      first = max(first, bitmap + 128 * 2)
      if let log = superblock.badBlockLogArea, log.lowerBound > bitmap { first = log.upperBound }
    }
    let start = Int(superblock.dataOffsetSectors)
    return max(0, (start * 512 - (first * 512 + 4095) / 4096 * 4096))
  }
}

extension MemberSet {
  /// Says of those whose slots are no more that they are spares.
  func makeSpares(behind slotCount: Int, _ change: inout Change) {
    for slot in slots.dropFirst(slotCount) {
      for member in slot.writable {
        change.roles[Int(member.superblock.deviceNumber)] = .spare
      }
    }
  }

  /// Has their headers say so, too: not before the superblocks do.
  func forgetSlots(behind slotCount: Int) {
    for slot in slots.dropFirst(slotCount) {
      for member in slot.writable {
        member.record.state.withLock { $0.header?.slot = RegionHeader.noSlot }
      }
    }
  }
}

extension MDShape {
  init(_ shape: ArrayShape) {
    self.init(
      level: shape.level.number, layout: shape.layout,
      chunkSectors: UInt32(shape.chunkByteCount / 512), slotCount: shape.slotCount,
      sizeSectors: UInt64((shape.memberByteCounts.min() ?? 0) / 512))
  }
}
