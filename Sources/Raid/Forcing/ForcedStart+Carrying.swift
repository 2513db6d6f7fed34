import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

// In this order, each step durable before the next:
//
// 1. On each member that comes back, what it lacks is put on its list of bad blocks. It stays out of date.
// 2. What a journal of ours has is put in its place, if there is one.
// 3. The current members' superblocks say that the others are in their slots again, and by a bit that no kernel
//    knows, that they are being taken back: who is counted on and has an older superblock would otherwise be an
//    older copy of a member, which proves nothing.
// 4. Those of the members that come back say so, too, and only now are they current.
// 5. The bit is cleared.
//
// Cut off before the fourth step, a member that comes back is still out of date, and its old superblock, which
// proves what it has, is still there.

extension ForcedStart {
  /// Does what was decided.
  ///
  /// - Precondition: the verdict is `possible`, and the members can be written.
  package func carryOut() throws(RaidError) {
    precondition(verdict == .possible, "there is nothing that could be done")
    var devices = assembly.members
    for one in returning where !one.lostBlocks.isEmpty {
      devices[one.index] = try listLosses(of: one)
    }
    let forced = try Assembly(devices, unusable: assembly.unusable).takingBack(returning)
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    options.allowsDoubt = true
    options.startsByForce = true
    let array = try RaidArray.open(forced, options: options)
    try array.takeBack(self)
  }

  /// Puts what a member lacks on its list of bad blocks, and has its superblock speak of the list. All else that
  /// the superblock says stays.
  private func listLosses(of one: Returning) throws(RaidError) -> MemberProbe {
    let probe = assembly.members[one.index]
    let member = try RaidArray.member(probe, slot: one.slot, false, probe.hasTrustedSums, nil)
    do throws(DeviceError) {
      try member.markLost(one.lostBlocks)
      try member.flush()
      member.record.state.withLock { _ = $0.superblock.features.insert(.badBlocks) }
      try member.storeSuperblock()
      try member.device.flush()
    } catch {
      throw .member(name: probe.name, error)
    }
    return try MemberProbe(probe.device)
  }
}

extension RaidArray {
  /// Writes that members are back, and what is thought of the doubt that a crash has left.
  fileprivate func takeBack(_ plan: ForcedStart) throws(RaidError) {
    for one in plan.returning {
      guard let member = members.slots[one.slot].member else { continue }
      try members.copyEvents(to: member)
      members.note(
        .memberAdded, cause: ArrayEvent.ArrivalCause.forced.rawValue, slot: one.slot,
        member: member, counts: .init(one.lostByteCount))
    }
    if plan.endsDoubt {
      members.note(
        .forcedWrite, cause: ArrayEvent.ForcedCause.calledClean.rawValue,
        slot: plan.emptySlots.first,
        counts: .init(plan.emptySlots.count, plan.doubtful.byteCount))
    }
    var change = MemberSet.Change()
    // Its own superblock would vouch for sums that somebody else made stale.
    if foundForeignWrite { change.sumsAreStale = true }
    if plan.endsDoubt {
      change.resyncOffsetSectors = MDSuperblock.allOnes
    } else if wasUnclean || !assembly.reference.isClean && replayedRecordCount == nil {
      change.resyncOffsetSectors = assembly.reference.resyncOffsetSectors
    }
    try members.commit(change, intent: intent)
    if plan.isUnderWay || !plan.returning.isEmpty {
      members.isTakingBack.store(false, ordering: .releasing)
      try members.commit(MemberSet.Change(), intent: intent)
    }
    try storeRoster()
    try members.onEach(members.active) { (member) throws(DeviceError) in
      try member.device.flush()
    }
  }
}
