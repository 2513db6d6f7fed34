import BlockStorage
import FToolTestSupport
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// What a job leaves in doubt when it is killed: a scrub and a rebuild write nothing that anybody
/// counts on, so nothing.
@Suite struct MarkingTests {
  /// Every level, and with one of them all that can be kept beside the data.
  static let recipes =
    [(false, false), (false, true), (true, false), (true, true)].map { kept in
      ArrayRecipe.raid5.with {
        $0.hasSums = kept.0
        $0.hasBitmap = kept.1
        $0.dataByteCount = 2 << 20
      }
    }
    + [ArrayRecipe.raid1, .mirror, .raid6, .raid10, .far2, .triple].map {
      $0.with {
        $0.hasSums = false
        $0.dataByteCount = 2 << 20
      }
    }

  /// The devices as a process that dies now leaves them.
  private func kill(_ bench: ArrayBench) { bench.devices = bench.devices.map { $0.copy() } }

  @Test(arguments: recipes) func `a scrub that is killed leaves a clean array clean`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let before = try bench.devices.indices.map { try bench.superblock($0) }
    let place = try bench.place(of: 0)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 3)
    let array = try bench.open(doubt: false)
    var options = RaidArray.ScrubOptions()
    options.sweep.progress = { done, end in done < end / 2 }
    _ = try array.scrub(options)
    kill(bench)
    #expect(try bench.devices.indices.map { try bench.superblock($0) } == before)
    let again = try bench.open(doubt: false)
    #expect(!again.hasDoubt && !again.wasUnclean)
    options.sweep.progress = { _, _ in true }
    #expect(try again.scrub(options).isComplete)
    try again.close()
    #expect(try bench.superblock(0).isClean)
    if recipe.hasSums { #expect(try ArrayAudit.violations(bench) == []) }
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid6, .raid10])
  func `a resync that is killed puts no more in doubt`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(
      recipe.with {
        $0.hasSums = false
        $0.dataByteCount = 8 << 20
      })
    var array = try bench.open()
    try bench.write([UInt8](repeating: 3, count: 40960), at: 0, to: array)
    kill(bench)
    array = try bench.open()
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    #expect(try !array.scrub(options).isComplete)
    try array.close()
    let stopped = try bench.superblock(0).resyncOffsetSectors
    #expect(stopped > 0 && stopped != MDSuperblock.allOnes)
    array = try bench.open()
    _ = try array.scrub(options)
    kill(bench)
    #expect(try bench.superblock(0).resyncOffsetSectors == stopped)
    array = try bench.open()
    _ = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    #expect(try bench.superblock(0).isClean)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: recipes) func `a rebuild that is killed is given again and goes on`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    var array = try bench.open(without: [1])
    bench.devices[1] = bench.fresh(garbage: 2)
    _ = try array.admit(bench.devices[1], toSlot: 1)
    var options = SweepOptions()
    options.workers = 1
    options.progress = { done, end in done < end / 2 }
    #expect(try !array.rebuild(slot: 1, options).isComplete)
    kill(bench)
    #expect(try bench.superblock(0).isClean)
    // Without being told that doubt is no matter.
    array = try bench.open(doubt: false)
    #expect(array.degradedSlots == [1])
    #expect(try array.rebuild(slot: 1, SweepOptions()).isComplete)
    try array.close()
    #expect(try bench.superblock(0).isClean)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: [ArrayRecipe.raid5, .raid6, .triple]) func `members come and go without a mark`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let array = try bench.open()
    try array.addSpare(bench.fresh())
    #expect(try bench.superblock(0).isClean)
    try array.failMember(named: bench.devices[2].name)
    #expect(try bench.superblock(0).isClean)
    try array.promoteSpare(named: nil, toSlot: 2)
    #expect(try bench.superblock(0).isClean)
    // But a write marks, as ever.
    try array.write([UInt8](repeating: 1, count: 4096), at: 0)
    #expect(try !bench.superblock(0).isClean)
  }
}
