import Synchronization

/// A report that several workers write to, a part of the sweep at a time.
final class ScrubLog: Sendable {
  private struct State {
    var report = ScrubReport()
    /// Where parts begin that have findings which are not repaired, and how many.
    var unrepaired: [(start: Int, count: Int)] = []
  }

  private let state = Mutex(State())

  func add(
    _ problem: ScrubReport.Problem, _ outcome: ScrubReport.Outcome, _ member: Member?, slot: Int?,
    at offset: Int
  ) {
    state.withLock {
      $0.report.add(
        .init(
          problem: problem, outcome: outcome, member: member?.name, slot: slot,
          memberOffset: offset))
    }
  }

  /// Notes what became of a repair. Who failed in it is out, and said to be so: what it lacks is no finding.
  func add(
    _ problem: ScrubReport.Problem, isRepaired: Bool, _ member: Member, slot: Int, at offset: Int
  ) {
    if !isRepaired, member.isFailed { return }
    add(problem, isRepaired ? .repaired : .unrepairable, member, slot: slot, at: offset)
  }

  func update(_ change: (inout ScrubReport) -> Void) { state.withLock { change(&$0.report) } }

  /// Takes over what a worker has found in one part.
  func add(_ found: ScrubLog, of part: Range<Int>) {
    let report = found.state.withLock { $0.report }
    state.withLock { state in
      state.report.add(report)
      if report.unrepairedCount > 0 {
        state.unrepaired.append((part.lowerBound, report.unrepairedCount))
      }
    }
  }

  /// What has been found, for a pass that goes on from `done`: what lies behind and is still wrong will
  /// be found again, and what has been repaired will not.
  func tally(before done: Int) -> ScrubTally {
    state.withLock { state in
      ScrubTally(
        repairedCount: state.report.repairedCount,
        unrepairedCount: state.unrepaired.reduce(0) { $0 + ($1.start < done ? $1.count : 0) })
    }
  }

  /// The report of the whole pass.
  func report(goingOnFrom earlier: ScrubTally, position: Int, end: Int) -> ScrubReport {
    var report = state.withLock { $0.report }
    report.goOn(from: earlier)
    report.position = position
    report.end = end
    return report
  }
}
