import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry

/// Making members good again: which slots, from what, onto what.
struct RebuildWork {
  /// One slot to fill.
  private enum Source {
    /// The member that was given is out of date, failed, or half rebuilt.
    case returning(MemberProbe)
    /// It is in its slot already, and goes on where it was left.
    case resuming(String)
    case new(any BlockDevice)
    case spare(String)
    /// Beside the member that leaves.
    case replacement(any BlockDevice)
    case resumingReplacement(String)

    var name: String {
      switch self {
      case .returning(let probe): probe.name
      case .resuming(let name), .spare(let name), .resumingReplacement(let name): name
      case .new(let device), .replacement(let device): device.name
      }
    }

    var isReplacement: Bool {
      switch self {
      case .replacement, .resumingReplacement: true
      case .returning, .resuming, .new, .spare: false
      }
    }
  }

  private let session: ArraySession
  private let context: CommandContext
  private var jobs: [(slot: Int, source: Source)] = []
  /// What is to be rebuilt is in sync already.
  private var finished: (slot: Int, name: String)?
  /// The member that `replace` lets go.
  private let leaving: String?
  /// Keeps the new member's file held.
  private let newFile: NewMemberFile?

  private var array: RaidArray { session.array }

  /// What `rebuild` does: one member, one new member, or everything that is missing.
  init(
    _ session: ArraySession, member: String?, onto: String?, _ write: WriteOptions,
    _ context: CommandContext
  ) throws(Failure) {
    self.session = session
    self.context = context
    leaving = nil
    let member = member.map { session.name(ofMember: $0) }
    // A member that was found is open and held already.
    let known = onto.flatMap { session.member(at: $0) }
    let new =
      known == nil
      ? try onto.map { (path) throws(Failure) in
        try NewMemberFile(path, session, write, context)
      } : nil
    newFile = new
    guard session.array.shape.redundancy > 0 else {
      throw Failure(RaidError.unsuitable(.noRedundancy))
    }
    if let known, let slot = slotInSync(known, for: member) {
      finished = (slot, known.name)
      return
    }
    if let member {
      let slot = try slot(of: member)
      if onto != nil, let present = array.members.slots[slot].member, !present.isFailed,
        present.isInSync
      {
        throw Failure(RaidError.unsuitable(.slotIsInUse(slot)))
      }
      if let known {
        jobs = [(slot, try Self.source(known))]
      } else if let new {
        jobs = [(slot, .new(new.device))]
      } else {
        jobs = [(slot, try source(named: member, slot: slot))]
      }
    } else if onto != nil {
      guard let slot = emptySlot(for: known) else {
        throw Failure(
          .usage, "no slot is empty",
          hint: "say whose place it takes with --member, or 'ftool raid replace'")
      }
      if let known {
        jobs = [(slot, try Self.source(known))]
      } else if let new {
        jobs = [(slot, .new(new.device))]
      }
    } else {
      jobs = everythingMissing()
    }
    if !write.force {
      try requireNothingOfItsOwn()
      try requireNoLastCopy()
    }
  }

  /// Refuses to fill members that may have what the array has lost.
  private func requireNoLastCopy() throws(Failure) {
    for job in jobs {
      switch job.source {
      case .returning(let probe): try session.requireNoLastCopy(probe.device)
      case .new(let device), .replacement(let device): try session.requireNoLastCopy(device)
      case .resuming, .spare, .resumingReplacement: break
      }
    }
  }

  /// Refuses to fill members that may have been written while the others knew nothing of it.
  private func requireNothingOfItsOwn() throws(Failure) {
    let names = array.assembly.namesGoneAlone
    guard let job = jobs.first(where: { names.contains($0.source.name) }) else { return }
    throw Self.wentItsOwnWay(job.source.name)
  }

  /// Why a member is not filled.
  static func wentItsOwnWay(_ name: String) -> Failure {
    Failure(
      .wouldOverwrite,
      "\(name) went its own way while the others went on without it: what was written there since may "
        + "be on it alone, and would be lost",
      hint: "'ftool raid status' says how to read it; --force gives it up")
  }

