import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization
import SystemPackage

extension RaidArray {
  /// How much of a member the array uses, in bytes.
  package var memberByteCountInUse: Int {
    switch shape.placement {
    case .parity(let placement): placement.rowCount * placement.chunkByteCount
    case .copies: shape.memberByteCounts.max() ?? 0
    }
  }

  /// Fills a member that is in a slot but not in sync, from where it was left.
  ///
  /// - Parameters:
  ///   - ranges: the parts that it lacks, in member bytes; nil for all from its recovery offset on.
  ///   - isReplacement: fill the slot's replacement from the member that it is to replace.
  package func rebuild(
    slot: Int, ranges: [Range<Int>]? = nil, isReplacement: Bool = false, _ options: SweepOptions
  ) throws(RaidError) -> RebuildReport {
    let holder = members.slots[slot]
    guard let target = isReplacement ? holder.replacement : holder.member else {
      throw .noSuchMember("slot \(slot)")
    }
    guard !target.isInSync || isReplacement && ranges != nil else {
      throw .unsuitable(.slotIsInUse(slot))
    }
    try beginChanging()
    let end = memberByteCountInUse
    let start = target.validByteCount == Int.max ? 0 : min(target.validByteCount, end)
    let todo = (ranges ?? [start..<end]).map { $0.clamped(to: start..<end) }.filter { !$0.isEmpty }
    let started = MaintenanceStart(at: start)
    let operation: MaintenanceProgress.Operation = isReplacement ? .replace : .rebuild
    note(.started, operation, slot: slot, member: target, .init(start, end))
    let lost = Mutex<[Int]>([])
    let rebuilt = Mutex(0)
    let checkpoint = Checkpoint()
    var position = start
    for range in todo {
      position = try Sweep.run(
        over: range, workers: options.workers, memory: memory,
        partEnd: { self.rebuildPartEnd($0, onto: target, of: slot) },
        advance: { (done) throws(RaidError) -> Bool in
          if ranges == nil { target.setValid(upTo: done) }
          if checkpoint.isDue {
            // What the recovery offset promises must be on the disk before it is written down.
            if ranges == nil {
              try self.storeRecovery(
                of: target, min(done, target.unmarkedLossOffset), isFinal: false)
            }
            try self.storeProgress(operation, .running, done, end, started)
          }
          return options.progress(done, end)
        },
        step: { (part, memory) throws(RaidError) in
          options.rate?.pass(part.count)
          try self.requireUsable(target)
          let gone = try self.rebuild(
            slot, onto: target, part, readsOwn: isReplacement, memory: &memory)
          if !gone.isEmpty { lost.withLock { $0.append(contentsOf: gone) } }
          rebuilt.withLock { $0 += part.count }
        })
      if position < range.upperBound { break }
    }
    let isComplete = todo.isEmpty || position >= (todo.last?.upperBound ?? end)
    if isComplete { position = end }
    var lostBlocks = lost.withLock { $0.sorted() }
    if ranges == nil {
      // What an earlier session, which was cut off, could not compute either.
      let listed = target.badBlocks.ranges.map { $0.clamped(to: 0..<start) }
      lostBlocks =
        listed.flatMap { stride(from: $0.lowerBound, to: $0.upperBound, by: 4096) } + lostBlocks
    }
    // Blocks that are lost and could not be marked as such would be taken for good.
    let good = min(position, target.unmarkedLossOffset)
    let mayFinish = isComplete && good == end
    note(
      mayFinish ? .finished : .interrupted, operation, slot: slot, member: target,
      .init(mayFinish ? start : good, end, 0, lostBlocks.count))
    try storeRecovery(of: target, good, isFinal: mayFinish)
    // A file beside may have lost the sums of what an earlier session filled.
    if mayFinish, let sums = target.sums, !sums.isBeside || ranges == nil && start == 0 {
      target.setTrustsSums(true)
    }
    try storeProgress(operation, mayFinish ? .finished : .interrupted, good, end, started)
    return RebuildReport(
      slot: slot, member: target.name, position: position, end: end,
      rebuiltByteCount: rebuilt.withLock { $0 }, isOfMarkedOnly: ranges != nil,
      lostBlocks: lostBlocks)
  }

  private func rebuildPartEnd(_ offset: Int, onto target: Member, of slot: Int) -> Int {
    switch segments[0].data {
    case .parity(let stripes): stripes.rebuildPartEnd(offset, onto: target, of: slot)
    case .copies: offset + (1 << 20)
    }
  }

  private func rebuild(
    _ slot: Int, onto target: Member, _ part: Range<Int>, readsOwn: Bool,
    memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    switch segments[0].data {
    case .parity(let stripes):
      try stripes.rebuild(slot, onto: target, part, readsOwn: readsOwn, memory: &memory)
    case .copies(let copies):
      try copies.rebuild(slot, onto: target, part, readsOwn: readsOwn, memory: &memory)
    }
  }

  /// Somebody else's write may have failed the member that is being filled.
  private func requireUsable(_ target: Member) throws(RaidError) {
    guard target.isFailed else { return }
    let cause = members.state.withLock { state in
      state.failures.first { $0.member === target }?.cause
    }
    throw .member(name: target.name, cause ?? .gone(.noSuchAddressOrDevice))
  }

  /// Writes down how far a member is in sync.
  private func storeRecovery(
    of target: Member, _ done: Int, isFinal: Bool
  ) throws(RaidError) {
    try requireUsable(target)
    do throws(DeviceError) {
      try target.flush()
    } catch {
      try members.fail(target, error)
      throw .member(name: target.name, error)
    }
    if isFinal {
      target.setValid(upTo: Int.max)
    }
    var change = MemberSet.Change()
    // Whose place it has learns of nothing that is written from now on.
    change.endsRecords = isFinal && members.isComplete
    change.each = { member, superblock in
      guard member === target else { return }
      if isFinal {
        superblock.features.subtract([.recoveryOffset, .recoveryBitmap])
        superblock.recoveryOffsetSectors = 0
      } else {
        superblock.features.insert(.recoveryOffset)
        superblock.recoveryOffsetSectors = UInt64(done / 512)
      }
    }
    try members.commit(change, intent: intent)
  }
}
