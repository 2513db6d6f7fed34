import BlockStorage
import FToolTestSupport
import LinuxSystem
import RaidGeometry
import Synchronization
import Testing

@testable import Raid

/// Reads and writes go on while the array is being scrubbed, rebuilt or replaced.
@Suite struct ConcurrencyTests {
  enum Sweep: String, CaseIterable, Sendable { case scrub, rebuild, replace, comeBack }

  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    var sweep: Sweep
    var testDescription: String { "\(sweep.rawValue), \(recipe.testDescription)" }
  }

  static let cases = [ArrayRecipe.mirror, .raid5, .raid6, .offset2].flatMap { recipe in
    Sweep.allCases.map { sweep in
      Case(
        recipe: recipe.with {
          $0.dataByteCount = 2 << 20
          $0.hasBitmap = true
        }, sweep: sweep)
    }
  }

  @Test(arguments: cases) func `users see what they wrote meanwhile`(_ one: Case) throws {
    let bench = try ArrayBench(one.recipe)
    try bench.fill(seed: 1)
    if one.sweep == .comeBack {
      let array = try bench.open()
      try array.failMember(named: bench.devices[0].name)
      try bench.write(SeededGenerator.bytes(seed: 4, 30000), at: 50000, to: array)
      try array.close()
    }
    let isAway = one.sweep == .rebuild || one.sweep == .comeBack
    let array = try bench.open(without: isAway ? [0] : [])
    let old = bench.devices[0]
    if one.sweep == .rebuild || one.sweep == .replace { bench.devices[0] = bench.fresh(garbage: 2) }
    let device = one.sweep == .comeBack ? old : bench.devices[0]
    let model = Mutex(bench.model)
    let isOver = Atomic(false)
    let users = 2
    let share = array.byteCount / users
    runInParallel(workers: users + 1) { worker in
      do {
        if worker == users {
          try Self.sweep(one.sweep, array, device)
          isOver.store(true, ordering: .releasing)
          return
        }
        var random = SeededGenerator(seed: UInt64(worker))
        var round = 0
        while round < 60 || !isOver.load(ordering: .acquiring), round < 3000 {
          round += 1
          // Each user has its own part, so that the model knows what is in it.
          let start = worker * share + Int.random(in: 0..<share - 40000, using: &random)
          let range = start..<start + Int.random(in: 1...40000, using: &random)
          if Bool.random(using: &random) {
            let bytes = random.bytes(range.count)
            try array.write(bytes, at: range.lowerBound)
            model.withLock { $0.replaceSubrange(range, with: bytes) }
          } else {
            let bytes = try array.bytes(range)
            let expected = model.withLock { Array($0[range]) }
            #expect(bytes == expected)
          }
        }
      } catch {
        isOver.store(true, ordering: .releasing)
        Issue.record("\(error), \(one.testDescription)")
      }
    }
    bench.model = model.withLock { $0 }
    try array.close()
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [], "\(one.testDescription)")
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  private static func sweep(_ sweep: Sweep, _ array: RaidArray, _ device: MemoryDevice) throws {
    switch sweep {
    case .scrub:
      for _ in 0..<3 {
        var options = RaidArray.ScrubOptions()
        options.startsOver = true
        #expect(try array.scrub(options).findingCount == 0)
      }
    case .rebuild:
      let ranges = try array.admit(device, toSlot: 0)
      #expect(try array.rebuild(slot: 0, ranges: ranges, SweepOptions()).lostBlocks == [])
    case .comeBack:
      let probe = try MemberProbe(device)
      let ranges = try array.admit(device, toSlot: 0, knownAs: probe)
      #expect(try array.rebuild(slot: 0, ranges: ranges, SweepOptions()).lostBlocks == [])
    case .replace:
      try array.admitReplacement(device, forSlot: 0)
      let report = try array.rebuild(slot: 0, isReplacement: true, SweepOptions())
      #expect(report.lostBlocks == [])
      try array.finishReplacing(slot: 0)
    }
  }
}
