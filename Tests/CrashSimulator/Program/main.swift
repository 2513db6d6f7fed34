// Cuts the power of simulated arrays, and says whether they keep their promises (ftool-failures(7)).
//
//   ftool-simulator [--states N] [--seed S] [--cell NAME] [--exhaustive]
//   ftool-simulator --list
//   ftool-simulator --cell NAME --replay SCENARIO:STATE
//
// Without --cell, all cells of the matrix; NAME may be the beginning of several names. With --exhaustive not
// N states by chance, but all states of tiny arrays. Exit status 1 when a promise was not kept.

import CrashSimulator
import Glibc
import LinuxSystem

func show(_ line: String) {
  print(line)
  fflush(nil)
}

func replay(_ address: StateAddress) -> Never {
  let (violation, story) = address.replay()
  print(story)
  print(violation.map { "FAILED \($0)" } ?? "all promises kept")
  exit(violation == nil ? 0 : 1)
}

func simulate(_ request: Simulation.Request) -> Never {
  let start = Machine.monotonicSeconds()
  let results = Simulation.run(request) { news in
    switch news {
    case .failure(let failure):
      show("FAILED \(failure.violation)\n  \(failure.address.command)")
    case .finished(let result):
      show(
        "\(result.cell.name): \(result.stateCount) states of \(result.scenarioCount) scenarios, "
          + "\(result.failureCount) failures")
    }
  }
  let seconds = Machine.monotonicSeconds() - start
  let stateCount = results.reduce(0) { $0 + $1.stateCount }
  let failureCount = results.reduce(0) { $0 + $1.failureCount }
  show(
    "\(stateCount) states (\(results.reduce(0) { $0 + $1.secondCutCount }) with a second cut, "
      + "\(results.reduce(0) { $0 + $1.lossCount }) with lost members) of \(results.count) cells, "
      + "seed \(request.seed): \(failureCount) failures, \(Int(seconds.rounded())) s, "
      + "\(Int(Double(stateCount) / seconds)) a second")
  exit(failureCount == 0 ? 0 : 1)
}

do {
  let invocation = try Invocation(CommandLine.arguments.dropFirst())
  if invocation.lists {
    for cell in invocation.request.cells { print(cell.name) }
  } else if let address = invocation.replay {
    replay(address)
  } else {
    simulate(invocation.request)
  }
} catch {
  print("ftool-simulator: \(error.text)")
  exit(64)
}