  /// What `replace` does.
  init(
    _ session: ArraySession, replacing member: String, with onto: String, _ write: WriteOptions,
    _ context: CommandContext
  ) throws(Failure) {
    self.session = session
    self.context = context
    let member = session.name(ofMember: member)
    leaving = member
    guard let slot = session.array.slot(ofMemberNamed: member) else {
      // Cut off at its end, or as the one took the other's place, and given again.
      newFile = nil
      let known = session.member(at: onto)
      switch known?.standing {
      case .active(let slot)? where Self.hasLeft(member, slot: slot, session):
        finished = (slot, known?.name ?? onto)
      case .replacement(let slot, _)? where Self.hasLeft(member, slot: slot, session):
        jobs = [(slot, .resumingReplacement(known?.name ?? onto))]
      default: throw Failure(RaidError.noSuchMember(member))
      }
      return
    }
    if let known = session.member(at: onto) {
      newFile = nil
      if session.array.members.slots[slot].replacement?.name == known.name {
        jobs = [(slot, .resumingReplacement(known.name))]
      } else {
        try Self.requireUnused(known)
        jobs = [(slot, .replacement(known.probe.device))]
        if !write.force {
          try requireNothingOfItsOwn()
          try requireNoLastCopy()
        }
      }
      return
    }
    let new = try NewMemberFile(onto, session, write, context)
    newFile = new
    jobs = [(slot, .replacement(new.device))]
    if !write.force { try requireNoLastCopy() }
  }

  /// Whether a member is no member any more, as it is when it has been replaced: the array knows, or it has been told
  /// itself.
  private static func hasLeft(_ name: String, slot: Int, _ session: ArraySession) -> Bool {
    guard let left = session.member(at: name) else {
      return (try? ArrayFinder.path(name)).map(isBlank) ?? false
    }
    switch left.standing {
    case .former(slot: slot): return true
    case .failed: return left.probe.superblock.role == .slot(slot)
    default: return false
    }
  }

  /// Whether there is a device that says nothing of an array.
  static func isBlank(_ path: MemberPath) -> Bool {
    guard let device = try? path.open(access: .readOnly) else { return false }
    if case .failure(.notStartable(.unreadableSuperblock(_, .absent))) = Result(catching: {
      () throws(RaidError) in try MemberProbe(device)
    }) {
      return true
    }
    return false
  }

  /// The slot that is to be rebuilt, if this very member is in sync in it already: so it is when the
  /// command was cut off at its end and is given again.
  private func slotInSync(_ known: ArraySession.FoundMember, for member: String?) -> Int? {
    guard case .active(let slot) = known.standing else { return nil }
    if let member {
      if let own = array.slot(ofMemberNamed: member) { return own == slot ? slot : nil }
      if let left = session.member(at: member), case .slot(let own) = left.probe.superblock.role {
        return own == slot ? slot : nil
      }
    }
    // Nothing says whose place it was to take: the array was whole but for its own.
    return array.degradedSlots.isEmpty ? slot : nil
  }

  private var nothingToDo: String {
    finished.map {
      "\($0.name) is in sync in slot \($0.slot) already: "
        + (leaving.map { "\($0) is no member any more" } ?? "nothing to rebuild")
    }
      ?? "nothing to rebuild" + emptySlots
  }

  /// What would fill them.
  private var emptySlots: String {
    let slots = array.degradedSlots.filter { array.members.slots[$0].member == nil }
    if slots.isEmpty { return "" }
    let alone = array.assembly.namesGoneAlone
    guard alone.isEmpty else {
      return
        ": \(alone.joined(separator: ", ")) went another way than the others; 'ftool raid status' says what to do"
    }
    return
      ": nobody is there for slot \(slots.map(String.init).joined(separator: ", ")); --onto names a new member"
  }

