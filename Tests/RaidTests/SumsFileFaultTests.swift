import BlockStorage
import FToolTestSupport
import LinuxSystem
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// A sums file whose own device goes wrong: no member pays for it, and no sum is believed that is not right.
@Suite struct SumsFileFaultTests {
  enum Work: String, CaseIterable, Sendable {
    case wholeWrite, partWrite, read, degradedWrite, scrub, rebuild, replace
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    var work: Work
    var testDescription: String { "\(work.rawValue), \(recipe.testDescription)" }
  }

  static let cases = [ArrayRecipe.mirror, .raid5, .raid6, .raid10].flatMap { recipe in
    Work.allCases.map { work in
      Case(
        recipe: recipe.with {
          $0.dataByteCount = 64 << 10
          $0.hasSums = false
          if $0.chunk > 0 { $0.chunk = 4096 }
        }, work: work)
    }
  }

  @Test(arguments: cases) func `a sums file that fails costs no member and no byte`(
    _ one: Case
  ) throws {
    try SumsFileSweep(one).run()
  }
}

/// One operation on one array with a sums file, again and again, each time with another fault of the file.
private struct SumsFileSweep {
  let one: SumsFileFaultTests.Case
  let original: SumsBench

  init(_ one: SumsFileFaultTests.Case) throws {
    self.one = one
    original = try SumsBench(one.recipe)
  }

  func run() throws {
    let count = try attempt(nil)
    for (number, effect) in FaultSweep.turns(count, FaultInjectionTests.loud, offset: 0) {
      _ = try attempt(.init(.operation(number, of: nil), effect))
    }
    // What fails once often goes on failing.
    for kind in FaultyDevice.Kind.allCases {
      for number in 0..<min(3, count) {
        let effect = FaultyDevice.Effect.fail(
          kind == .read
            ? .unreadable(offset: 0, errno: .ioError)
            : kind == .flush ? .flushFailed(.ioError) : .full(offset: 0))
        _ = try attempt(.init(.fromOperation(number, of: kind), effect))
      }
    }
  }

  /// Does the work with one fault, then looks at what is left; returns how many operations there were.
  private func attempt(_ fault: FaultyDevice.Fault?) throws -> Int {
    let bench = original.copy()
    let story: Comment = "\(one.testDescription), \(String(describing: fault))"
    let faulty = FaultyDevice(bench.file, plan: fault.map { [$0] } ?? [])
    do {
      try perform(bench, faulty, story)
    } catch {
      // Only the file may be to blame, and only where something could not be kept in it.
      #expect(fault != nil, "\(error) without a fault; \(story)")
      #expect("\(error)".contains("\"sums\""), "\(error); \(story)")
    }
    let count = faulty.operationCount()
    faulty.heal()
    // Whatever the file's device had promised nothing of is gone.
    bench.file.rollBack()
    do {
      if one.work == .degradedWrite || one.work == .rebuild {
        try bench.refill(bench.array.recipe.slotCount - 1, story)
      }
      try bench.check(story)
    } catch {
      Issue.record("\(error); \(story)")
    }
    return count
  }

  private func perform(
    _ bench: SumsBench, _ file: FaultyDevice, _ story: Comment
  ) throws {
    let slot = bench.array.recipe.slotCount - 1
    let isDegraded = [.degradedWrite, .rebuild].contains(one.work)
    try bench.use(file, without: isDegraded ? [slot] : []) { array in
      defer { #expect(array.failures.isEmpty, "\(array.failures.map(\.name)); \(story)") }
      var options = SweepOptions()
      options.workers = 1
      switch one.work {
      case .wholeWrite: try bench.write(0, bench.array.model.count / 4096 * 4096, to: array)
      case .partWrite, .degradedWrite: try bench.write(5000, 9000, to: array)
      case .read: #expect(try bench.array.contents(array) == bench.array.model, story)
      case .scrub:
        var scrub = RaidArray.ScrubOptions()
        scrub.sweep = options
        let report = try array.scrub(scrub)
        #expect(report.findings == [], "\(report.findings); \(story)")
      case .rebuild:
        let new = bench.array.fresh(garbage: 3)
        let ranges = try array.admit(new, toSlot: slot)
        bench.array.devices[slot] = new
        #expect(try array.rebuild(slot: slot, ranges: ranges, options).isComplete, story)
      case .replace:
        let new = bench.array.fresh(garbage: 3)
        try array.admitReplacement(new, forSlot: slot)
        #expect(
          try array.rebuild(slot: slot, isReplacement: true, options).lostBlocks == [], story)
        try array.finishReplacing(slot: slot)
        bench.array.devices[slot] = new
      }
    }
  }
}
