import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
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

/// An array of random content without sums of its own, and the file that keeps them.
final class SumsBench {
  let array: ArrayBench
  let file: MemoryDevice

  init(_ recipe: ArrayRecipe) throws {
    array = try ArrayBench(recipe)
    try array.fill(seed: 1)
    let assembly = try Assembly(try array.devices.map { try MemberProbe($0) })
    let room = (assembly.members.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
    file = MemoryDevice(
      byteCount: SumsFile.byteCount(slotCount: recipe.slotCount, memberByteCount: room),
      name: "sums")
    try use(file) { array in _ = try array.scrub(RaidArray.ScrubOptions()) }
  }

  private init(copying other: SumsBench) {
    array = other.array.copy()
    file = other.file.copy()
  }

  /// The same once more, on devices of its own.
  func copy() -> SumsBench { SumsBench(copying: self) }

  /// Opens the array with a file of sums, and closes both as a command does, whatever comes of `body`.
  func use(
    _ file: any BlockDevice, without missing: Set<Int> = [], _ body: (RaidArray) throws -> Void
  ) throws {
    let given = array.devices.indices.filter { !missing.contains($0) }.map { array.devices[$0] }
    let assembly = try Assembly(try given.map { try MemberProbe($0) })
    let sums = try SumsFile(file, for: assembly)
    try sums.stamp(assembly.reference, isComplete: false)
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = !missing.isEmpty
    let opened = try RaidArray.open(assembly, options: options, sumsFile: sums)
    let result = Result { try body(opened) }
    try opened.close()
    try result.get()
    let member = try #require(opened.members.active.first)
    try sums.stamp(member.superblock, isComplete: opened.trustsAllSums)
  }

  var isTrusted: Bool {
    get throws {
      try SumsFile(file, for: try Assembly(try array.devices.map { try MemberProbe($0) })).isTrusted
    }
  }

  func write(_ offset: Int, _ count: Int, to array: RaidArray) throws {
    var random = SeededGenerator(seed: 77)
    try self.array.write(random.bytes(count), at: offset, to: array)
    try array.flush()
  }

  /// Puts a new member where the one that was left out has fallen behind.
  func refill(_ slot: Int, _ story: Comment) throws {
    let assembly = try Assembly(try array.devices.map { try MemberProbe($0) })
    guard assembly.slotsNotInSync.contains(slot) else { return }
    let new = array.fresh()
    try use(file, without: [slot]) { array in
      let ranges = try array.admit(new, toSlot: slot)
      #expect(try array.rebuild(slot: slot, ranges: ranges, SweepOptions()).isComplete, story)
    }
    array.devices[slot] = new
  }

  /// The content is what it should be, nothing is found that is not wrong, and a scrub makes the sums whole.
  func check(_ story: Comment) throws {
    var looking = RaidArray.ScrubOptions()
    looking.repairs = false
    looking.startsOver = true
    try use(file) { (array) throws in
      #expect(array.degradedSlots == [], story)
      #expect(try self.array.contents(array) == self.array.model, story)
      let found = try array.scrub(looking).findings
      #expect(found == [], "\(found); \(story)")
    }
    try use(file) { (array) throws in
      let found = try array.scrub(RaidArray.ScrubOptions()).findings
      #expect(found == [], "\(found); \(story)")
    }
    #expect(try isTrusted, story)
    let place = try array.place(of: 0)
    array.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 10)
    try use(file) { (array) throws in
      #expect(
        try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [place.slot], story)
      #expect(try self.array.contents(array) == self.array.model, story)
    }
  }
}
