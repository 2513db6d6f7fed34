import FToolTestSupport
import Raid

extension Scenario {
  /// Those of the start, and those that came since.
  var everPresent: [Int] { members.indices.filter { !absent.contains($0) } }

  /// Brings the members into a state, brings the array back from it, and says what was wrong on the way.
  package func judge(_ state: CrashState) -> Violation? {
    do {
      try check(state)
      return nil
    } catch let violation as Violation {
      return violation
    } catch {
      return Violation(.succeeds, "\(error)")
    }
  }

  private func check(_ state: CrashState) throws {
    var random = SeededGenerator(seed: state.seed)
    let expectation = expectation(at: state.cut.point)
    materialise(state.cut)
    if let seed = state.secondSeed {
      var random = SeededGenerator(seed: seed)
      tape.start()
      let result = Result {
        let way = recovery(
          expectation, state, without: state.isLossLate ? [] : state.lost, wasForced: false)
        if cell.operation == .grow {
          try GrowRecovery(self, way).settle()
        } else {
          try way.settle()
        }
      }
      let second = tape.stop()
      try result.get()
      let cut = CrashState.anyCut(second, memberCount: members.count, &random)
      materialise(state.cut)
      cut.apply(second, to: members)
    }
    let way = recovery(
      expectation, state, without: state.lost, wasForced: state.secondSeed != nil)
    if cell.operation == .grow {
      try GrowRecovery(self, way).judge(using: &random)
    } else {
      try way.judge(using: &random)
    }
  }

  private func materialise(_ cut: PowerCut) {
    for member in members { member.putBack() }
    cut.apply(trace, to: members)
  }

  private func recovery(
    _ expectation: Expectation, _ state: CrashState, without lost: Set<Int>, wasForced: Bool
  ) -> Recovery {
    let mayLack = mayLack.union(lost.map { slots[$0] })
    let given = members.indices.filter {
      !lost.contains($0) && (!absent.contains($0) || state.returning.contains($0))
    }
    return Recovery(
      scenario: self, given: given.map { members[$0] },
      lost: lost.sorted().map { members[$0] },
      oracle: Oracle(self, expectation, mayLack: mayLack, wasForced: wasForced))
  }
}
