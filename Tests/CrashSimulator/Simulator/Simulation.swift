import LinuxSystem

/// Runs states of the matrix's cells on several threads, and adds up what came of them.
package final class Simulation: Sendable {
  /// What is to be run.
  package struct Request: Sendable {
    /// In all, spread evenly over the cells.
    package var stateCount = 10_000
    package var seed: UInt64 = 1
    package var cells = Cell.all
    /// Instead of chance: every point of tiny arrays, with every choice of every family.
    package var isExhaustive = false
    package var workers = Machine.cores

    package init() {}
  }

  /// What came of a cell.
  package struct CellResult: Sendable {
    package var cell: Cell
    package var scenarioCount = 0
    package var stateCount = 0
    package var failureCount = 0
    /// The first ones.
    package var failures: [Failure] = []
    package var families: [CutFamily: Int] = [:]
    /// States in which the power went off twice, and in which members went with it.
    package var secondCutCount = 0
    package var lossCount = 0
  }

  /// A state in which a promise was not kept.
  package struct Failure: Sendable {
    package var address: StateAddress
    package var violation: Violation
  }

  private struct State {
    var next = 0
    var results: [CellResult]
    var jobs: [(cell: Int, seed: UInt64, stateCount: Int)]
    /// By cell: how many jobs are to be done.
    var left: [Int]
  }

  /// Something to tell at once.
  package enum News: Sendable {
    case failure(Failure)
    /// All of a cell has been run.
    case finished(CellResult)
  }

  /// How many states a trace is used for: to make it takes as long as some of them.
  private static let statesPerScenario = 12
  /// How many scenarios of each cell are gone through when it is all states of them.
  private static let exhaustiveScenarioCount = 2
  private static let failureLimit = 5

  private let state: Monitor<State>
  private let isExhaustive: Bool

  private init(_ request: Request) {
    isExhaustive = request.isExhaustive
    var jobs: [(cell: Int, seed: UInt64, stateCount: Int)] = []
    let perCell = (request.stateCount + request.cells.count - 1) / request.cells.count
    for (index, cell) in request.cells.enumerated() {
      if request.isExhaustive {
        for number in 0..<Self.exhaustiveScenarioCount {
          jobs.append((index, cell.scenarioSeed(request.seed, number), .max))
        }
        continue
      }
      for (number, start) in stride(from: 0, to: perCell, by: Self.statesPerScenario).enumerated() {
        let count = min(Self.statesPerScenario, perCell - start)
        jobs.append((index, cell.scenarioSeed(request.seed, number), count))
      }
    }
    var left = [Int](repeating: 0, count: request.cells.count)
    for job in jobs { left[job.cell] += 1 }
    state = Monitor(
      State(results: request.cells.map { CellResult(cell: $0) }, jobs: jobs, left: left))
  }

  /// Runs all, and tells of each failure and of each cell.
  package static func run(
    _ request: Request, report: @escaping @Sendable (News) -> Void
  ) -> [CellResult] {
    let simulation = Simulation(request)
    runInParallel(workers: request.workers) { _ in simulation.work(report) }
    return simulation.state.withLock { $0.results }
  }

  private func work(_ report: (News) -> Void) {
    while let (index, cell, seed, count) = take() {
      var result = CellResult(cell: cell)
      result.scenarioCount = 1
      do {
        let scenario = try Scenario(cell, seed: seed, isTiny: isExhaustive)
        if isExhaustive {
          runAll(scenario, &result)
        } else {
          for number in 0..<count {
            run(scenario, CrashState(scenario, number: number), number, &result)
          }
        }
      } catch {
        note(
          StateAddress(cell: cell, scenario: seed, number: nil, isTiny: isExhaustive), error,
          &result)
      }
      for failure in result.failures { report(.failure(failure)) }
      if let whole = add(result, to: index) { report(.finished(whole)) }
    }
  }

  private func take() -> (index: Int, cell: Cell, seed: UInt64, count: Int)? {
    state.withLock { state in
      guard state.next < state.jobs.count else { return nil }
      let job = state.jobs[state.next]
      state.next += 1
      return (job.cell, state.results[job.cell].cell, job.seed, job.stateCount)
    }
  }

  private func runAll(_ scenario: Scenario, _ result: inout CellResult) {
    for (number, cut) in EveryCut(scenario).enumerated() {
      run(scenario, CrashState(scenario, cut, number: number), number, &result)
    }
  }

  private func run(
    _ scenario: Scenario, _ state: CrashState, _ number: Int, _ result: inout CellResult
  ) {
    result.stateCount += 1
    result.families[state.cut.family, default: 0] += 1
    if state.secondSeed != nil { result.secondCutCount += 1 }
    if !state.lost.isEmpty { result.lossCount += 1 }
    guard let violation = scenario.judge(state) else { return }
    note(
      StateAddress(
        cell: scenario.cell, scenario: scenario.seed, number: number, isTiny: isExhaustive),
      violation, &result)
  }

  private func note(_ address: StateAddress, _ error: any Error, _ result: inout CellResult) {
    result.failureCount += 1
    guard result.failures.count < Self.failureLimit else { return }
    let violation = error as? Violation ?? Violation(.succeeds, "\(error)")
    result.failures.append(Failure(address: address, violation: violation))
  }

  /// - Returns: what came of the cell, when nothing more is to be done in it.
  private func add(_ part: CellResult, to index: Int) -> CellResult? {
    state.withLock { state in
      var result = state.results[index]
      result.scenarioCount += part.scenarioCount
      result.stateCount += part.stateCount
      result.failureCount += part.failureCount
      result.failures += part.failures.prefix(Self.failureLimit - result.failures.count)
      result.families.merge(part.families, uniquingKeysWith: +)
      result.secondCutCount += part.secondCutCount
      result.lossCount += part.lossCount
      state.results[index] = result
      state.left[index] -= 1
      return state.left[index] == 0 ? result : nil
    }
  }
}
