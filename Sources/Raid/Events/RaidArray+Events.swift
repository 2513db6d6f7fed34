import LinuxSystem
import MDFormat

extension RaidArray {
  /// Notes how the array was found, once, before it is changed for the first time.
  func noteOpening() {
    guard keeper.events.takeOpening() else { return }
    if wasUnclean {
      let marked = intent?.doubtfulRanges.reduce(0) { $0 + $1.count }
      let all = shape.intentByteCount
      keeper.note(.openedUnclean, counts: .init(min(marked ?? all, all), all))
    }
    if foundForeignWrite, isForeignWriteFresh { keeper.note(.foreignWrite) }
    noteKilled()
  }

  /// An operation that still calls itself running was killed, or the machine was: nobody else could say so.
  private func noteKilled() {
    let noted = keeper.active.compactMap { $0.header?.progress }
      .filter { $0.phase == .running }.max { $0.updatedAt < $1.updatedAt }
    guard let progress = noted else { return }
    keeper.note(
      .interrupted, cause: progress.operation.rawValue,
      counts: .init(
        progress.position, progress.end, progress.found.repairedCount,
        progress.found.unrepairedCount), at: (progress.updatedAt, 0))
    for member in keeper.active {
      guard var own = member.header?.progress, own.phase == .running else { continue }
      own.phase = .interrupted
      member.setProgress(own)
    }
  }

  /// Notes what was overruled, before the first write.
  func noteWriting() {
    if options.allowsDegraded, let slot = assembly.slotsNotGiven.first {
      members.note(
        .forcedWrite, cause: ArrayEvent.ForcedCause.degraded.rawValue, slot: slot,
        counts: .init(assembly.slotsNotGiven.count))
    }
    if options.allowsDoubt, wasUnclean, let slot = assembly.slotsNotInSync.first,
      MDLevel.withParity.contains(assembly.reference.level)
    {
      members.note(
        .forcedWrite, cause: ArrayEvent.ForcedCause.inDoubt.rawValue, slot: slot,
        counts: .init(assembly.slotsNotInSync.count))
    }
  }

  /// Notes what was put right while the array was open, summed up for each member.
  func noteRepairs() {
    for (slot, holder) in members.slots.enumerated() {
      for member in holder.writable {
        guard let counters = member.header?.counters else { continue }
        let id = member.superblock.deviceID
        let before = assembly.members.first { $0.superblock.deviceID == id }?.header?.counters
        let count = members.events.takeRepairs(
          of: id, count: counters.repairedBlocks, before: before?.repairedBlocks ?? 0)
        guard count > 0 else { continue }
        members.note(
          .blocksRepaired, slot: slot, member: member, counts: .init(Int(clamping: count)))
      }
    }
  }

  /// Notes a long operation that begins, ends, or was stopped.
  func note(
    _ kind: ArrayEvent.Kind, _ operation: MaintenanceProgress.Operation, slot: Int? = nil,
    member: Member? = nil, _ counts: ArrayEvent.Counts
  ) {
    members.note(kind, cause: operation.rawValue, slot: slot, member: member, counts: counts)
  }

  /// Notes that what a journal held has been written to its places.
  ///
  /// - Parameters:
  ///   - recordCount: records of the journal.
  ///   - byteCount: bytes of members that were written.
  func noteJournalReplay(recordCount: Int, byteCount: Int) {
    members.note(.journalReplayed, counts: .init(recordCount, byteCount))
  }
}
