import CrashSimulator
import Testing

/// The simulator finds faults: with members that do not flush, or writes that do not come, promises are
/// broken, and it says so.
@Suite struct SabotageTests {
  /// In how many of these states of several scenarios a promise is broken, and which promises.
  private func broken(
    _ cellName: String, _ sabotage: (Scenario) -> [Sabotage], scenarioCount: Int = 4,
    stateCount: Int = 40
  ) throws -> (count: Int, promises: Set<Violation.Promise>) {
    let cell = try #require(Cell(name: cellName))
    var count = 0
    var promises: Set<Violation.Promise> = []
    for number in 0..<scenarioCount {
      let seed = cell.scenarioSeed(11, number)
      for sabotage in sabotage(try Scenario(cell, seed: seed)) {
        let scenario = try Scenario(cell, seed: seed)
        scenario.suffer(sabotage)
        for state in 0..<stateCount {
          guard let violation = scenario.judge(CrashState(scenario, number: state)) else {
            continue
          }
          count += 1
          promises.insert(violation.promise)
        }
      }
    }
    return (count, promises)
  }

  @Test(arguments: [
    "linear/no-journal/no-bitmap/healthy/write", "raid0/no-journal/no-bitmap/healthy/write",
    "raid1/no-journal/bitmap/healthy/write", "raid5/no-journal/no-bitmap/healthy/write",
    "raid6/no-journal/bitmap/degraded/write", "raid10-far/no-journal/no-bitmap/healthy/write",
    "ec/no-journal/no-bitmap/healthy/write",
  ]) func `members that never flush lose what was acknowledged`(_ cell: String) throws {
    let (count, promises) = try broken(cell, { _ in [.dropAllFlushes] })
    #expect(count > 0 && promises.contains(.holdsWhatWasWritten), "\(count) \(promises)")
  }

  @Test(arguments: [
    "raid0/no-journal/no-bitmap/healthy/write", "raid5/no-journal/no-bitmap/healthy/write",
    "raid10-near/no-journal/bitmap/healthy/write",
  ]) func `one member that never flushes is enough`(_ cell: String) throws {
    let (count, _) = try broken(cell, { _ in [.dropFlushes(ofMember: 0)] }, scenarioCount: 8)
    #expect(count > 0)
  }

  @Test func `of the flushes of a write, many are missed one by one`() throws {
    let cell = try #require(Cell(name: "raid5/no-journal/bitmap/healthy/write"))
    let seed = cell.scenarioSeed(5, 0)
    let flushCount = try Scenario(cell, seed: seed).trace.flushes.count
    var caught = 0
    for number in 0..<flushCount {
      let scenario = try Scenario(cell, seed: seed)
      scenario.suffer(.dropFlush(number: number))
      if (0..<60).contains(where: { scenario.judge(CrashState(scenario, number: $0)) != nil }) {
        caught += 1
      }
    }
    #expect(caught > 0, "none of \(flushCount)")
  }

  @Test func `a flush that comes before its write is none`() throws {
    let (count, _) = try broken(
      "raid5/no-journal/no-bitmap/healthy/write",
      { scenario in scenario.trace.flushes.indices.map { .flushEarly(number: $0) } },
      scenarioCount: 2)
    #expect(count > 0)
  }

  @Test func `without marks, what a crash leaves is wrong outside of what is in doubt`() throws {
    let (count, promises) = try broken(
      "raid5/no-journal/bitmap/healthy/write", { _ in [.dropMarks] },
      scenarioCount: 8)
    #expect(count > 0 && !promises.isDisjoint(with: [.settles, .agrees]), "\(count) \(promises)")
  }

  @Test func `as they are, the same scenarios keep all promises`() throws {
    for cell in Cell.all where cell.operation == .write {
      for number in 0..<2 {
        let scenario = try Scenario(cell, seed: cell.scenarioSeed(11, number))
        for state in 0..<10 {
          let violation = scenario.judge(CrashState(scenario, number: state))
          #expect(violation == nil, "\(number):\(state) \(String(describing: violation))")
        }
      }
    }
  }
}
