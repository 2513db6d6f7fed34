import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Random arrays against an array of bytes in memory.
@Suite struct ArrayPropertyTests {
  /// Some thousand operations; with FTOOL_SOAK set, some hundred thousand.
  static let seeds = 0..<UInt64(Machine.environment("FTOOL_SOAK") == nil ? 30 : 600)

  @Test(arguments: seeds) func `holds what was written whatever happens`(
    seed: UInt64
  ) throws {
    var life = try ArrayLife(seed: seed)
    try life.run(phases: 5, operationsPerPhase: 60)
  }

  @Test(arguments: ArrayRecipe.all) func `is right all over after it was created`(
    _ recipe: ArrayRecipe
  ) throws {
    for version in [ArrayRecipe().version, .v1_0, .v1_1] {
      let zeros = try ArrayBench(recipe.with { $0.version = version })
      #expect(try ArrayAudit.violations(zeros) == [])
      // Members that held something keep it as content, and parity and copies follow it.
      let garbage = try ArrayBench(recipe.with { $0.version = version }, garbage: 3)
      #expect(try ArrayAudit.violations(garbage) == [])
    }
  }
}

/// The life of one array, by chance.
struct ArrayLife {
  let bench: ArrayBench
  let seed: UInt64
  private var random: SeededGenerator
  private var operationCount = 0

  init(seed: UInt64) throws {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    let recipe = ArrayRecipe.random(using: &random)
    bench = try ArrayBench(recipe, garbage: Bool.random(using: &random) ? seed : nil)
  }

  var story: Comment { "seed \(seed): \(bench.recipe.testDescription)" }

  mutating func run(phases: Int, operationsPerPhase: Int) throws {
    try audit()
    for _ in 0..<phases {
      let lost = lossesToTry()
      var array = try bench.open(without: lost)
      try work(array, operationsPerPhase)
      // Another may go while the array is open.
      var gone = lost
      if let slot = bench.devices.indices.filter({ !lost.contains($0) }).randomElement(
        using: &random), array.shape.survives(present: present(without: lost.union([slot]))),
        Bool.random(using: &random)
      {
        try array.failMember(named: bench.devices[slot].name)
        gone.insert(slot)
        try work(array, operationsPerPhase / 2)
      }
      try array.close()
      #expect(try bench.contents(bench.open(writable: false, without: gone)) == bench.model, story)
      if !gone.isEmpty {
        array = try bench.open(without: gone)
        for slot in gone.sorted() { try restore(slot, array) }
        try work(array, 10)
        try array.close()
      } else if bench.recipe.level.hasRedundancy, Int.random(in: 0..<3, using: &random) == 0 {
        try replace()
      }
      if Bool.random(using: &random) { try scrub() }
      try audit()
      let reopened = try bench.open(writable: false)
      #expect(!reopened.wasUnclean && !reopened.foundForeignWrite && !reopened.hasDoubt, story)
      #expect(reopened.degradedSlots == [], story)
      #expect(try bench.contents(reopened) == bench.model, story)
    }
  }

  private func audit() throws {
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [], "\(violations), \(story)")
  }

  private func present(without lost: Set<Int>) -> [Bool] {
    bench.devices.indices.map { !lost.contains($0) }
  }

  /// Members to leave away: as many as the level can lose, or fewer.
  private mutating func lossesToTry() -> Set<Int> {
    guard let shape = try? bench.open(writable: false).shape else { return [] }
    var lost = Set<Int>()
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let slot = Int.random(in: bench.devices.indices, using: &random)
      if shape.survives(present: present(without: lost.union([slot]))) { lost.insert(slot) }
    }
    return lost
  }

  private mutating func work(_ array: RaidArray, _ count: Int) throws {
    for _ in 0..<count {
      let range = range(array.byteCount)
      if Bool.random(using: &random) {
        let isZero = Int.random(in: 0..<6, using: &random) == 0
        let bytes =
          isZero ? [UInt8](repeating: 0, count: range.count) : random.bytes(range.count)
        try bench.write(bytes, at: range.lowerBound, to: array)
        if Int.random(in: 0..<20, using: &random) == 0 { try array.flush() }
      } else {
        #expect(try array.bytes(range) == Array(bench.model[range]), story)
      }
    }
  }

  private mutating func range(_ byteCount: Int) -> Range<Int> {
    let lengths = [1, 100, 511, 512, 4096, 8192, 20000, 65536, byteCount]
    var count = Int.random(in: 1...lengths.randomElement(using: &random)!, using: &random)
    var start = Int.random(in: 0..<byteCount, using: &random)
    switch Int.random(in: 0..<3, using: &random) {
    case 0:
      start = start / 4096 * 4096
      count = max(4096, count / 4096 * 4096)
    case 1 where bench.recipe.chunk > 0:
      start = start / bench.recipe.chunk * bench.recipe.chunk
    default: break
    }
    return start..<min(byteCount, start + count)
  }

  /// Fills a slot again: with what was there before, or with something new.
  private mutating func restore(_ slot: Int, _ array: RaidArray) throws {
    let ranges: [Range<Int>]?
    if Bool.random(using: &random) {
      let probe = try MemberProbe(bench.devices[slot])
      ranges = try array.admit(bench.devices[slot], toSlot: slot, knownAs: probe)
    } else {
      let seed = Bool.random(using: &random) ? random.next() : nil
      bench.devices[slot] = bench.fresh(garbage: seed)
      ranges = try array.admit(bench.devices[slot], toSlot: slot)
    }
    try work(array, 5)
    let report = try array.rebuild(slot: slot, ranges: ranges, SweepOptions())
    #expect(report.isComplete && report.lostBlocks.isEmpty, story)
  }

  private mutating func replace() throws {
    let slot = Int.random(in: bench.devices.indices, using: &random)
    let new = bench.fresh(garbage: Bool.random(using: &random) ? random.next() : nil)
    let array = try bench.open()
    try array.admitReplacement(new, forSlot: slot)
    try work(array, 5)
    let report = try array.rebuild(slot: slot, isReplacement: true, SweepOptions())
    #expect(report.isComplete && report.lostBlocks.isEmpty, story)
    try array.finishReplacing(slot: slot)
    bench.devices[slot] = new
    try work(array, 5)
    try array.close()
  }

  private mutating func scrub() throws {
    let array = try bench.open()
    let report = try array.scrub(RaidArray.ScrubOptions())
    #expect(report.findingCount == 0, story)
    #expect(report.isComplete, story)
    try array.close()
  }
}

extension RaidLevel {
  var hasRedundancy: Bool { !usesWholeMembers }
}
