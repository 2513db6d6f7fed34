import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

@Suite struct RebuildTests {
  static let recipes = ArrayRecipe.redundant

  @Test(arguments: recipes) func `a new member may hold anything`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    // Half of it zeros, half of it not.
    let array = try bench.open(without: [0])
    var random = SeededGenerator(seed: 1)
    try bench.write(random.bytes(20000), at: 4096, to: array)
    bench.devices[0] = bench.fresh(garbage: 9)
    let ranges = try array.admit(bench.devices[0], toSlot: 0)
    #expect(try array.rebuild(slot: 0, ranges: ranges, SweepOptions()).isComplete)
    try array.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: recipes) func `a spare may hold anything`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    let array = try bench.open()
    let spare = bench.fresh(garbage: 10)
    try array.addSpare(spare)
    try array.failMember(named: bench.devices[1].name)
    try array.promoteSpare(named: nil, toSlot: 1)
    bench.devices[1] = spare
    #expect(try array.rebuild(slot: 1, SweepOptions()).isComplete)
    try array.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: recipes) func `a spare takes the place of who fails`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe.with { $0.spareCount = 1 })
    try bench.fill(seed: 3)
    let target = bench.devices[1]
    bench.inject(
      [.init(.fromOperation(0, of: .write), .fail(.gone(.noSuchAddressOrDevice)))], on: target)
    let array = try bench.open()
    #expect(try array.takeSpares().isEmpty)
    var random = SeededGenerator(seed: 2)
    try bench.write(random.bytes(20000), at: 4096, to: array)
    try array.flush()
    let taken = try array.takeSpares()
    #expect(taken.map(\.slot) == [1] && taken.map(\.spare) == [bench.spares[0].name])
    #expect(taken.map(\.failed) == [target.name])
    // What comes now goes to it, too.
    try bench.write(random.bytes(9000), at: 0, to: array)
    try array.close()
    bench.wrap = { $0 }
    let left = bench.devices[1]
    bench.devices[1] = bench.spares.removeLast()
    let again = try bench.open()
    #expect(try again.rebuild(slot: 1, SweepOptions()).isComplete)
    try again.close()
    #expect(try ArrayAudit.violations(bench) == [])
    bench.spares = [left]
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  @Test(arguments: recipes) func `zeros are written over what a new member held`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    let array = try bench.open(without: [0])
    bench.devices[0] = bench.fresh(garbage: 9)
    let ranges = try array.admit(bench.devices[0], toSlot: 0)
    // Before the rebuild has come so far.
    try bench.write([UInt8](repeating: 0, count: array.byteCount), at: 0, to: array)
    #expect(try array.rebuild(slot: 0, ranges: ranges, SweepOptions()).isComplete)
    try array.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: [true, false]) func `one bad block of another member costs one block`(
    _ hasSums: Bool
  ) throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.with { $0.hasSums = hasSums })
    try bench.fill(seed: 2)
    let bad = try bench.dataOffset(3) + 40960
    let faulty = FaultyDevice(
      bench.devices[3],
      plan: [
        .init(
          .touching(bad..<bad + 1, by: .read), .fail(.unreadable(offset: bad, errno: .ioError)))
      ])
    let damaged = bench.devices[3]
    bench.wrap = { device -> any BlockDevice in
      if device === damaged { return faulty }
      return device
    }
    let array = try bench.open(without: [0])
    bench.devices[0] = bench.fresh()
    let ranges = try array.admit(bench.devices[0], toSlot: 0)
    let report = try array.rebuild(slot: 0, ranges: ranges, SweepOptions())
    #expect(report.lostBlocks == [40960])
    #expect(array.failures.isEmpty)
    let end = try bench.dataOffset(0) + 40960
    let original = try ArrayBench(ArrayRecipe.raid5.with { $0.hasSums = hasSums })
    try original.fill(seed: 2)
    #expect(
      try bench.devices[0].bytes(try bench.dataOffset(0)..<end)
        == original.devices[0].bytes(try original.dataOffset(0)..<end))
  }

  /// What went by way of the journal while it was still there, too, and also when the journal has been emptied since.
  @Test(arguments: ArrayRecipe.redundant)
  func `who fails in the middle of writes comes back with all of them`(_ recipe: ArrayRecipe) throws
  {
    for turn in Swift.stride(from: 1, to: 120, by: 7) {
      let bench = try ArrayBench(recipe.with { $0.dataByteCount = 256 << 10 })
      try bench.fill(seed: 3)
      bench.inject(
        [
          .init(
            .fromOperation(turn, of: .write), .fail(.unwritable(offset: 0, errno: .ioError)))
        ], on: bench.devices[1])
      var random = SeededGenerator(seed: UInt64(turn))
      let array = try bench.open()
      for _ in 0..<6 {
        let start = Int.random(in: 0..<bench.model.count - 90_000, using: &random)
        try bench.write(
          random.bytes(Int.random(in: 1...90_000, using: &random)), at: start, to: array)
        if Bool.random(using: &random) { try array.flush() }
      }
      try array.close()
      bench.wrap = { $0 }
      guard try bench.open(writable: false).degradedSlots == [1] else { continue }
      try bench.bringBack(1)
      #expect(try bench.contents(bench.open(writable: false)) == bench.model, "turn \(turn)")
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "turn \(turn)")
    }
  }

  /// Writes of all sizes, whole rows and parts of them, and a member that fails at any of its writes or flushes.
  @Test(
    arguments: ArrayRecipe.redundant + ArrayRecipe.redundant.map { $0.with { $0.hasBitmap = true } }
  )
  func `who fails at any moment comes back with everything`(_ recipe: ArrayRecipe) throws {
    let original = try ArrayBench(recipe)
    try original.fill(seed: 3)
    var returnedCount = 0
    for seed in 0..<UInt64(24) {
      var random = SeededGenerator(seed: seed)
      let bench = original.copy()
      let slot = Int.random(in: 0..<recipe.slotCount, using: &random)
      let kind: FaultyDevice.Kind = Bool.random(using: &random) ? .write : .flush
      let number = Int.random(in: 4..<90, using: &random)
      bench.inject(
        [
          .init(
            .fromOperation(number, of: kind),
            .fail(kind == .write ? .unwritable(offset: 0, errno: .ioError) : .flushFailed(.ioError))
          )
        ], on: bench.devices[slot])
      let array = try bench.open()
      for _ in 0..<12 {
        let start = Int.random(in: 0..<bench.model.count, using: &random)
        let most = Bool.random(using: &random) ? 6000 : bench.model.count
        let count = Int.random(in: 1...min(most, bench.model.count - start), using: &random)
        try bench.write(random.bytes(count), at: start, to: array)
        if Int.random(in: 0..<3, using: &random) == 0 { try array.flush() }
      }
      try array.close()
      bench.wrap = { $0 }
      guard try bench.open(writable: false).degradedSlots == [slot] else { continue }
      returnedCount += 1
      try bench.bringBack(slot)
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "seed \(seed)")
      for other in 0..<recipe.slotCount {
        let reader = try bench.open(writable: false, without: [other])
        #expect(try bench.contents(reader) == bench.model, "seed \(seed), without \(other)")
      }
    }
    #expect(returnedCount > 0)
  }

  /// What is written makes room in the journal for itself first, which forgets what came before, and not this.
  @Test(arguments: ArrayRecipe.redundant.filter(\.hasJournal))
  func `who fails in a write that empties the journal comes back with all of it`(
    _ recipe: ArrayRecipe
  ) throws {
    for turn in 0..<9 {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 3)
      let faulty = bench.inject([], on: bench.devices[1])
      let array = try bench.open()
      let rows = SeededGenerator.bytes(seed: 4, bench.model.count)
      try bench.write(rows, at: 0, to: array)
      let number = faulty.operationCount(.write) + turn
      faulty.plan(
        .init(.fromOperation(number, of: .write), .fail(.unwritable(offset: 0, errno: .ioError))))
      try bench.write(SeededGenerator.bytes(seed: 5, 20000), at: 8192, to: array)
      try array.close()
      bench.wrap = { $0 }
      guard try bench.open(writable: false).degradedSlots == [1] else { continue }
      try bench.bringBack(1)
      #expect(try bench.contents(bench.open(writable: false)) == bench.model, "turn \(turn)")
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "turn \(turn)")
    }
  }

  /// A rebuild that is cut off at its beginning leaves a member that the next one finds in its place.
  @Test(arguments: [ArrayRecipe.raid10, .raid10.with { $0.version = .v1_0 }, .far2])
  func `who is being prepared stays who it was`(_ recipe: ArrayRecipe) throws {
    for turn in 0..<40 {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 3)
      try bench.write([1, 2, 3], at: 9000, to: bench.open(without: [1]))
      let array = try bench.open(without: [1])
      try bench.write([4, 5, 6], at: 90_000, to: array)
      try array.close()
      bench.inject([.init(.fromOperation(turn, of: .write), .vanish)], on: bench.devices[1])
      let cut = try bench.open(degraded: true)
      let probe = try #require(
        cut.assembly.members.first { $0.name == bench.devices[1].name })
      _ = try? cut.admit(probe.device, toSlot: 1, knownAs: probe)
      bench.wrap = { $0 }
      let again = try bench.open(degraded: true)
      let found = try #require(
        again.assembly.members.firstIndex { $0.name == bench.devices[1].name }, "turn \(turn)")
      if again.degradedSlots == [1], again.members.slots[1].member == nil {
        let probe = again.assembly.members[found]
        #expect(probe.superblock.role == .slot(1), "turn \(turn)")
        let ranges = try again.admit(probe.device, toSlot: 1, knownAs: probe)
        _ = try again.rebuild(slot: 1, ranges: ranges, SweepOptions())
        try again.close()
        #expect(try ArrayAudit.violations(bench) == [], "turn \(turn)")
      }
      #expect(try bench.contents(bench.open(writable: false, degraded: true)) == bench.model)
    }
  }

  /// What nobody can compute may be as it was on the member that is out of date: then that is the last there is.
  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid10]) func `what is lost is not written over`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let (slot, place) = try bench.place(of: 8192)
    let other = try bench.geometry.level == 5 ? (slot + 1) % 4 : bench.place(of: 8192, copy: 1).slot
    let old = try bench.devices[slot].bytes(place..<place + 4096)
    let array = try bench.open(without: [slot])
    try bench.write([1], at: 8192 + 4096 * 3, to: array)
    let bad = try bench.dataOffset(other) + place - bench.dataOffset(slot)
    bench.devices[other].corrupt(bad..<bad + 10)
    let probe = try MemberProbe(bench.devices[slot])
    let ranges = try array.admit(bench.devices[slot], toSlot: slot, knownAs: probe)
    let report = try array.rebuild(slot: slot, ranges: ranges, SweepOptions())
    try array.close()
    #expect(report.lostBlocks == [try place - bench.dataOffset(slot)])
    #expect(try bench.devices[slot].bytes(place..<place + 4096) == old)
    #expect(throws: DeviceError.self) { try bench.open(writable: false).bytes(8192..<12288) }
  }

  @Test func `a replacement takes what only its own member has`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 3)
    // Slot 2 is gone, so that slot 1 itself is the only source of what it holds.
    let bad = try bench.dataOffset(1) + 16384
    bench.devices[1].corrupt(bad..<bad + 10)
    let array = try bench.open(without: [2])
    let new = bench.fresh(garbage: 4)
    try array.admitReplacement(new, forSlot: 1)
    let report = try array.rebuild(slot: 1, isReplacement: true, SweepOptions())
    #expect(report.lostBlocks == [16384])
  }

  @Test(
    arguments: [ArrayRecipe.raid1, .raid10, .raid5].flatMap {
      [$0, $0.with { $0.hasSums = false }]
    })
  func `a part of a lost block does not make the rest of it good`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let array = try bench.open()
    for slot in array.members.slots { #expect(slot.member?.badBlocks.insert([0]) == true) }
    for part in [0..<512, 1024..<4096, 3584..<5120] {
      #expect(throws: DeviceError.self) {
        try array.write([UInt8](repeating: 1, count: part.count), at: part.lowerBound)
      }
      #expect(throws: DeviceError.self) { try array.bytes(0..<4096) }
    }
    if case .parity = array.shape.placement { return }
    try bench.write(SeededGenerator.bytes(seed: 4, 4096), at: 0, to: array)
    #expect(try array.bytes(0..<4096) == Array(bench.model[..<4096]))
  }

  /// A write that is refused leaves no mark by which what is damaged would pass for what a crash has left.
  @Test(
    arguments: [ArrayRecipe.raid0, .raid1, .raid10, .far2, .raid5, .raid6].flatMap {
      [$0, $0.withoutJournal]
    })
  func `a refused write does not bless what is damaged`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    for slot in bench.devices.indices {
      let start = try bench.dataOffset(slot)
      bench.devices[slot].corrupt(start..<start + recipe.dataByteCount)
    }
    for part in [8191..<8192, 4096..<4100, 4000..<9000] {
      let array = try bench.open()
      #expect(throws: (any Error).self) {
        try array.write([UInt8](repeating: 1, count: part.count), at: part.lowerBound)
      }
      try array.close()
      let again = try bench.open(writable: false)
      for block in stride(from: 0, to: 32768, by: 4096) {
        #expect(throws: DeviceError.self, "\(part) \(block)") {
          try again.bytes(block..<block + 4096)
        }
      }
    }
  }

  /// Half-built members fill nobody, least of all one that is out of date and has more than they.
  @Test func `without a member in sync nothing is written`() throws {
    let bench = try ArrayBench(.raid1)
    try bench.fill(seed: 3)
    var array = try bench.open(without: [0, 1])
    try bench.write([1, 2, 3], at: 0, to: array)
    for slot in [0, 1] {
      bench.devices[slot] = bench.fresh()
      _ = try array.admit(bench.devices[slot], toSlot: slot)
    }
    try array.close()
    let before = bench.devices.map(\.contents)
    #expect(throws: RaidError.self) { try bench.open(without: [2]) }
    array = try bench.open(writable: false, without: [2])
    #expect(throws: DeviceError.self) { try array.bytes(0..<4096) }
    #expect(bench.devices.map(\.contents) == before)
  }

  /// Once what nobody had is written again, the same takes the place at last.
  @Test func `a replacement that lacked a block gets it later`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 3)
    let bad = try bench.dataOffset(1) + 16384
    bench.devices[1].corrupt(bad..<bad + 10)
    let array = try bench.open(without: [2])
    let new = bench.fresh(garbage: 4)
    try array.admitReplacement(new, forSlot: 1)
    #expect(
      try array.rebuild(slot: 1, isReplacement: true, SweepOptions()).lostBlocks == [16384])
    let listed = try #require(array.members.slots[1].replacement?.listedBlocks)
    let again = try array.rebuild(slot: 1, ranges: listed, isReplacement: true, SweepOptions())
    #expect(again.lostBlocks == [16384])
    try bench.write(bench.model, at: 0, to: array)
    let last = try array.rebuild(
      slot: 1, ranges: array.members.slots[1].replacement?.listedBlocks, isReplacement: true,
      SweepOptions())
    #expect(last.lostBlocks.isEmpty)
    try array.finishReplacing(slot: 1)
    try array.close()
    bench.devices[1] = new
    #expect(try bench.contents(bench.open(without: [2])) == bench.model)
  }

  @Test(arguments: [ArrayRecipe.raid1, .raid10, .far2, .offset2, .raid5, .raid6])
  func `after a crash, who replaces a member that is gone is no worse than the others`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 7)
    let slot = recipe.slotCount - 1
    let array = try bench.open()
    let new = bench.fresh()
    try array.admitReplacement(new, forSlot: slot)
    _ = try array.rebuild(slot: slot, isReplacement: true, SweepOptions())
    var random = SeededGenerator(seed: 8)
    for _ in 0..<6 {
      let offset = Int.random(in: 0..<array.byteCount - 9000, using: &random)
      try bench.write(random.bytes(9000), at: offset, to: array)
    }
    // What was written is in its place, its sums are not, and the power goes off.
    bench.devices[slot] = new
    let reopened = try bench.open(degraded: true)
    let report = try reopened.scrub(RaidArray.ScrubOptions())
    #expect(report.findings.isEmpty, "\(recipe.testDescription)")
    #expect(try reopened.bytes(0..<reopened.byteCount) == bench.model)
    try reopened.close()
    withExtendedLifetime(array) {}
  }

  /// What the only copy of a block holds after a crash is what is read, and what a new member gets, although the
  /// sum speaks of something else.
  @Test(arguments: [ArrayRecipe.raid1, .raid10, .far2, .offset2])
  func `what a crash has left in doubt is filled in as it is read`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe.withoutJournal)
    try bench.fill(seed: 7)
    let away = Set(recipe.level == .mirrored ? 1..<recipe.slotCount : 1..<2)
    let crashed = try bench.open(without: away)
    var random = SeededGenerator(seed: 8)
    for _ in 0..<6 {
      let offset = Int.random(in: 0..<crashed.byteCount - 9000, using: &random)
      try bench.write(random.bytes(9000), at: offset, to: crashed)
    }
    // The data is there, its sums are not.
    try bench.devices.forEach { try $0.flush() }
    let array = try bench.open(without: away)
    #expect(try bench.contents(array) == bench.model)
    _ = try array.admit(bench.fresh(), toSlot: 1)
    let report = try array.rebuild(slot: 1, SweepOptions())
    #expect(report.lostBlocks.isEmpty)
    #expect(try bench.contents(array) == bench.model)
    let scrub = try array.scrub(RaidArray.ScrubOptions())
    #expect(scrub.findings.isEmpty)
    #expect(try bench.contents(array) == bench.model)
    try array.close()
    withExtendedLifetime(crashed) {}
  }

  /// Blocks that a member lists as bad come back from a copy that a crash has left in doubt.
  @Test func `what a crash has left in doubt repairs what is listed as bad`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid10.withoutJournal)
    try bench.fill(seed: 7)
    let crashed = try bench.open(without: [1])
    try bench.write(SeededGenerator.bytes(seed: 9, 4096), at: 0, to: crashed)
    try bench.devices.forEach { try $0.flush() }
    let array = try bench.open(without: [1])
    _ = try array.admit(bench.fresh(), toSlot: 1)
    _ = try array.rebuild(slot: 1, SweepOptions())
    #expect(array.members.slots[1].member?.badBlocks.insert([0]) == true)
    let scrub = try array.scrub(RaidArray.ScrubOptions())
    #expect(scrub.findings.allSatisfy { $0.outcome != .unrepairable }, "\(scrub.findings)")
    #expect(array.members.slots[1].member?.badBlocks.isEmpty == true)
    try array.close()
    withExtendedLifetime(crashed) {}
  }

  @Test(arguments: ArrayRecipe.redundant) func `a member that comes back gets what it missed`(
    _ recipe: ArrayRecipe
  ) throws {
    for chunk in [4096, 32768, 131072] {
      let bench = try ArrayBench(
        recipe.with {
          if $0.chunk > 0 { $0.chunk = chunk }
          $0.dataByteCount = 1 << 20
          $0.hasBitmap = true
        })
      try bench.fill(seed: 5)
      var array = try bench.open()
      var random = SeededGenerator(seed: 6)
      try array.failMember(named: bench.devices[1].name)
      for _ in 0..<3 {
        let offset = Int.random(in: 0..<array.byteCount - 70000, using: &random)
        try bench.write(random.bytes(70000), at: offset, to: array)
      }
      try array.close()
      array = try bench.open(without: [1])
      let ranges = try array.admit(
        bench.devices[1], toSlot: 1, knownAs: try MemberProbe(bench.devices[1]))
      if recipe.level != .mirroredStripes { #expect(ranges != nil, "\(recipe.testDescription)") }
      let report = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      if ranges != nil { #expect(report.rebuiltByteCount < 1 << 20) }
      #expect(report.isComplete)
      try array.close()
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "chunk \(chunk), \(recipe.testDescription)")
    }
  }

  @Test func `a mirror that went its own way gets everything`() throws {
    let bench = try ArrayBench(
      ArrayRecipe.mirror.with {
        $0.dataByteCount = 1 << 20
        $0.hasBitmap = true
      })
    try bench.fill(seed: 7)
    var random = SeededGenerator(seed: 8)
    var array = try bench.open(without: [0])
    try array.write(random.bytes(5000), at: 900_000)
    try array.close()
    array = try bench.open(without: [1])
    try bench.write(random.bytes(5000), at: 100_000, to: array)
    try bench.write(random.bytes(5000), at: 100_000, to: array)
    try array.close()
    array = try bench.open(without: [1])
    try bench.write(random.bytes(5000), at: 100_000, to: array)
    let ranges = try array.admit(
      bench.devices[1], toSlot: 1, knownAs: try MemberProbe(bench.devices[1]))
    _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
    try array.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: recipes) func `a target that fails is no success`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 9)
    let array = try bench.open(without: [0])
    let new = bench.fresh()
    let faulty = FaultyDevice(new)
    let ranges = try array.admit(faulty, toSlot: 0)
    faulty.plan(.init(.fromOperation(faulty.operationCount(), of: nil), .vanish))
    // A user's write fails it, not the rebuild.
    let bytes = SeededGenerator.bytes(seed: 3, 8192)
    try bench.write(bytes, at: 0, to: array)
    try bench.write(bytes, at: array.byteCount - 8192, to: array)
    #expect(throws: RaidError.self) {
      let report = try array.rebuild(slot: 0, ranges: ranges, SweepOptions())
      if !report.isComplete { throw RaidError.interrupted }
    }
    try array.close()
    #expect(try bench.contents(bench.open(writable: false, without: [0])) == bench.model)
  }

  @Test func `a member in sync is not rebuilt`() throws {
    let bench = try ArrayBench(.raid5)
    let array = try bench.open()
    #expect(throws: RaidError.unsuitable(.slotIsInUse(1))) {
      try array.rebuild(slot: 1, SweepOptions())
    }
    let spare = bench.fresh()
    try array.addSpare(spare)
    #expect(throws: RaidError.unsuitable(.slotIsInUse(1))) {
      try array.promoteSpare(named: nil, toSlot: 1)
    }
    #expect(array.members.spares.count == 1)
    #expect(throws: RaidError.unsuitable(.slotIsInUse(2))) {
      try array.admit(bench.fresh(), toSlot: 2)
    }
    try array.close()
  }

  @Test(arguments: recipes) func `goes on where it was stopped`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe.with { $0.dataByteCount = 8 << 20 })
    var array = try bench.open()
    var random = SeededGenerator(seed: 10)
    for offset in stride(from: 0, to: array.byteCount - 9000, by: array.byteCount / 9) {
      try bench.write(random.bytes(9000), at: offset, to: array)
    }
    try array.close()
    array = try bench.open(without: [0])
    bench.devices[0] = bench.fresh(garbage: 3)
    _ = try array.admit(bench.devices[0], toSlot: 0)
    var options = SweepOptions()
    options.workers = 1
    options.progress = { done, end in done < end / 3 }
    let report = try array.rebuild(slot: 0, options)
    #expect(!report.isComplete)
    try array.close()
    #expect(try bench.superblock(0).features.contains(.recoveryOffset))
    array = try bench.open()
    #expect(array.degradedSlots == [0])
    let valid = try #require(array.members.slots[0].member).validByteCount
    #expect(valid == report.position && valid > 0)
    let rest = try array.rebuild(slot: 0, SweepOptions())
    #expect(rest.isComplete && rest.rebuiltByteCount < report.end)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    #expect(try bench.open(writable: false).degradedSlots == [])
  }
}

extension SeededGenerator {
  static func bytes(seed: UInt64, _ count: Int) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return random.bytes(count)
  }
}