  /// A member that was found, and is to fill a slot.
  private static func source(_ known: ArraySession.FoundMember) throws(Failure) -> Source {
    switch known.standing {
    case .spare: return .spare(known.name)
    case .rebuilding: return .resuming(known.name)
    case .active, .replacement, .journal, .failed, .stale, .split, .duplicate, .former,
      .unusable:
      try requireUnused(known)
      return .returning(known.probe)
    }
  }

  private static func requireUnused(_ known: ArraySession.FoundMember) throws(Failure) {
    guard known.standing.isUsed else { return }
    throw Failure(
      .usage, "\(known.name) is a member of the array already: \(known.standing.sentence)")
  }

  /// The slot that a new or a known member is to fill: its own, or the first that is empty.
  private func emptySlot(for known: ArraySession.FoundMember?) -> Int? {
    let empty = array.degradedSlots
    if let known {
      if let slot = array.slot(ofMemberNamed: known.name) { return slot }
      if case .slot(let own) = known.probe.superblock.role, empty.contains(own) { return own }
    }
    return empty.first
  }

  /// The slot that a member has, had, or must have had because it is the only one without.
  private func slot(of member: String) throws(Failure) -> Int {
    if let slot = array.slot(ofMemberNamed: member) { return slot }
    let assembly = array.assembly
    if let index = assembly.members.firstIndex(where: { $0.name == member }) {
      if case .slot(let slot) = assembly.members[index].superblock.role,
        array.degradedSlots.contains(slot)
      {
        return slot
      }
    }
    let empty = array.degradedSlots
    guard empty.count == 1, let slot = empty.first else {
      throw Failure(
        .notFound, "\(member) is not a member of the array",
        hint: "'ftool raid status' lists the members and the empty slots")
    }
    return slot
  }

  private func source(named member: String, slot: Int) throws(Failure) -> Source {
    let holder = array.members.slots[slot]
    if let current = holder.member, current.name == member {
      guard !current.isInSync else {
        throw Failure(
          .usage, "\(member) is in sync: there is nothing to rebuild",
          hint: "'ftool raid scrub' checks and repairs it")
      }
      return .resuming(member)
    }
    if let probe = array.assembly.members.first(where: { $0.name == member }) {
      return .returning(probe)
    }
    throw Failure(
      .notFound, "\(member) is not there",
      hint: "give a new member in its place with --onto")
  }

  /// Every slot that nobody in sync holds, with what there is for it.
  private func everythingMissing() -> [(slot: Int, source: Source)] {
    var jobs: [(slot: Int, source: Source)] = []
    var spares = array.members.spares.map(\.name)
    // Who is only out of date comes back; a spare takes the place of one who failed, or is not there.
    let behind = Set(
      array.degradedSlots.filter { slot in
        returning(to: slot).map { array.assembly.standings[$0] != .failed } ?? false
      })
    for (slot, holder) in array.members.slots.enumerated() {
      if let replacement = holder.replacement,
        !replacement.isInSync || holder.member?.isInSync != true
      {
        jobs.append((slot, .resumingReplacement(replacement.name)))
        continue
      }
      guard array.degradedSlots.contains(slot) else { continue }
      if let member = holder.member {
        jobs.append((slot, .resuming(member.name)))
      } else if !spares.isEmpty, !behind.contains(slot) {
        jobs.append((slot, .spare(spares.removeFirst())))
      } else if let index = returning(to: slot) {
        jobs.append((slot, .returning(array.assembly.members[index])))
      }
    }
    return jobs
  }

  private func returning(to slot: Int) -> Int? {
    array.assembly.members.indices.first { index in
      !array.assembly.standings[index].isUsed && array.assembly.standings[index] != .split
        && array.assembly.members[index].superblock.role == .slot(slot)
    }
  }

