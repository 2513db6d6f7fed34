import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// The program or the machine dies, and what is open again afterwards.
@Suite struct CrashTests {
  @Test(
    arguments: ArrayRecipe.redundant + ArrayRecipe.redundant.map(\.withoutJournal), [false, true])
  func `a crash leaves only what was being written in doubt`(
    _ recipe: ArrayRecipe, losesPower: Bool
  ) throws {
    for seed in 0..<UInt64(3) {
      let bench = try ArrayBench(
        recipe.with {
          $0.dataByteCount = 192 << 10
          $0.hasBitmap = seed % 2 == 0
        })
      try bench.fill(seed: seed)
      var random = SeededGenerator(seed: seed)
      let crashed = try bench.open()
      // Some writes that a flush made safe, and one that the crash comes into.
      let safe = Int.random(in: 0..<bench.model.count - 30000, using: &random)
      try bench.write(random.bytes(30000), at: safe, to: crashed)
      try crashed.flush()
      let torn = Int.random(in: 0..<bench.model.count - 20000, using: &random)
      let bytes = random.bytes(20000)
      try crashed.write(bytes, at: torn)
      var devices = bench.devices
      if losesPower {
        for device in devices { device.cutPower(using: &random) }
      } else {
        // Only some of the members' writes came through.
        for index in devices.indices where Bool.random(using: &random) {
          devices[index].rollBack()
        }
      }
      devices = devices.map { $0.copy() }
      bench.devices = devices
      try check(bench, torn: torn, bytes)
    }
  }

