import BlockStorage
import FToolTestSupport
import MDFormat
import Raid

/// Does with an array after a power cut what its owner would, and judges all that is seen on the way.
struct Recovery {
  let scenario: Scenario
  /// Who is given when the array is opened.
  let given: [TracedMember]
  /// Who went with the power.
  let lost: [TracedMember]
  let oracle: Oracle

  /// Looks before anything is settled, settles it, and looks again in every way; then with those who were lost.
  func judge(using random: inout SeededGenerator) throws {
    let first = try look("before recovery")
    try oracle.judge(first)
    try settle()
    let settled = try confirm(first, &random)
    let returning = members(lost)
    if settled.lost.isEmpty, !returning.isEmpty {
      try MemberReturn(scenario: scenario, given: members(), lost: returning)
        .judge(settled.content, using: &random)
    }
  }

  /// Opens the array for writing, settles what is in doubt, fills who is not in sync yet, and closes it.
  func settle() throws {
    let array = try openForWriting()
    let lacking = Set(array.degradedSlots)
    guard lacking.isSubset(of: oracle.mayLack) else {
      throw Violation(.opens, "slots \(lacking.subtracting(oracle.mayLack)) are not used")
    }
    let report = try attempt("the scrub") { () throws(RaidError) in
      try array.scrub(Scenario.scrubbing)
    }
    if report.unrepairedCount > 0, !oracle.hasRowsAtRisk {
      throw Violation(.settles, "not repaired: \(report.findings)")
    }
    if report.findingCount > 0, !scenario.isDamaged, !oracle.hasRowsAtRisk {
      throw Violation(.agrees, "wrong outside of what is in doubt: \(report.findings)")
    }
    try attempt("filling members") { () throws(RaidError) in try fill(array) }
    try attempt("the close") { () throws(RaidError) in try array.close() }
  }

  private func openForWriting() throws -> RaidArray {
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    do throws(RaidError) {
      return try RaidArray.open(members(), options: options)
    } catch {
      guard error == .readOnly(.uncleanAndDegraded), oracle.isDegraded,
        scenario.geometry.parityCount > 0, !scenario.cell.journal.closesWriteHole
      else { throw Violation(.opens, "for writing: \(error)") }
    }
    options.allowsDoubt = true
    return try attempt("opening by force") { () throws(RaidError) in
      try RaidArray.open(members(), options: options)
    }
  }

  private func fill(_ array: RaidArray) throws(RaidError) {
    for (slot, holder) in array.members.slots.enumerated() {
      if let member = holder.member, !member.isFailed, !member.isInSync {
        _ = try array.rebuild(slot: slot, Scenario.oneWorker)
      }
      if let replacement = holder.replacement, !replacement.isFailed {
        if !replacement.isInSync {
          _ = try array.rebuild(slot: slot, isReplacement: true, Scenario.oneWorker)
        }
        try array.finishReplacing(slot: slot)
      }
    }
  }

  private func confirm(
    _ first: ArrayLook, _ random: inout SeededGenerator
  ) throws -> ArrayLook {
    let array = try open("after recovery")
    if array.wasUnclean || array.hasDoubt {
      throw Violation(.settles, "there is doubt after recovery")
    }
    let empty = Set(array.degradedSlots)
    let settled = try attempt("reading after recovery") { () throws(RaidError) in
      try ArrayLook(array)
    }
    if array.blocksUnproven > 0 {
      throw Violation(.settles, "\(array.blocksUnproven) blocks are taken as they are")
    }
    let holes = empty.union(oracle.mayLack)
    try oracle.judgeSettled(settled, emptySlots: holes)
    try oracle.judge(settled, after: first, "after recovery", emptySlots: holes)
    // Where a member's blocks are lost with it, parity is of nothing.
    if !settled.lost.isEmpty { return settled }
    var looking = Scenario.scrubbing
    looking.repairs = false
    looking.startsOver = true
    let report = try attempt("the second scrub") { () throws(RaidError) in
      try array.scrub(looking)
    }
    if report.findingCount > 0 {
      throw Violation(.agrees, "a second scrub finds \(report.findings)")
    }
    try MemberAudit(scenario, array, content: settled.content, empty: empty).check()
    try lookWithLess(array, empty, settled, &random)
    return settled
  }

  /// What one more member's loss leaves has to be the same.
  private func lookWithLess(
    _ array: RaidArray, _ empty: Set<Int>, _ settled: ArrayLook,
    _ random: inout SeededGenerator
  ) throws {
    let slots = (0..<scenario.geometry.slotCount).filter {
      !empty.contains($0) && scenario.geometry.survives(without: empty.union([$0]))
    }
    guard let slot = slots.randomElement(using: &random),
      let holder = array.assembly.holders[slot].member
    else { return }
    let without = array.assembly.members[holder].device
    let less = try open("without slot \(slot)", except: without)
    let look = try attempt("reading without slot \(slot)") { () throws(RaidError) in
      try ArrayLook(less)
    }
    if !look.lost.isEmpty || !look.content.same(as: settled.content) {
      throw Violation(.agrees, "without slot \(slot) the content is another")
    }
  }

  private func look(_ when: String) throws -> ArrayLook {
    let array = try open(when)
    let look = try attempt("reading \(when)") { () throws(RaidError) in try ArrayLook(array) }
    let again = try attempt("reading \(when)") { () throws(RaidError) in try ArrayLook(array) }
    try oracle.judge(again)
    try oracle.judge(again, after: look, "when it is read again")
    return look
  }

  private func open(
    _ when: String, except: (any BlockDevice)? = nil
  ) throws -> RaidArray {
    do throws(RaidError) {
      return try RaidArray.open(members().filter { $0 !== except })
    } catch {
      throw Violation(.opens, "\(when): \(error)")
    }
  }

  /// Those of the given that bear a mark of a member: a device that is prepared to become one has none for a while.
  func members() -> [TracedMember] { members(given) }

  private func members(_ devices: [TracedMember]) -> [TracedMember] {
    devices.filter { member in
      // The others were members before the operation began, and remain it.
      if member.index != scenario.newcomer, !scenario.hasJoined.contains(member.index) {
        return true
      }
      do throws(RaidError) {
        _ = try MemberProbe(member)
        return true
      } catch {
        if case .notStartable(.unreadableSuperblock(_, .absent)) = error { return false }
        return true
      }
    }
  }

  @discardableResult
  func attempt<Result>(
    _ what: String, _ body: () throws(RaidError) -> Result
  ) throws(Violation) -> Result {
    do throws(RaidError) {
      return try body()
    } catch {
      throw Violation(.succeeds, "\(what): \(error)")
    }
  }
}