  /// What would be done.
  var plan: SimpleReport {
    var lines = jobs.map { slot, source in
      (leaving.map { "would replace \($0) in slot \(slot) by \(source.name)" }
        ?? "would rebuild slot \(slot) onto \(source.name)")
        + ": up to \(ByteSize(array.memberByteCountInUse)) of data, with sums and a superblock"
    }
    if !lines.isEmpty { lines.append("would write \(session.superblocksWritten)") }
    if let leaving { lines.append("would erase the superblock of \(leaving)") }
    return SimpleReport(
      type: "raid-rebuild-plan",
      lines.isEmpty ? nothingToDo : lines.joined(separator: "\n"),
      json: [
        "array": .string(array.name),
        "jobs": .array(
          jobs.map { ["slot": .number($0.slot), "member": .string($0.source.name)] }),
      ])
  }

  /// Does all of it.
  func run(rate: Int?, verifies: Bool) throws(Failure) -> ExitStatus {
    var reports: [RebuildReport] = []
    var left: [any BlockDevice] = []
    if finished != nil, let former = leaving.flatMap({ session.member(at: $0) }) {
      left = [former.probe.device]
    }
    do throws(RaidError) {
      for (slot, source) in jobs {
        let ranges = try place(source, slot)
        let end = array.memberByteCountInUse
        let start = ranges == nil ? doneBefore(slot, source) : 0
        if start > 0 {
          context.output.note(
            "going on at \(ByteSize(start)) of \(ByteSize(end)), where the last "
              + "\(leaving == nil ? "rebuild" : "replacement") was interrupted")
        }
        let line = context.progress(
          "\(leaving == nil ? "rebuild" : "replace by") \(source.name)", total: end,
          startingAt: start)
        let options = session.sweep(line, rate: rate)
        let report = try array.rebuild(
          slot: slot, ranges: ranges, isReplacement: source.isReplacement, options)
        line.finish()
        // Where whom it replaces is gone, nobody else can have the slot.
        let isAlone = array.members.slots[slot].member?.isInSync != true
        if report.isComplete, source.isReplacement, report.lostBlocks.isEmpty || isAlone {
          if let device = try array.finishReplacing(slot: slot) { left.append(device) }
        }
        reports.append(report)
        if !report.isComplete { break }
      }
    } catch {
      let failure = Failure(error)
      try? session.close()  // the first error is the one to tell
      throw failure
    }
    let isWhole = verifies ? try verify(reports) : true
    // Whose copy has not been looked at, if that was wanted, may still be wanted.
    if !verifies || context.stop.signal == nil { left.forEach(session.release) }
    try session.close()
    try context.stop.check()
    show(reports)
    return isWhole && reports.allSatisfy(\.lostBlocks.isEmpty) ? .done : .incomplete
  }

  /// How much of what a slot is filled with is there already; member bytes.
  private func doneBefore(_ slot: Int, _ source: Source) -> Int {
    let holder = array.members.slots[slot]
    let member = source.isReplacement ? holder.replacement : holder.member
    guard let done = member?.validByteCount, done < Int.max else { return 0 }
    return min(done, array.memberByteCountInUse)
  }

  /// Puts what a slot is to be filled with into it.
  private func place(_ source: Source, _ slot: Int) throws(RaidError) -> [Range<Int>]? {
    switch source {
    case .resuming: return nil
    case .resumingReplacement:
      // One that has all but what could be read nowhere is asked once more for that.
      guard let replacement = array.members.slots[slot].replacement, replacement.isInSync else {
        return nil
      }
      return replacement.listedBlocks
    case .returning(let probe):
      return try array.admit(probe.device, toSlot: slot, knownAs: probe)
    case .new(let device): return try array.admit(device, toSlot: slot)
    case .spare(let name):
      try array.promoteSpare(named: name, toSlot: slot)
      return nil
    case .replacement(let device):
      try array.admitReplacement(device, forSlot: slot)
      return nil
    }
  }

