import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

extension RaidArray {
  /// What a scrub is asked for.
  package struct ScrubOptions: Sendable {
    /// Progress, rate and threads.
    package var sweep = SweepOptions()
    /// Write what is known to be right over what is wrong. Needs an array that is open for writing.
    package var repairs = true
    /// Array bytes to check; nil for all, going on where the last scrub was interrupted.
    package var range: Range<Int>?
    /// Begin anew although the last scrub was interrupted.
    package var startsOver = false

    package init() {}
  }

  /// Checks every copy, parity and sum of the array, and repairs what is wrong. Where a crash left parts
  /// in doubt, it settles them; where somebody else wrote, it renews the sums.
  ///
  /// Nothing is marked as being written, neither at its start nor before a repair: a repair writes only
  /// what is wrong, so that one that is cut off leaves wrong what was wrong, and everything else as it
  /// was. What is in doubt is marked already, and stays so until it has been settled.
  package func scrub(_ options: ScrubOptions) throws(RaidError) -> ScrubReport {
    let log = ScrubLog()
    let writes = options.repairs && members.isWritable
    if writes, let obstacle { throw .readOnly(obstacle) }
    // What has been moved already has another shape.
    if isReshaping { throw .readOnly(.reshaping) }
    if writes { try sumsFile?.distrust(assembly.reference) }
    let (range, isWhole, earlier) = scrubWork(options)
    let started = MaintenanceStart(at: range.lowerBound)
    let checkpoint = Checkpoint()
    // A write that is cut off while the scrub runs may lie where it has been already.
    let wasTorn = writes && isTorn.exchange(false, ordering: .acquiringAndReleasing)
    let operation: MaintenanceProgress.Operation = wasUnclean ? .resync : .scrub
    if writes, isWhole {
      noteOpening()
      note(.started, operation, .init(range.lowerBound, range.upperBound))
    }
    let done = try sweep(range, options, log) { (done) throws(RaidError) in
      guard writes, isWhole, checkpoint.isDue else { return }
      // What has been repaired must be on the disks before it is called done.
      try self.members.onEach(self.members.active) { (member) throws(DeviceError) in
        try member.flush()
      }
      let known = self.known(at: done, from: range.lowerBound)
      let found = earlier + log.tally(before: known)
      try self.storeProgress(operation, .running, known, range.upperBound, started, found)
    }
    let report = log.report(goingOnFrom: earlier, position: done, end: range.upperBound)
    guard writes else { return report }
    // What was settled must be durable before it is called settled.
    try members.onEach(members.active) { (member) throws(DeviceError) in try member.flush() }
    // What has been settled is for the superblocks to say; and a whole pass ends with writing these, too,
    // since one of them may lag behind.
    if wasUnclean || hasDoubt || isWhole && report.isComplete { try beginChanging() }
    let isDecided = report.undecidedBlockCount == 0
    let isTornSince = isTorn.load(ordering: .acquiring)
    if isWhole, !isTornSince, isDecided { settle(upTo: done == range.upperBound ? Int.max : done) }
    if wasTorn, !isWhole || !report.isComplete || report.unrepairedCount > 0 {
      isTorn.store(true, ordering: .releasing)
    }
    if let part = options.range, done == range.upperBound, isDecided { resolve(part) }
    guard isWhole else { return report }
    if report.isComplete {
      note(
        .finished, operation,
        .init(range.lowerBound, range.upperBound, report.repairedCount, report.unrepairedCount))
      noteRepairs()
      try finishScrub(report, started)
    } else {
      let known = known(at: done, from: range.lowerBound)
      let found = earlier + log.tally(before: known)
      note(
        .interrupted, operation,
        .init(done, range.upperBound, found.repairedCount, found.unrepairedCount))
      noteRepairs()
      try storeProgress(operation, .interrupted, known, range.upperBound, started, found)
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in try member.flush() }
    return report
  }

  /// From where on a pass that has come to `done` has to go on: of a damaged block of sums the members keep nothing
  /// before all of it has been given anew.
  private func known(at done: Int, from start: Int) -> Int {
    let blocks = members.active.compactMap { $0.sums?.firstIncompleteBlock }
    guard let first = blocks.min() else { return done }
    return switch shape.level {
    case .mirrored, .dedicatedParity, .singleParity, .doubleParity, .erasureCoded:
      min(done, first * BlockSums.blockByteCount)
    // What follows each other there is anywhere on a member.
    case .linear, .striped, .mirroredStripes: start
    }
  }

  /// What a scrub with these options would go over: array bytes for copies, member bytes for parity.
  package func scrubRange(_ options: ScrubOptions) -> Range<Int> { scrubWork(options).0 }

