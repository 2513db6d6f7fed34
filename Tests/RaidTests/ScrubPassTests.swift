import BlockStorage
import FToolTestSupport
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// A pass of a scrub that is interrupted and goes on is one pass, and its report is of all of it.
@Suite struct ScrubPassTests {
  static let recipe = ArrayRecipe.raid5.with { $0.dataByteCount = 8 << 20 }

  /// Damage that can be repaired and damage that can't, in both halves.
  /// Who only looks writes nothing, not even what was found.
  @Test func `what cannot be put right is told without being written to`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 3)
    for slot in [0, 1] {
      let start = try bench.dataOffset(slot)
      bench.devices[slot].corrupt(start..<start + 10)
    }
    let before = bench.devices.map(\.contents)
    let array = try bench.open(writable: false)
    var options = RaidArray.ScrubOptions()
    options.repairs = false
    let report = try array.scrub(options)
    try array.close()
    #expect(report.unrepairedCount == 2 && array.failures.isEmpty)
    #expect(bench.devices.map(\.contents) == before)
  }

  private func damaged() throws -> ArrayBench {
    let bench = try ArrayBench(Self.recipe)
    try bench.fill(seed: 1)
    for (slot, offset) in [
      (0, 0), (1, 40960), (1, 81920), (2, 81920),
      (0, 6 << 20), (3, 7 << 20), (2, 7 << 20),
    ] {
      let at = try bench.dataOffset(slot) + offset
      bench.devices[slot].corrupt(at..<at + 5)
    }
    return bench
  }

  @Test(arguments: [true, false]) func `what was found before an interruption is in the report`(
    isClosed: Bool
  ) throws {
    let whole = try damaged()
    let once = try whole.open()
    let expected = try once.scrub(RaidArray.ScrubOptions())
    try once.close()
    #expect((expected.repairedCount, expected.unrepairedCount) == (3, 4))

    let bench = try damaged()
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    var array = try bench.open()
    let first = try array.scrub(options)
    #expect((first.repairedCount, first.unrepairedCount) == (2, 2))
    if isClosed { try array.close() } else { bench.devices = bench.devices.map { $0.copy() } }
    array = try bench.open()
    options.sweep.progress = { _, _ in true }
    let second = try array.scrub(options)
    #expect(second.isComplete)
    #expect(second.earlier == .init(repairedCount: 2, unrepairedCount: 2))
    #expect(second.findingCount == expected.findingCount)
    #expect(second.repairedCount == expected.repairedCount)
    #expect(second.unrepairedCount == expected.unrepairedCount)
    #expect(second.findings.count == 3)
    try array.close()
    #expect(try bench.header(0).counters.unrepairedBlocks == 4)
    // A new pass counts anew.
    array = try bench.open()
    let next = try array.scrub(RaidArray.ScrubOptions())
    #expect(next.earlier == .init())
    #expect((next.repairedCount, next.unrepairedCount) == (0, 4))
    try array.close()
  }

  /// What was given anew of a damaged block of sums is forgotten where the pass is interrupted in it.
  @Test(
    arguments: [ArrayRecipe.raid5, .raid6, .raid1, .raid10, .far2, .offset2, .triple],
    [true, false])
  func `sums that are renewed across an interruption are all renewed`(
    _ recipe: ArrayRecipe, isClosed: Bool
  ) throws {
    let bench = try ArrayBench(recipe.with { $0.dataByteCount = 10 << 20 })
    try bench.fill(seed: 1)
    let region = try #require(try bench.header(1).range(of: .sums))
    bench.devices[1].corrupt(region.lowerBound + 40..<region.lowerBound + 44)
    bench.devices[1].corrupt(region.lowerBound + 4136..<region.lowerBound + 4140)
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    var position = -1
    var isComplete = false
    while !isComplete {
      let array = try bench.open()
      let start = array.scrubRange(options).lowerBound
      // One that has to begin anew is let come to its end.
      let limit = start > position ? start + (3 << 20) : Int.max
      position = start
      options.sweep.progress = { done, _ in done < limit }
      isComplete = try array.scrub(options).isComplete
      if isClosed || isComplete {
        try array.close()
      } else {
        bench.devices = bench.devices.map { $0.copy() }
      }
    }
    let sums = try #require(
      try RaidArray.member(MemberProbe(bench.devices[1]), slot: 1, false, true, nil).sums)
    #expect(try sums.damagedRanges(in: 0..<sums.blockCount) == [])
  }

  /// A damaged block of sums of which one sum cannot be given anew, since the block is lost, stays so.
  @Test(arguments: [ArrayRecipe.raid5, .mirror])
  func `a lost block does not hold up the next scrub`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe.with { $0.dataByteCount = 10 << 20 })
    try bench.fill(seed: 1)
    let region = try #require(try bench.header(1).range(of: .sums))
    bench.devices[1].corrupt(region.lowerBound + 40..<region.lowerBound + 44)
    let sick = try [0, 1].map { slot in
      let start = try bench.dataOffset(slot) + 8192
      return FaultyDevice(
        bench.devices[slot],
        plan: [
          .init(
            .touching(start..<start + 1, by: .read),
            .fail(.unreadable(offset: start, errno: .ioError)))
        ])
    }
    bench.wrap = { device -> any BlockDevice in
      for faulty in sick where faulty.device === device { return faulty }
      return device
    }
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, _ in done < 6 << 20 }
    let array = try bench.open()
    #expect(try !array.scrub(options).isComplete)
    try array.close()
    #expect(try bench.open().scrubRange(options).lowerBound >= 6 << 20)
  }

  @Test(arguments: [1, 4]) func `however often it is interrupted, every block counts once`(
    workers: Int
  ) throws {
    let bench = try damaged()
    var report = ScrubReport()
    for stop in [1, 2, 3, 5, 7, 8] {
      let array = try bench.open()
      var options = RaidArray.ScrubOptions()
      options.sweep.workers = workers
      options.sweep.progress = { done, _ in done < stop << 20 }
      report = try array.scrub(options)
      try array.close()
      if report.isComplete { break }
    }
    #expect(report.isComplete)
    #expect((report.repairedCount, report.unrepairedCount) == (3, 4))
  }

  @Test func `who only looks begins at the start`() throws {
    let bench = try damaged()
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    let array = try bench.open()
    _ = try array.scrub(options)
    try array.close()
    let look = try bench.open(writable: false)
    options.sweep.progress = { _, _ in true }
    options.repairs = false
    let report = try look.scrub(options)
    #expect(report.isComplete)
    #expect(report.earlier == .init())
    // Two blocks have been repaired, and everything else is still there to see.
    #expect(report.findingCount == 5)
  }
}