  /// Reads everything back: every block against its sum and its parity.
  ///
  /// - Returns: whether all is well, also on members that were not filled.
  /// - Throws: where what was filled is not good, or nothing says whether it is.
  private func verify(_ reports: [RebuildReport]) throws(Failure) -> Bool {
    var options = RaidArray.ScrubOptions()
    let line = context.progress("verify", total: array.memberByteCountInUse)
    options.sweep = session.sweep(line, rate: nil)
    options.startsOver = true
    options.repairs = false
    let found: ScrubReport
    do throws(RaidError) {
      found = try array.scrub(options)
    } catch {
      throw Failure(error)
    }
    line.finish()
    let filled = found.findings.filter { finding in
      guard let slot = finding.slot else { return true }
      return reports.contains { $0.slot == slot && !$0.lostBlocks.contains(finding.memberOffset) }
    }
    if let first = filled.first {
      try? session.close()  // what was found is the one to tell
      throw notGood(first, others: filled.count - 1)
    }
    let elsewhere = found.findings.filter { finding in
      !reports.contains { $0.slot == finding.slot }
    }
    guard let first = elsewhere.first else { return true }
    context.output.warn(
      counted(elsewhere.count, "block") + " of other members "
        + (elsewhere.count == 1 ? "is" : "are")
        + " damaged, the first at byte \(first.memberOffset) of the "
        + "data of \(first.member ?? "one of them"): 'ftool raid scrub' repairs what can be")
    return false
  }

  /// Why what was filled can't be relied upon.
  private func notGood(_ finding: ScrubReport.Finding, others: Int) -> Failure {
    let more = others > 0 ? " (and \(others) more)" : ""
    guard let member = finding.member else {
      return Failure(
        .damaged,
        "read back, the members' blocks at byte \(finding.memberOffset) of their data do not agree\(more), and "
          + "nothing says which of them is wrong",
        hint: "'ftool raid scrub --repair never' lists them")
    }
    return Failure(
      .damaged,
      "read back, the block at byte \(finding.memberOffset) of the data of \(member) is not as it should be\(more)",
      hint:
        "'ftool raid scrub' writes it again; a device that does not keep what is written to it is not to be used"
    )
  }

  private func show(_ reports: [RebuildReport]) {
    var lines = reports.map(sentence)
    if lines.isEmpty { lines = [nothingToDo] }
    context.output.show(
      SimpleReport(
        type: leaving == nil ? "raid-rebuild" : "raid-replace", lines.joined(separator: "\n"),
        json: ["array": .string(array.name), "rebuilt": .array(reports.map(json))]))
  }

  private func sentence(_ report: RebuildReport) -> String {
    let place = "in slot \(report.slot)"
    let bytes = "\(ByteSize(report.rebuiltByteCount))"
    let lost =
      report.lostBlocks.isEmpty
      ? ""
      : "; " + counted(report.lostBlocks.count, "block")
        + " could not be computed and stay unreadable"
    guard let leaving else {
      if report.rebuiltByteCount == 0, report.isComplete {
        return "\(report.member) \(place) is in sync: "
          + (report.isOfMarkedOnly
            ? "nothing was written while it was away, so that nothing had to be copied"
            : "it had everything already, so that nothing had to be copied")
      }
      let part = report.isOfMarkedOnly ? ", which may have been written while it was away" : ""
      return "rebuilt \(report.member) \(place): \(bytes)\(part)\(lost)"
    }
    guard lost.isEmpty else {
      return
        "copied \(leaving) \(place) to \(report.member): \(bytes)\(lost); \(leaving) stays in use"
    }
    return "replaced \(leaving) \(place) by \(report.member): \(bytes); "
      + "\(leaving) is no member any more"
  }

  private func json(_ report: RebuildReport) -> JSONValue {
    [
      "slot": .number(report.slot), "member": .string(report.member),
      "replaced": .string(report.lostBlocks.isEmpty ? leaving : nil),
      "bytes": .number(report.rebuiltByteCount), "complete": .bool(report.isComplete),
      "marked_only": .bool(report.isOfMarkedOnly),
      "lost_blocks": .array(report.lostBlocks.map { .number($0) }),
    ]
  }
}
