import BlockStorage
import FToolTestSupport
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Sums that are kept in a file beside an array, as for one that another tool has made.
@Suite struct SumsFileTests {
  /// Members have more room for data than the array uses, as mdadm's often have.
  static let recipes = ArrayRecipe.redundant.map { $0.with { $0.hasSums = false } }

  /// An array and the file, which says that its sums are right.
  private func bench(_ recipe: ArrayRecipe) throws -> (ArrayBench, MemoryDevice) {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let assembly = try Assembly(try bench.devices.map { try MemberProbe($0) })
    let room = (assembly.members.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
    let file = MemoryDevice(
      byteCount: SumsFile.byteCount(slotCount: recipe.slotCount, memberByteCount: room),
      name: "sums")
    try use(bench, file) { array in _ = try array.scrub(RaidArray.ScrubOptions()) }
    return (bench, file)
  }

  /// Opens the array with the file, and closes both.
  private func use(
    _ bench: ArrayBench, _ file: MemoryDevice, without missing: Set<Int> = [],
    _ body: (RaidArray) throws -> Void
  ) throws {
    let given = bench.devices.indices.filter { !missing.contains($0) }.map { bench.devices[$0] }
    let assembly = try Assembly(try given.map { try MemberProbe($0) })
    let sums = try SumsFile(file, for: assembly)
    try sums.stamp(assembly.reference, isComplete: false)
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = !missing.isEmpty
    let array = try RaidArray.open(assembly, options: options, sumsFile: sums)
    try body(array)
    try array.close()
    let member = try #require(array.members.active.first)
    try sums.stamp(member.superblock, isComplete: array.trustsAllSums)
  }

  private func trusts(_ bench: ArrayBench, _ file: MemoryDevice) throws -> Bool {
    try SumsFile(file, for: try Assembly(try bench.devices.map { try MemberProbe($0) })).isTrusted
  }

  @Test(arguments: recipes) func `damaged sums are renewed`(_ recipe: ArrayRecipe) throws {
    let (bench, file) = try bench(recipe)
    #expect(try trusts(bench, file))
    let stride = (file.byteCount - 4096) / recipe.slotCount
    for slot in 0..<recipe.slotCount {
      let page = 4096 + slot * stride
      file.corrupt(page + 40..<page + 44)
    }
    var renewed = 0
    try use(bench, file) { (array) throws in
      renewed = try array.scrub(RaidArray.ScrubOptions()).renewedSumCount
    }
    #expect(renewed > 0)
    // What has been renewed speaks again.
    try use(bench, file) { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).renewedSumCount == 0)
    }
    let place = try bench.place(of: 0)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 10)
    try use(bench, file) { (array) throws in
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.findings.map(\.problem) == [.damaged])
      #expect(report.findings.map(\.slot) == [place.slot])
      #expect(report.repairedCount == 1)
      #expect(try bench.contents(array) == bench.model)
    }
  }

  @Test(arguments: recipes) func `a rebuilt member has the sums of what is on it`(
    _ recipe: ArrayRecipe
  ) throws {
    let (bench, file) = try bench(recipe)
    var random = SeededGenerator(seed: 2)
    try use(bench, file, without: [1]) { (array) throws in
      try bench.write(random.bytes(array.byteCount / 2), at: 8192, to: array)
    }
    bench.devices[1] = bench.fresh(garbage: 3)
    try use(bench, file, without: [1]) { (array) throws in
      let ranges = try array.admit(bench.devices[1], toSlot: 1)
      #expect(try array.rebuild(slot: 1, ranges: ranges, SweepOptions()).isComplete)
    }
    #expect(try trusts(bench, file))
    try use(bench, file) { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings == [])
      #expect(try bench.contents(array) == bench.model)
    }
    let at = try bench.dataOffset(1)
    bench.devices[1].corrupt(at..<at + 10)
    try use(bench, file) { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [1])
      #expect(try bench.contents(array) == bench.model)
    }
  }

  @Test(arguments: recipes) func `a replacement is not vouched for by sums that nobody kept`(
    _ recipe: ArrayRecipe
  ) throws {
    let (bench, file) = try bench(recipe)
    let new = bench.fresh(garbage: 3)
    try use(bench, file) { (array) throws in
      try array.admitReplacement(new, forSlot: 1)
      #expect(try array.rebuild(slot: 1, isReplacement: true, SweepOptions()).isComplete)
      _ = try array.finishReplacing(slot: 1)
      var random = SeededGenerator(seed: 4)
      try bench.write(random.bytes(20000), at: 4096, to: array)
    }
    bench.devices[1] = new
    try use(bench, file) { (array) throws in
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings == [])
      #expect(try bench.contents(array) == bench.model)
    }
    #expect(try trusts(bench, file))
  }
}
