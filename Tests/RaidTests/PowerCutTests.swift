import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Testing

@testable import Raid

/// Faults that cutting the power of simulated arrays has found.
@Suite struct PowerCutTests {
  private var oneWorker: RaidArray.ScrubOptions {
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    return options
  }

  /// Does something to an array until the power goes off.
  ///
  /// - Returns: false when it came to its end.
  private func cut(
    _ bench: ArrayBench, after number: Int, of operation: PowerSwitch.Operation,
    losesCaches: Bool = true, _ body: (RaidArray) throws -> Void
  ) throws -> Bool {
    let power = PowerSwitch(after: number, of: operation)
    bench.wrap = { power.wrap($0) }
    // What the last cut has left in a journal is put in its place when it is opened.
    let result = Result { try body(bench.open(degraded: true)) }
    bench.wrap = { $0 }
    guard power.isOff else {
      try result.get()
      return false
    }
    if losesCaches { for device in bench.devices + bench.spares { device.rollBack() } }
    return true
  }

  @Test(arguments: [ArrayRecipe.raid0, .mirror, .raid5, .far2])
  func `two updates that are cut off put no member out of date`(_ recipe: ArrayRecipe) throws {
    let whole = try ArrayBench(recipe)
    try whole.fill(seed: 1)
    var first = 0
    while true {
      let once = whole.copy()
      guard try cut(once, after: first, of: .flush, { try $0.write([1], at: 0) }) else { break }
      var second = 0
      while true {
        let twice = once.copy()
        guard try cut(twice, after: second, of: .flush, { try $0.write([1], at: 0) }) else { break }
        let array = try twice.open(writable: false)
        #expect(array.degradedSlots == [], "cut at \(first) and \(second)")
        second += 1
      }
      #expect(second > 0)
      first += 1
    }
    #expect(first > recipe.slotCount)
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid10, .offset2], [true, false])
  func `what has been read of copies in doubt stays`(
    _ recipe: ArrayRecipe, _ hasSums: Bool
  ) throws {
    let bench = try ArrayBench(recipe.withoutJournal.with { $0.hasSums = hasSums })
    try bench.fill(seed: 2)
    let crashed = try bench.open()
    try crashed.write(SeededGenerator.bytes(seed: 3, 20000), at: 5000)
    bench.devices[0].rollBack()
    bench.devices = bench.devices.map { $0.copy() }
    let looking = try bench.open(writable: false)
    let seen = try bench.contents(looking)
    for _ in 0..<4 { #expect(try bench.contents(looking) == seen) }
    let array = try bench.open()
    let report = try array.scrub(oneWorker)
    // That a crash has cut off a write is no damage.
    #expect(report.findingCount == 0 && report.resyncedBlockCount > 0, "\(report.findings)")
    try array.close()
    #expect(try bench.contents(bench.open(writable: false)) == seen)
    bench.model = seen
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid6])
  func `a scrub that is cut off leaves out nothing when it goes on`(_ recipe: ArrayRecipe) throws {
    let damaged = try ArrayBench(recipe)
    try damaged.fill(seed: 4)
    let start = try damaged.dataOffset(1)
    damaged.devices[1].corrupt(start..<start + 10)
    damaged.devices[1].corrupt(start + 8192..<start + 8193)
    var number = 0
    while true {
      let bench = damaged.copy()
      let options = oneWorker
      let isCut = try cut(bench, after: number, of: .flush) { array in
        _ = try array.scrub(options)
        try array.close()
      }
      guard isCut else { break }
      let array = try bench.open()
      _ = try array.scrub(options)
      try array.close()
      #expect(try ArrayAudit.violations(bench) == [], "cut at \(number)")
      number += 1
    }
    #expect(number > 3)
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid6, .raid10])
  func `a replacement is not believed where a write was cut off`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    let new = bench.fresh()
    let slot = 1
    var array = try bench.open()
    try array.admitReplacement(new, forSlot: slot)
    _ = try array.rebuild(slot: slot, isReplacement: true, oneWorker.sweep)
    try array.flushAll()
    // The replacement alone misses a write that the others have.
    let bytes = SeededGenerator.bytes(seed: 6, array.byteCount)
    try array.write(bytes, at: 0)
    new.rollBack()
    for device in bench.devices { try device.flush() }
    bench.model = bytes
    bench.devices = bench.devices.map { $0.copy() }
    bench.spares = [new.copy()]

    array = try bench.open(degraded: true)
    _ = try array.scrub(oneWorker)
    _ = try array.rebuild(slot: slot, isReplacement: true, oneWorker.sweep)
    try array.finishReplacing(slot: slot)
    try array.close()
    bench.devices[slot] = bench.spares[0]
    bench.spares = []
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test func `an array whose replacement has all of a slot lacks nobody`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.withoutJournal)
    try bench.fill(seed: 7)
    let new = bench.fresh()
    let array = try bench.open()
    try array.admitReplacement(new, forSlot: 1)
    _ = try array.rebuild(slot: 1, isReplacement: true, oneWorker.sweep)
    try bench.write([1, 2, 3], at: 0, to: array)
    try array.flushAll()
    // Everybody knows that the old member has left, but for the new one: it is said twice, and cut off the first time.
    let before = new.copy()
    try array.finishReplacing(slot: 1)
    bench.devices = bench.devices.map { $0.copy() }
    for slot in [0, 2, 3] { try AssemblyTests.edit(bench.devices[slot]) { $0.events -= 1 } }
    bench.spares = [before]
    let opened = try bench.open(degraded: true, doubt: false)
    #expect(opened.wasUnclean && opened.degradedSlots == [])
    #expect(try opened.scrub(oneWorker).findingCount == 0)
    try opened.finishReplacing(slot: 1)
    try opened.close()
    bench.devices[1] = before
    bench.spares = []
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test func `a member that is prepared anew loses its superblock before its regions`() throws {
    for number in 0..<12 {
      for seed in 0..<UInt64(8) {
        let bench = try ArrayBench(.raid5)
        try bench.fill(seed: 8)
        let target = bench.devices[1]
        let power = PowerSwitch(after: number, of: .write)
        let array = try bench.open(without: [1])
        _ = try? array.admit(power.wrap(target), toSlot: 1)
        var random = SeededGenerator(seed: seed)
        target.cutPower(using: &random)
        guard let probe = try? MemberProbe(target) else { continue }
        #expect(probe.header != nil, "cut after \(number) writes")
      }
    }
  }

  /// Where a linear member ends inside a block of the array, only the first part of that may be there.
  @Test(.timeLimit(.minutes(1))) func `a read that begins with what is lost ends`() throws {
    let bench = try ArrayBench(ArrayRecipe.linear.with { $0.dataByteCount += 512 * 3 })
    try bench.fill(seed: 9)
    let boundary = bench.sizes[0]
    let start = try bench.dataOffset(1)
    bench.devices[1].corrupt(start..<start + 1)
    let array = try bench.open(writable: false)
    #expect(throws: DeviceError.self) { try array.bytes(boundary..<boundary + 512) }
    #expect(
      try array.bytes(boundary - 512..<boundary)
        == bench.model[boundary - 512..<boundary].map { $0 })
  }
}
