import BlockStorage
import FToolTestSupport
import MDFormat
import Raid

/// Brings back to an array that has been settled who went with the power, and was not given since: it has to be told all
/// that it missed, what was put in its place by a recovery no less than what was written later.
struct MemberReturn {
  let scenario: Scenario
  /// Who was given when the array was settled.
  let given: [TracedMember]
  let lost: [TracedMember]

  /// - Parameter content: what the array holds.
  func judge(_ content: [UInt8], using random: inout SeededGenerator) throws {
    var content = content
    if Bool.random(using: &random) { try write(to: &content, &random) }
    let before = try open("with who was lost", given + lost)
    let missing = Set(before.degradedSlots)
    try compare(before, content, "before who was lost is filled")
    let filled = try fill(missing)
    let array = try open("after who was lost was filled", given + lost)
    let empty = Set(array.degradedSlots)
    guard empty == missing.subtracting(filled) else {
      throw Violation(
        .opens, "slots \(empty) are not used, of \(missing), and \(filled) were filled")
    }
    try compare(array, content, "after who was lost was filled")
    var looking = Scenario.scrubbing
    looking.repairs = false
    looking.startsOver = true
    let report = try attempt("the scrub after that") { () throws(RaidError) in
      try array.scrub(looking)
    }
    if report.findingCount > 0 {
      throw Violation(.agrees, "a scrub after a member's return finds \(report.findings)")
    }
    try MemberAudit(scenario, array, content: content, empty: empty).check()
    for slot in 0..<scenario.geometry.slotCount
    where !empty.contains(slot) && scenario.geometry.survives(without: empty.union([slot])) {
      guard let holder = array.assembly.holders[slot].member else { continue }
      let without = array.assembly.members[holder].device
      try compare(
        open("without slot \(slot)", (given + lost).filter { $0 !== without }), content,
        "without slot \(slot), after who was lost was filled")
    }
  }

  /// Writes something while they are away.
  private func write(to content: inout [UInt8], _ random: inout SeededGenerator) throws {
    let start = Int.random(in: 0..<content.count, using: &random)
    let bytes = random.bytes(
      Int.random(in: 1...min(content.count - start, 20_000), using: &random))
    let array = try attempt("opening while they are away") { () throws(RaidError) in
      try RaidArray.open(given, options: writing)
    }
    do throws(DeviceError) {
      try array.write(bytes, at: start)
    } catch {
      throw Violation(.succeeds, "a write while they are away: \(error)")
    }
    try attempt("the close while they are away") { () throws(RaidError) in try array.close() }
    content.replaceSubrange(start..<start + bytes.count, with: bytes)
  }

  /// - Returns: the slots that were filled.
  private func fill(_ missing: Set<Int>) throws -> Set<Int> {
    var filled = Set<Int>()
    try attempt("filling who was lost") { () throws(RaidError) in
      let array = try RaidArray.open(given + lost, options: writing)
      for (probe, standing) in zip(array.assembly.members, array.assembly.standings) {
        switch standing {
        case .failed, .stale: break
        default: continue
        }
        guard case .slot(let slot) = probe.superblock.role, missing.contains(slot),
          filled.insert(slot).inserted
        else { continue }
        let ranges = try array.admit(probe.device, toSlot: slot, knownAs: probe)
        _ = try array.rebuild(slot: slot, ranges: ranges, Scenario.oneWorker)
      }
      try array.close()
    }
    return filled
  }

  private var writing: RaidArray.Options {
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    return options
  }

  private func compare(_ array: RaidArray, _ content: [UInt8], _ when: String) throws {
    let look = try attempt("reading \(when)") { () throws(RaidError) in try ArrayLook(array) }
    if let lost = look.lost.first {
      throw Violation(.losesNothing, "array bytes \(lost) are lost \(when)")
    }
    if !look.content.same(as: content) {
      throw Violation(.holdsWhatWasWritten, "the content is another \(when)")
    }
  }

  private func open(_ when: String, _ members: [TracedMember]) throws -> RaidArray {
    do throws(RaidError) {
      return try RaidArray.open(members)
    } catch {
      throw Violation(.opens, "\(when): \(error)")
    }
  }

  @discardableResult
  private func attempt<Result>(
    _ what: String, _ body: () throws(RaidError) -> Result
  ) throws(Violation) -> Result {
    do throws(RaidError) {
      return try body()
    } catch {
      throw Violation(.succeeds, "\(what): \(error)")
    }
  }
}
