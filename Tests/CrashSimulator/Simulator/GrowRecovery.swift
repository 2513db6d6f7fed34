import FToolTestSupport
import Raid
import RaidGeometry

/// Does with an array whose reshape was cut off what its owner would: goes on with it. Nothing was written
/// meanwhile, so that all content has to be there at any time, in whichever shape.
struct GrowRecovery {
  let scenario: Scenario
  let given: Recovery
  /// What the array has held all the time.
  let content: [UInt8]

  init(_ scenario: Scenario, _ given: Recovery) {
    self.scenario = scenario
    self.given = given
    let all = given.oracle.expectation.acknowledged
    content = Array(all[..<min(all.count, scenario.keptByteCount)])
  }

  /// Looks before anything is gone on with, goes on, and looks again in every way.
  func judge(using random: inout SeededGenerator) throws {
    try look("before the reshape goes on", reading)
    try settle()
    try confirm(&random)
  }

  private var reading: RaidArray.Options { RaidArray.Options() }

  private var writing: RaidArray.Options {
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    options.reshapes = true
    return options
  }

  /// Goes on with the reshape if there is one, and then settles and fills what there is.
  func settle() throws {
    var array = try open("to go on", writing)
    if array.isReshaping {
      let goal = array.reshapeGoal
      let report = try given.attempt("going on") { () throws(RaidError) in
        try array.continueReshape(Scenario.oneWorker)
      }
      guard report.isComplete, report.lostRanges.isEmpty else {
        throw Violation(.settles, "the reshape ends at \(report.position) of \(report.end)")
      }
      array = try open("after the reshape", writing)
      guard !array.isReshaping, array.shape == goal else {
        throw Violation(.settles, "it has not got the shape that was wanted")
      }
    }
    let lacking = Set(array.degradedSlots)
    let mayLack = given.oracle.mayLack.union(array.unfilledSlots)
    guard lacking.isSubset(of: mayLack) else {
      throw Violation(.opens, "slots \(lacking.subtracting(mayLack)) are not used")
    }
    let report = try given.attempt("the scrub") { () throws(RaidError) in
      try array.scrub(Scenario.scrubbing)
    }
    if report.findingCount > 0 { throw Violation(.agrees, "a scrub finds \(report.findings)") }
    try given.attempt("filling members") { () throws(RaidError) in
      for slot in array.unfilledSlots { _ = try array.rebuild(slot: slot, Scenario.oneWorker) }
    }
    try given.attempt("the close") { () throws(RaidError) in try array.close() }
  }

  private func confirm(_ random: inout SeededGenerator) throws {
    let array = try open("after recovery", reading)
    if array.wasUnclean || array.hasDoubt || array.isReshaping {
      throw Violation(.settles, "there is doubt after recovery")
    }
    let look = try self.look("after recovery", reading)
    let empty = Set(array.degradedSlots)
    let shape = array.shape
    let geometry = SlowGeometry(
      level: Int(shape.level.number), layout: Int(shape.layout), chunk: shape.chunkByteCount,
      slotCount: shape.slotCount, sizes: shape.memberByteCounts)
    let before = given.oracle.expectation.acknowledged.count
    if let sign = look.content.dropFirst(before).first(where: { $0 != 0 }) {
      throw Violation(.holdsWhatWasWritten, "the new space is not empty, but has \(sign)")
    }
    try MemberAudit(
      scenario, array, content: look.content, empty: empty, geometry: geometry
    ).check()
    // What one more member's loss leaves has to be the same.
    let slots = (0..<shape.slotCount).filter {
      !empty.contains($0) && geometry.survives(without: empty.union([$0]))
    }
    guard let slot = slots.randomElement(using: &random),
      let holder = array.assembly.holders[slot].member
    else { return }
    let without = array.assembly.members[holder].device
    try self.look("without slot \(slot)", reading, without: { $0 === without })
  }

  @discardableResult
  private func look(
    _ when: String, _ options: RaidArray.Options,
    without isLeftOut: (TracedMember) -> Bool = { _ in false }
  ) throws -> ArrayLook {
    let array = try open(when, options, without: isLeftOut)
    let look = try given.attempt("reading \(when)") { () throws(RaidError) in
      try ArrayLook(array)
    }
    if let lost = look.lost.first {
      throw Violation(.losesNothing, "array bytes \(lost) are lost \(when)")
    }
    // A power cut tears the sums of one member at the most, and the others speak for its data.
    if scenario.cell.level.isRedundant, given.oracle.mayLack.isEmpty, array.degradedSlots.isEmpty,
      array.blocksUnproven > 0
    {
      throw Violation(
        .agrees, "\(array.blocksUnproven) blocks are taken as they are \(when)")
    }
    guard look.content.count >= content.count else {
      throw Violation(.holdsWhatWasWritten, "\(when) the array has \(look.content.count) bytes")
    }
    for start in stride(from: 0, to: content.count, by: 512)
    where !look.content.same(
      start..<min(start + 512, content.count), as: content, at: start)
    {
      throw Violation(.holdsWhatWasWritten, "array byte \(start) is another \(when)")
    }
    return look
  }

  private func open(
    _ when: String, _ options: RaidArray.Options,
    without isLeftOut: (TracedMember) -> Bool = { _ in false }
  ) throws -> RaidArray {
    do throws(RaidError) {
      return try RaidArray.open(
        given.members().filter { !isLeftOut($0) }, options: options)
    } catch {
      throw Violation(.opens, "\(when): \(error)")
    }
  }
}

extension RaidArray {
  /// Slots whose member is there, and has not all of its data yet.
  fileprivate var unfilledSlots: [Int] {
    members.slots.indices.filter { slot in
      guard let member = members.slots[slot].member else { return false }
      return !member.isFailed && !member.isInSync
    }
  }
}
