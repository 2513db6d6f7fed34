import CrashSimulator
import Testing

/// What the generator of power cuts makes.
@Suite struct CutTests {
  private static let cell = Cell(name: "raid5/no-journal/no-bitmap/healthy/write")!

  @Test func `the same seed makes the same`() throws {
    for cell in Cell.all {
      let seed = cell.scenarioSeed(7, 0)
      let one = try Scenario(cell, seed: seed)
      let other = try Scenario(cell, seed: seed)
      #expect(one.trace.digest == other.trace.digest, "\(cell.name)")
      for number in 0..<5 {
        let state = CrashState(one, number: number)
        #expect(state.digest == CrashState(other, number: number).digest, "\(cell.name)")
      }
    }
  }

  @Test func `other seeds make others`() throws {
    let digests = try (0..<20).map { number in
      try Scenario(Self.cell, seed: Self.cell.scenarioSeed(1, number)).trace.digest
    }
    #expect(Set(digests).count == 20)
    let scenario = try Scenario(Self.cell, seed: 3)
    #expect(Set((0..<50).map { CrashState(scenario, number: $0).digest }).count > 40)
  }

  @Test func `every family comes up, in every cell's share`() {
    var request = Simulation.Request()
    request.stateCount = 1200
    request.cells = Cell.all.filter { $0.name.hasPrefix("raid6/") }
    let results = Simulation.run(request) { _ in }
    #expect(results.count == request.cells.count)
    let least = request.stateCount / request.cells.count
    var families: [CutFamily: Int] = [:]
    for result in results {
      #expect(result.stateCount >= least && result.stateCount <= least + 1)
      families.merge(result.families, uniquingKeysWith: +)
    }
    for family in CutFamily.allCases { #expect(families[family, default: 0] > 10, "\(family)") }
    #expect(results.reduce(0) { $0 + $1.secondCutCount } > 100)
    #expect(results.reduce(0) { $0 + $1.lossCount } > 50)
  }

  @Test func `going through everything finds every choice of every family, once`() throws {
    let cell = Cell(name: "raid1/no-journal/no-bitmap/healthy/write")!
    let scenario = try Scenario(cell, seed: 1, isTiny: true)
    var points: Set<Int> = []
    var families: Set<CutFamily> = []
    for cut in EveryCut(scenario) {
      points.insert(cut.point)
      families.insert(cut.family)
    }
    // At a flush with nothing to lose before it, nothing is new.
    let writes = scenario.trace.events.indices.filter { scenario.trace.events[$0].kind == .write }
    for write in writes { #expect(points.contains(write + 1)) }
    #expect(families.isSuperset(of: [.nothing, .everything, .tornWrite, .tornWriteBackwards]))
  }

  @Test func `a state can be had again from its address`() throws {
    let address = StateAddress(cell: Self.cell, scenario: 0xabc, number: 17, isTiny: false)
    let again = try #require(StateAddress(Self.cell, address.text))
    #expect(again.scenario == 0xabc && again.number == 17 && !again.isTiny)
    #expect(try #require(StateAddress(Self.cell, "0x1f:x3")).isTiny)
    for nonsense in ["", "17", "0x1f", "1f:3", "0xzz:3", "0x1f:y", "0x1f:-3"] {
      #expect(StateAddress(Self.cell, nonsense) == nil, "\(nonsense)")
    }
    #expect(address.replay().violation == nil)
  }
}