  /// Also what the same pass has found before it was interrupted.
  private func scrubWork(
    _ options: ScrubOptions
  ) -> (Range<Int>, isWhole: Bool, earlier: ScrubTally) {
    let end: Int
    switch segments[0].data {
    case .copies(let copies): end = copies.placement.byteCount
    case .parity(let stripes):
      end = stripes.placement.rowCount * stripes.placement.chunkByteCount
    }
    if let range = options.range {
      switch segments[0].data {
      case .copies: return (range.clamped(to: 0..<end), false, ScrubTally())
      case .parity(let stripes):
        let rowBytes = stripes.placement.rowByteCount
        let rows = range.lowerBound / rowBytes..<(range.upperBound + rowBytes - 1) / rowBytes
        let chunk = stripes.placement.chunkByteCount
        return (
          (rows.lowerBound * chunk..<rows.upperBound * chunk).clamped(to: 0..<end), false,
          ScrubTally()
        )
      }
    }
    var start = 0
    var earlier = ScrubTally()
    // Who only looks can't note how far it came, and wants to see everything.
    if options.repairs, !options.startsOver, !isForeignWriteFresh,
      let progress = members.active.first?.header?.progress,
      progress.phase == .interrupted || progress.phase == .running,
      progress.operation == .scrub || progress.operation == .resync, progress.end == end
    {
      start = min(progress.position, end)
      earlier = progress.found
    }
    // What came into doubt later is not done, nor are sums that somebody else has made stale.
    if hasDoubt { start = min(start, doubtBegin) }
    if foundForeignWrite { start = 0 }
    return (start..<end, true, start > 0 ? earlier : ScrubTally())
  }

  /// Where the first part in doubt begins, in the units of a scrub.
  private var doubtBegin: Int {
    let start: Int
    switch segments[0].data {
    case .parity(let stripes): start = stripes.doubtStartOffset
    case .copies(let copies): start = copies.doubtStartOffset
    }
    guard let first = intent?.doubtfulRanges.first else { return start }
    return max(start, first.lowerBound)
  }

  private func sweep(
    _ range: Range<Int>, _ options: ScrubOptions, _ log: ScrubLog,
    _ checkpoint: @escaping @Sendable (Int) throws(RaidError) -> Void
  ) throws(RaidError) -> Int {
    let repairs = options.repairs && members.isWritable
    let data = segments[0].data
    return try Sweep.run(
      over: range, workers: options.sweep.workers, memory: memory,
      partEnd: { offset in
        switch data {
        case .parity(let stripes): stripes.scrubPartEnd(offset)
        case .copies(let copies): copies.scrubPartEnd(offset)
        }
      },
      advance: { (done) throws(RaidError) -> Bool in
        try checkpoint(done)
        return options.sweep.progress(done, range.upperBound)
      },
      step: { (part, memory) throws(RaidError) in
        options.sweep.rate?.pass(part.count)
        let found = ScrubLog()
        switch data {
        case .parity(let stripes):
          try stripes.scrub(part, repairs: repairs, log: found, memory: &memory)
        case .copies(let copies):
          try copies.scrub(part, repairs: repairs, log: found, memory: &memory)
        }
        log.add(found, of: part)
        try self.recordFailures()
      })
  }

  private func settle(upTo done: Int) {
    switch segments[0].data {
    case .parity(let stripes): stripes.settleDoubt(upTo: done)
    case .copies(let copies): copies.settleDoubt(upTo: done)
    }
    intent?.resolve(0..<done)
  }

  /// Takes all parity, copies and sums for right.
  func assumeSettled() throws(RaidError) {
    try beginChanging()
    settle(upTo: Int.max)
  }

  private func resolve(_ part: Range<Int>) {
    switch segments[0].data {
    case .parity(let stripes):
      let rowBytes = stripes.placement.rowByteCount
      let chunk = stripes.placement.chunkByteCount
      let first = (part.lowerBound + rowBytes - 1) / rowBytes * chunk
      intent?.resolve(first..<max(first, part.upperBound / rowBytes * chunk))
    case .copies: intent?.resolve(part)
    }
  }

  private func finishScrub(_ report: ScrubReport, _ started: MaintenanceStart) throws(RaidError) {
    let now = Machine.now().seconds
    for member in members.active {
      member.count {
        $0.lastScrubAt = now
        $0.unrepairedBlocks = UInt64(report.unrepairedCount)
      }
    }
    let found = ScrubTally(
      repairedCount: report.repairedCount, unrepairedCount: report.unrepairedCount)
    setProgress(.scrub, .finished, report.end, report.end, started, found)
    let renewsTrust =
      report.unrepairedCount == 0 && (degradedSlots.isEmpty || !foundForeignWrite)
    if renewsTrust {
      for member in members.active where member.sums != nil || member.lacksSums {
        member.setTrustsSums(true)
      }
    }
    if renewsTrust, foundForeignWrite {
      var change = MemberSet.Change()
      change.sumsAreStale = false
      try members.commit(change, intent: intent)
    } else {
      try members.storeProgress()
    }
  }

  /// Keeps on the members how far an operation has come.
  func storeProgress(
    _ operation: MaintenanceProgress.Operation, _ phase: MaintenanceProgress.Phase, _ done: Int,
    _ end: Int, _ started: MaintenanceStart, _ found: ScrubTally = ScrubTally()
  ) throws(RaidError) {
    setProgress(operation, phase, done, end, started, found)
    try members.storeProgress()
  }

  private func setProgress(
    _ operation: MaintenanceProgress.Operation, _ phase: MaintenanceProgress.Phase, _ done: Int,
    _ end: Int, _ started: MaintenanceStart, _ found: ScrubTally
  ) {
    var progress = MaintenanceProgress()
    progress.operation = operation
    progress.phase = phase
    progress.position = done
    progress.end = end
    progress.startedAt = started.seconds
    progress.startPosition = started.position
    progress.found = found
    progress.updatedAt = Machine.now().seconds
    for member in members.active { member.setProgress(progress) }
  }
}