  private func check(_ bench: ArrayBench, torn: Int, _ bytes: [UInt8]) throws {
    let story: Comment = "\(bench.recipe.testDescription), torn at \(torn)"
    var array = try bench.open()
    #expect(array.wasUnclean != bench.recipe.hasJournal, story)
    #expect(!bench.recipe.hasJournal || !array.hasDoubt, story)
    let range = torn..<torn + bytes.count
    for _ in 0..<2 {
      let contents = try bench.contents(array)
      for block in stride(from: 0, to: contents.count, by: 512) {
        let part = block..<min(block + 512, contents.count)
        if part.overlaps(range) { continue }
        if contents[part] != bench.model[part] {
          Issue.record("byte \(block) changed, \(story)")
          break
        }
      }
      for offset in range
      where contents[offset] != bench.model[offset] && contents[offset] != bytes[offset - torn] {
        Issue.record("byte \(offset) is neither old nor new, \(story)")
        break
      }
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.unrepairedCount == 0, "\(report.findings), \(story)")
      bench.model = try bench.contents(array)
      try array.close()
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], story)
      array = try bench.open()
      #expect(!array.wasUnclean && !array.hasDoubt, story)
    }
    try array.close()
  }

  /// What a resync writes gets a sum of what was to be written, not of what can be read in its place.
  @Test(arguments: ArrayRecipe.redundant.map(\.withoutJournal).filter(\.hasSums))
  func `a mend that a disk loses or writes elsewhere is found`(_ recipe: ArrayRecipe) throws {
    let crashed = try ArrayBench(
      recipe.with {
        $0.dataByteCount = 192 << 10
        $0.hasBitmap = false
      })
    try crashed.fill(seed: 5)
    let before = crashed.copy()
    let array = try crashed.open()
    try array.write(SeededGenerator.bytes(seed: 6, 60000), at: 8192)
    for (slot, device) in crashed.devices.enumerated() {
      try device.flush()
      let data = try crashed.dataOffset(slot)..<crashed.dataOffset(slot) + crashed.sizes[slot]
      if slot % 2 == 0 { try device.write(before.devices[slot].bytes(data), at: data.lowerBound) }
      try device.flush()
    }
    crashed.devices = crashed.devices.map { $0.copy() }
    var mendCount = 0
    for slot in crashed.devices.indices {
      let data = try crashed.dataOffset(slot)..<crashed.dataOffset(slot) + crashed.sizes[slot]
      for effect in [FaultyDevice.Effect.ignore, .misdirect(by: 8192), .misdirect(by: -4096)] {
        for turn in 0..<4 {
          let bench = crashed.copy()
          let story: Comment = "\(recipe.testDescription), slot \(slot), write \(turn), \(effect)"
          let faulty = bench.inject(
            [.init(.nthTouching(turn, data, by: .write), effect)], on: bench.devices[slot])
          var options = RaidArray.ScrubOptions()
          options.sweep.workers = 1
          let resynced = try bench.open()
          _ = try resynced.scrub(options)
          try resynced.close()
          if faulty.faultCount == 0 { break }
          mendCount += 1
          // Some mends are read again, and who lost one is out at once.
          if resynced.degradedSlots == [slot] { continue }
          bench.wrap = { $0 }
          let again = try bench.open()
          let report = try again.scrub(options)
          #expect(
            report.findings.allSatisfy { $0.outcome == .repaired }, "\(report.findings), \(story)")
          bench.model = try bench.contents(again)
          try again.close()
          let violations = try ArrayAudit.violations(bench)
          #expect(violations == [], "\(violations), \(story)")
        }
      }
    }
    #expect(mendCount > 0)
  }

  @Test func `outside the marked regions a wrong sum is an error at once`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid0.with { $0.dataByteCount = 1 << 20 })
    try bench.fill(seed: 1)
    let array = try bench.open()
    try array.write([UInt8](repeating: 7, count: 4096), at: 0)
    bench.devices = bench.devices.map { $0.copy() }
    let place = try bench.place(of: 1_500_000)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 1)
    let inDoubt = try bench.place(of: 0)
    bench.devices[inDoubt.slot].corrupt(inDoubt.deviceOffset..<inDoubt.deviceOffset + 1)
    let again = try bench.open(writable: false)
    #expect(throws: DeviceError.self) { try again.bytes(1_499_136..<1_507_328) }
    _ = try again.bytes(0..<4096)
  }

  @Test func `a member that fails while nothing was written does not hide the first write`() throws
  {
    let bench = try ArrayBench(.raid6)
    try bench.fill(seed: 1)
    let victim = bench.devices[2]
    let faulty = FaultyDevice(victim)
    bench.wrap = { device -> any BlockDevice in
      if device === victim { return faulty }
      return device
    }
    let array = try bench.open()
    faulty.plan(.init(.fromOperation(0, of: nil), .vanish))
    _ = try bench.contents(array)
    #expect(array.degradedSlots == [2])
    try array.write([UInt8](repeating: 1, count: 4096), at: 0)
    #expect(try !bench.superblock(0).isClean)
  }

  @Test func `a repair while nothing was written is kept and counted`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 1)
    let place = try bench.place(of: 0)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 3)
    let array = try bench.open()
    #expect(try bench.contents(array) == bench.model)
    try array.close()
    #expect(bench.devices[place.slot].unsafeWriteCount == 0)
    #expect(try bench.header(place.slot).counters.damagedBlocks == 1)
    #expect(try bench.header(place.slot).counters.repairedBlocks == 1)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(arguments: [false, true]) func `a write below where a resync stands is in doubt again`(
    _ hasBitmap: Bool
  ) throws {
    let bench = try ArrayBench(
      ArrayRecipe.raid5.with {
        $0.dataByteCount = 8 << 20
        $0.hasSums = false
        $0.hasBitmap = hasBitmap
      })
    var array = try bench.open()
    try bench.write([UInt8](repeating: 3, count: 40960), at: 0, to: array)
    bench.devices = bench.devices.map { $0.copy() }
    array = try bench.open()
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    #expect(try !array.scrub(options).isComplete)
    try array.close()
    let stopped = try bench.superblock(0).resyncOffsetSectors
    if !hasBitmap { #expect(stopped > 0 && stopped != MDSuperblock.allOnes) }
    array = try bench.open()
    try bench.write([UInt8](repeating: 4, count: 8192), at: 0, to: array)
    #expect(try bench.superblock(0).resyncOffsetSectors == 0)
    bench.devices = bench.devices.map { $0.copy() }
    // As if the parity had not been written.
    let roles = bench.geometry.roles(ofRow: 0)
    let parity = try #require(roles.firstIndex(of: .parity(0)))
    let start = try bench.dataOffset(parity)
    bench.devices[parity].corrupt(start..<start + 100)
    array = try bench.open()
    #expect(array.hasDoubt)
    _ = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test(
    arguments: ArrayRecipe.redundant + ArrayRecipe.redundant.map { $0.with { $0.hasSums = false } })
  func `a copy of before what was cut off is not one that was cut off`(
    recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 8)
    let before = bench.devices.map { $0.copy() }
    let array = try bench.open()
    try bench.write([UInt8](repeating: 7, count: 40960), at: 0, to: array)
    try array.flushAll()
    let cutOff = bench.devices.map { $0.copy() }
    for slot in cutOff.indices {
      bench.devices = cutOff
      bench.devices[slot] = before[slot]
      let found = try bench.open(writable: false, degraded: true)
      #expect(found.degradedSlots == [slot])
      #expect(try bench.contents(found) == bench.model)
    }
  }

  @Test func `a scrub that was stopped starts anew when there is new doubt`() throws {
    let bench = try ArrayBench(
      ArrayRecipe.raid5.with {
        $0.dataByteCount = 8 << 20
        $0.hasJournal = false
      })
    var array = try bench.open()
    try bench.write([UInt8](repeating: 3, count: 40960), at: 0, to: array)
    try bench.write([UInt8](repeating: 3, count: 40960), at: 20 << 20, to: array)
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    #expect(try !array.scrub(options).isComplete)
    try array.close()
    array = try bench.open()
    try bench.write([UInt8](repeating: 4, count: 8192), at: 0, to: array)
    bench.devices = bench.devices.map { $0.copy() }
    let roles = bench.geometry.roles(ofRow: 0)
    let parity = try #require(roles.firstIndex(of: .parity(0)))
    let start = try bench.dataOffset(parity)
    bench.devices[parity].corrupt(start..<start + 100)
    array = try bench.open()
    #expect(array.hasDoubt)
    let report = try array.scrub(RaidArray.ScrubOptions())
    #expect(report.isComplete)
    try array.close()
    #expect(try bench.superblock(0).isClean)
    let clean = try bench.open(writable: true)
    let again = try clean.scrub(RaidArray.ScrubOptions())
    #expect(again.findingCount == 0)
    try clean.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  @Test(arguments: [ArrayRecipe.raid6.withoutJournal, ArrayRecipe.triple.withoutJournal])
  func `parities agree with each other although data is missing`(
    _ recipe: ArrayRecipe
  ) throws {
    for missing in 0..<recipe.slotCount {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 4)
      var array = try bench.open(without: [missing])
      try bench.write(SeededGenerator.bytes(seed: 5, 40960), at: 0, to: array)
      bench.devices = bench.devices.map { $0.copy() }
      // One parity of each row of the written part is older than the other.
      for row in 0..<3 {
        let roles = bench.geometry.roles(ofRow: row)
        let parity = try #require(roles.firstIndex(of: .parity(1)))
        guard parity != missing else { continue }
        let start = try bench.dataOffset(parity) + row * recipe.chunk
        bench.devices[parity].corrupt(start..<start + 4096)
      }
      array = try bench.open(without: [missing])
      #expect(array.hasDoubt)
      _ = try array.scrub(RaidArray.ScrubOptions())
      let settled = try bench.contents(array)
      // Whatever it settled on, a further loss gives the same.
      try array.close()
      for other in 0..<recipe.slotCount where other != missing {
        let less = try bench.open(writable: false, without: [missing, other])
        #expect(try bench.contents(less) == settled, "without \(missing) and \(other)")
      }
    }
  }

  @Test func `creating with an empty slot makes parities that agree`() throws {
    for recipe in [ArrayRecipe.raid6, .triple] {
      var devices: [MemoryDevice?] = (0..<recipe.slotCount).map { recipe.device("m\($0)") }
      for (index, device) in devices.enumerated() {
        guard let device else { continue }
        try device.write(SeededGenerator.bytes(seed: UInt64(index), device.byteCount), at: 0)
      }
      devices[1] = nil
      let creation = try ArrayCreation(ArrayBench.request(recipe), devices: devices, spares: [])
      try creation.write()
      _ = try creation.initialise(assumesClean: false, SweepOptions())
      var options = RaidArray.Options()
      options.allowsDegraded = true
      let all = try RaidArray.open(devices.compactMap { $0 }, options: options)
      let contents = try all.bytes(0..<all.byteCount)
      for slot in [0, 2, 3, 4] {
        var less = devices
        less[slot] = nil
        let array = try RaidArray.open(less.compactMap { $0 }, options: options)
        #expect(try array.bytes(0..<array.byteCount) == contents, "without \(slot)")
      }
    }
  }

  @Test(arguments: ArrayRecipe.redundant + ArrayRecipe.redundant.map(\.withoutJournal))
  func `a full disk fails nobody, and what it cut off is settled`(
    _ recipe: ArrayRecipe
  ) throws {
    for hasBitmap in [false, true] {
      for slot in 0..<2 {
        for number in 0..<6 {
          let bench = try ArrayBench(recipe.with { $0.hasBitmap = hasBitmap })
          try bench.fill(seed: 6)
          let target = bench.devices[slot]
          let faulty = FaultyDevice(target)
          bench.wrap = { device -> any BlockDevice in
            if device === target { return faulty }
            return device
          }
          let array = try bench.open()
          faulty.plan(
            .init(.fromOperation(number, of: .write), .fail(.full(offset: 0))))
          let bytes = SeededGenerator.bytes(seed: 8, 12288)
          let result = Result { try array.write(bytes, at: 8192) }
          faulty.heal()
          #expect(array.failures.isEmpty)
          if case .failure = result {
            // It can be written again, and then all is well.
            try bench.write(bytes, at: 8192, to: array)
          } else {
            bench.model.replaceSubrange(8192..<8192 + bytes.count, with: bytes)
          }
          // A small change beside it must not make things worse.
          try bench.write([1, 2, 3], at: 9, to: array)
          try array.close()
          let again = try bench.open()
          if again.hasDoubt { _ = try again.scrub(RaidArray.ScrubOptions()) }
          try again.close()
          let violations = try ArrayAudit.violations(bench)
          #expect(violations == [], "\(recipe.testDescription), write \(number) of slot \(slot)")
        }
      }
    }
  }

  @Test func `in doubt and unreadable is lost, not made up`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.withoutJournal)
    try bench.fill(seed: 9)
    var array = try bench.open()
    // The first chunk of a row is new on its member, parity is still the old one.
    let parity = try #require(bench.geometry.roles(ofRow: 0).firstIndex(of: .parity(0)))
    let before = bench.devices[parity].copy()
    try array.write(SeededGenerator.bytes(seed: 10, 4096), at: 0)
    bench.devices = bench.devices.map { $0.copy() }
    let start = try bench.dataOffset(parity)
    try bench.devices[parity].write(before.bytes(start..<start + 4096), at: start)
    let other = try bench.place(of: 8192)
    let device = bench.devices[other.slot]
    let faulty = FaultyDevice(
      device,
      plan: [
        .init(
          .touching(other.deviceOffset..<other.deviceOffset + 1, by: .read),
          .fail(.unreadable(offset: other.deviceOffset, errno: .ioError)))
      ])
    bench.wrap = { each -> any BlockDevice in
      if each === device { return faulty }
      return each
    }
    array = try bench.open()
    #expect(array.hasDoubt)
    let read = try? array.bytes(8192..<12288)
    #expect(read == nil || read == Array(bench.model[8192..<12288]))
  }

  /// What it holds decides what the others disagree on.
  @Test(
    arguments: [ArrayRecipe.raid5, .raid6, .mirror].flatMap { [$0, $0.withoutJournal] })
  func `a member is not given up while there is doubt`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    var array = try bench.open()
    try array.write(SeededGenerator.bytes(seed: 4, 9000), at: 5000)
    try array.flushAll()
    bench.devices = bench.devices.map { $0.copy() }
    array = try bench.open(doubt: false)
    if recipe.level != .mirrored && !recipe.hasJournal {
      #expect(throws: RaidError.unsuitable(.memberDecidesDoubt("m1"))) {
        try array.failMember(named: "m1")
      }
      _ = try array.scrub(RaidArray.ScrubOptions())
    }
    try array.failMember(named: "m1")
    try array.close()
    #expect(try bench.open(without: [1]).degradedSlots == [1])
  }

  /// A scrub must not make the parity that does not fit the truth about what nobody could read.
  @Test(
    arguments: [ArrayRecipe.raid4, .raid5, .raid6, .triple].map { $0.with { $0.hasSums = false } })
  func `in doubt and unreadable stays lost after a scrub`(_ recipe: ArrayRecipe) throws {
    for place in 0..<3 {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 9)
      var array = try bench.open()
      // The first chunk of a row is new on its member, the first parity is still the old one.
      let roles = bench.geometry.roles(ofRow: 0)
      let parity = try #require(roles.firstIndex(of: .parity(0)))
      let before = bench.devices[parity].copy()
      try bench.write(SeededGenerator.bytes(seed: 10, 4096), at: 0, to: array)
      bench.devices = bench.devices.map { $0.copy() }
      let start = try bench.dataOffset(parity)
      try bench.devices[parity].write(before.bytes(start..<start + 4096), at: start)
      // What can't be read: other data, or the parity.
      let lost =
        place == 0 ? (slot: parity, deviceOffset: start) : try bench.place(of: place * recipe.chunk)
      let device = bench.devices[lost.slot]
      let patchy = PatchyDevice(device)
      patchy.lose(lost.deviceOffset..<lost.deviceOffset + 4096)
      bench.wrap = { each -> any BlockDevice in
        if each === device { return patchy }
        return each
      }
      array = try bench.open(doubt: false)
      let report = try array.scrub(RaidArray.ScrubOptions())
      // Without it each of several parities agrees with the rest, and they contradict each other.
      #expect((report.undecidedBlockCount > 0) == (place > 0), "\(place)")
      try array.close()
      array = try bench.open(doubt: false)
      #expect(array.hasDoubt == (place > 0), "\(place)")
      let wanted = place * recipe.chunk..<place * recipe.chunk + 4096
      let read = try? array.bytes(wanted)
      #expect(read == nil || read == Array(bench.model[wanted]), "\(place)")
      #expect((read == nil) == (place > 0), "\(place)")
      try array.close()
      // Written again, it is good.
      array = try bench.open(doubt: false)
      try bench.write(SeededGenerator.bytes(seed: 11, 4096), at: wanted.lowerBound, to: array)
      #expect(try array.scrub(RaidArray.ScrubOptions()).unrepairedCount == 0)
      try array.close()
      #expect(try !bench.open(writable: false).hasDoubt)
      #expect(try ArrayAudit.violations(bench) == [])
    }
  }

  @Test func `in doubt, unreadable and without a sum is lost, but for who insists`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.with { $0.hasSums = false })
    try bench.fill(seed: 9)
    var array = try bench.open()
    try array.write(SeededGenerator.bytes(seed: 10, 4096), at: 0)
    bench.devices = bench.devices.map { $0.copy() }
    // Parity is of other data than one of the blocks that it covers.
    let changed = try bench.place(of: 0)
    bench.devices[changed.slot].corrupt(changed.deviceOffset..<changed.deviceOffset + 4096)
    let other = try bench.place(of: 8192)
    bench.inject(
      [
        .init(
          .touching(other.deviceOffset..<other.deviceOffset + 1, by: .read),
          .fail(.unreadable(offset: other.deviceOffset, errno: .ioError)))
      ], on: bench.devices[other.slot])
    array = try bench.open(writable: false, doubt: false)
    #expect(array.hasDoubt)
    #expect(throws: DeviceError.self) { try array.bytes(8192..<12288) }
    array = try bench.open(writable: false, doubt: true)
    #expect(try array.bytes(8192..<12288) != Array(bench.model[8192..<12288]))
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid1, .raid10, .far2, .offset2])
  func `a copy that vanishes while doubt is settled spoils no other`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 11)
    var array = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 12, 32768), at: 0, to: array)
    bench.devices = bench.devices.map { $0.copy() }
    for slot in bench.devices.indices {
      for number in [0, 1, 2, 4] {
        let trial = bench.copy()
        let target = trial.devices[slot]
        let faulty = FaultyDevice(target)
        trial.wrap = { device -> any BlockDevice in
          if device === target { return faulty }
          return device
        }
        array = try trial.open()
        _ = try array.bytes(4096..<8192)
        let start = Int(try trial.superblock(slot).dataOffsetSectors) * 512
        let reads = faulty.operationCount(.read)
        _ = start
        faulty.plan(.init(.fromOperation(reads + number, of: .read), .vanish))
        _ = try array.scrub(RaidArray.ScrubOptions())
        try array.close()
        let contents = try trial.contents(trial.open(writable: false, without: [slot]))
        #expect(contents == trial.model, "slot \(slot), read \(number)")
      }
    }
  }

  @Test func `one copy in doubt that cannot be read spoils no other`() throws {
    let bench = try ArrayBench(.mirror)
    try bench.fill(seed: 13)
    var array = try bench.open()
    try array.write(SeededGenerator.bytes(seed: 14, 4096), at: 0)
    bench.devices = bench.devices.map { $0.copy() }
    let start = try bench.dataOffset(0)
    let first = bench.devices[0]
    let faulty = FaultyDevice(
      first,
      plan: [
        .init(
          .touching(start..<start + 1, by: .read),
          .fail(.unreadable(offset: start, errno: .ioError)))
      ])
    bench.wrap = { device -> any BlockDevice in
      if device === first { return faulty }
      return device
    }
    // The second copy is in doubt: new data, old sum.
    let new = SeededGenerator.bytes(seed: 15, 4096)
    try bench.devices[1].write(new, at: try bench.dataOffset(1))
    array = try bench.open()
    _ = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    let second = try bench.dataOffset(1)
    #expect(try bench.devices[1].bytes(second..<second + 4096) == new)
  }
}
