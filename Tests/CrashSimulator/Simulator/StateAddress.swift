import LinuxSystem
import MDFormat
import RaidGeometry

/// What names a state, so that it can be had again: `raid5/…/write 0x1f2e:17`, or `x17` where all states of a
/// tiny scenario are gone through.
package struct StateAddress: Sendable {
  package var cell: Cell
  /// The scenario's seed.
  package var scenario: UInt64
  /// nil for the scenario itself.
  package var number: Int?
  package var isTiny: Bool

  package init(cell: Cell, scenario: UInt64, number: Int?, isTiny: Bool) {
    self.cell = cell
    self.scenario = scenario
    self.number = number
    self.isTiny = isTiny
  }

  /// The part behind the cell's name; nil where it makes no sense.
  package init?(_ cell: Cell, _ text: String) {
    let parts = text.split(separator: ":")
    guard parts.count == 2, parts[0].hasPrefix("0x"),
      let scenario = UInt64(parts[0].dropFirst(2), radix: 16)
    else { return nil }
    self.cell = cell
    self.scenario = scenario
    isTiny = parts[1].hasPrefix("x")
    let digits = isTiny ? parts[1].dropFirst() : parts[1]
    if digits.isEmpty || digits == "-" {
      number = nil
    } else {
      guard let number = Int(digits), number >= 0 else { return nil }
      self.number = number
    }
  }

  /// See `init(_:_:)`.
  package var text: String {
    "0x" + String(scenario, radix: 16) + ":" + (isTiny ? "x" : "")
      + (number.map(String.init) ?? "-")
  }

  /// The command that runs this state and no other.
  package var command: String { "ftool-simulator --cell \(cell.name) --replay \(text)" }

  /// Runs it again.
  ///
  /// - Returns: what is wrong, and what the state is.
  package func replay() -> (violation: Violation?, description: String) {
    let scenario: Scenario
    do {
      scenario = try Scenario(cell, seed: self.scenario, isTiny: isTiny)
    } catch {
      return (error as? Violation ?? Violation(.succeeds, "\(error)"), "the operation itself")
    }
    guard let number else { return (nil, "the operation itself") }
    let state: CrashState
    if isTiny {
      guard let (_, cut) = EveryCut(scenario).enumerated().first(where: { $0.offset == number })
      else { return (Violation(.succeeds, "there is no such state"), "") }
      state = CrashState(scenario, cut, number: number)
    } else {
      state = CrashState(scenario, number: number)
    }
    let violation = scenario.judge(state)
    return (violation, scenario.story(of: state))
  }
}

extension Scenario {
  /// What is what, for people.
  func story(of state: CrashState) -> String {
    var lines = [
      "\(plan.level.name(slotCount: plan.slotCount)) of \(plan.slotCount), layout \(plan.layout), "
        + "chunk \(plan.chunkByteCount), \(plan.dataByteCount) bytes each, metadata \(plan.version.rawValue)"
        + (plan.hasSums ? ", sums" : "") + (plan.hasBitmap ? ", bitmap" : "")
        + (plan.hasJournal ? ", journal" : "")
    ]
    let expectation = expectation(at: state.cut.point)
    for (index, event) in trace.events.enumerated() {
      let isKept = state.cut.pieces.filter { $0.event == index }.map { "\($0.sectors)" }
      let note = isKept.isEmpty ? "" : "  kept \(isKept.joined(separator: " "))"
      if index == state.cut.point { lines.append("---- the power goes off: \(state.cut.family)") }
      switch event.kind {
      case .write: lines.append("\(index) m\(event.subject) sectors \(event.sectors)\(note)")
      case .flush: lines.append("\(index) m\(event.subject) flush")
      case .writeBegan:
        let range = history.withLock { $0.writes[event.subject].asked }
        lines.append("\(index) write \(event.subject) of \(range)")
      default: lines.append("\(index) \(event.kind) \(event.subject)")
      }
    }
    lines.append("pending: \(expectation.pending.map(\.asked))")
    lines.append("lost: \(state.lost.sorted()), returning: \(state.returning.sorted())")
    if state.secondSeed != nil { lines.append("the power goes off again during recovery") }
    return lines.joined(separator: "\n")
  }
}
