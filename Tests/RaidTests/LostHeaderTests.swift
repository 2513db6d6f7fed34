import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// A member whose superblock is whole, and both copies of our header are not: nothing says any more where its sums are,
/// and nothing that it holds is believed unless others say so.
@Suite struct LostHeaderTests {
  /// Damages both copies of the header, and some of the data.
  private func rotten(_ recipe: ArrayRecipe, slot: Int) throws -> ArrayBench {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    try loseHeader(of: bench, slot)
    let start = try bench.dataOffset(slot)
    for block in 0..<5 {
      bench.devices[slot].corrupt(start + block * 4096 + 100..<start + block * 4096 + 108)
    }
    return bench
  }

  private func loseHeader(of bench: ArrayBench, _ slot: Int) throws {
    let device = bench.devices[slot]
    let near =
      Int(try bench.superblock(slot).superOffsetSectors) * 512 + RegionHeader.offsetInSuperblock
    let far = RegionHeader.farOffset(memberByteCount: device.byteCount)
    for start in [near, far] { device.corrupt(start + 20..<start + 21) }
    #expect(try MemberProbe(device).header == nil)
  }

  private static let twiceRedundant: [ArrayRecipe] = [.raid1, .raid6, .triple]
  private static let recipes = ArrayRecipe.redundant.flatMap {
    [$0, $0.withoutJournal, $0.with { $0.version = .v1_0 }]
  }

  @Test(arguments: recipes) func `what it holds is not believed`(_ recipe: ArrayRecipe) throws {
    for slot in [0, recipe.slotCount - 1] {
      let bench = try rotten(recipe, slot: slot)
      for _ in 0..<3 {
        let array = try bench.open(writable: false)
        #expect(try bench.contents(array) == bench.model)
        #expect(array.blocksUnproven == 0 && array.membersLackingSums == ["m\(slot)"])
      }
      // Neither is what a write needs of it, nor by a scrub.
      var array = try bench.open()
      try bench.write(SeededGenerator.bytes(seed: 2, 700), at: 9_000, to: array)
      try array.close()
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
      array = try bench.open()
      #expect(try array.scrub(RaidArray.ScrubOptions()).unrepairedCount == 0)
      #expect(array.failures.isEmpty)
      try array.close()
      for other in 0..<recipe.slotCount where other != slot {
        let reader = try bench.open(writable: false, without: [other])
        #expect(try bench.contents(reader) == bench.model)
      }
    }
  }

  @Test(arguments: twiceRedundant) func `nor when another is gone, and is rebuilt`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try rotten(recipe, slot: 0)
    #expect(try bench.contents(bench.open(writable: false, without: [1])) == bench.model)
    let array = try bench.open(without: [1])
    bench.devices[1] = bench.fresh()
    let ranges = try array.admit(bench.devices[1], toSlot: 1)
    let report = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
    #expect(report.lostBlocks.isEmpty && array.blocksUnproven == 0)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false, without: [0])) == bench.model)
  }

  /// All of it is said to be unproven.
  @Test(arguments: [ArrayRecipe.raid0, .linear]) func `without others it is taken as it is`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    try loseHeader(of: bench, 1)
    let array = try bench.open(writable: false)
    #expect(try bench.contents(array) == bench.model)
    #expect(array.blocksUnproven == recipe.dataByteCount / 4096)
  }

  @Test(arguments: recipes + [.raid0, .linear]) func `it gets a header again, and sums`(
    _ recipe: ArrayRecipe
  ) throws {
    for slot in [0, recipe.slotCount - 1] {
      let bench =
        recipe.level.usesWholeMembers ? try ArrayBench(recipe) : try rotten(recipe, slot: slot)
      if recipe.level.usesWholeMembers {
        try bench.fill(seed: 5)
        try loseHeader(of: bench, slot)
      }
      // A superblock that others wrote has no mark of ours.
      var array = try bench.open()
      try bench.write(SeededGenerator.bytes(seed: 2, 700), at: 9_000, to: array)
      #expect(try array.renewRegions() == ["m\(slot)"])
      try array.close()
      let reader = try bench.open(writable: false)
      #expect(reader.membersLackingSums.isEmpty && !reader.foundForeignWrite)
      #expect(try bench.contents(reader) == bench.model)
      array = try bench.open()
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.unrepairedCount == 0 && report.renewedSumCount > 0)
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings.isEmpty)
      try array.close()
      #expect(try ArrayAudit.violations(bench) == [])
      #expect(bench.events.contains { $0.kind == .regionsRenewed && $0.slot == slot })
    }
  }

  /// Their superblocks have marks, which only members with a header have.
  @Test(arguments: recipes) func `also where all have lost it, or nobody else is left`(
    _ recipe: ArrayRecipe
  ) throws {
    var bench = try rotten(recipe, slot: 0)
    for slot in 1..<recipe.slotCount { try loseHeader(of: bench, slot) }
    var array = try bench.open(writable: false)
    #expect(array.membersLackingSums.count == recipe.slotCount)
    _ = try array.bytes(0..<array.byteCount)
    #expect(array.blocksUnproven >= 5)
    array = try bench.open()
    #expect(try array.renewRegions().count == recipe.slotCount)
    try array.close()
    array = try bench.open()
    _ = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    #expect(try bench.open(writable: false).membersLackingSums.isEmpty)
    guard recipe.level == .mirrored else { return }
    bench = try rotten(recipe, slot: 0)
    array = try bench.open(writable: false, without: Set(1..<recipe.slotCount))
    _ = try array.bytes(0..<array.byteCount)
    #expect(array.blocksUnproven == recipe.dataByteCount / 4096)
  }

  /// A member that Linux md has taken in has all behind its superblock for data.
  @Test func `where there is no room for a header nothing is written`() throws {
    let bench = try rotten(.raid5, slot: 1)
    let device = bench.devices[1]
    var superblock = try bench.superblock(1)
    superblock.dataSizeSectors =
      UInt64(device.byteCount / 512) - superblock.dataOffsetSectors
    var block = try device.bytes(4096..<8192)
    var span = block.mutableSpan
    var bytes = span.mutableBytes
    superblock.encode(into: &bytes)
    try device.write(block, at: 4096)
    let before = device.contents
    let array = try bench.open()
    #expect(array.membersLackingSums == ["m1"])
    #expect(try array.renewRegions() == [])
    #expect(device.contents == before)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  /// What is in the journal of its blocks is right, too, although it keeps no sums itself.
  @Test(arguments: [ArrayRecipe.raid5, .raid6, .triple, .raid1, .mirror, .raid10])
  func `a write that is cut off is completed without it`(_ recipe: ArrayRecipe) throws {
    let begin = try ArrayBench(recipe)
    try begin.fill(seed: 5)
    try loseHeader(of: begin, 0)
    let writes = [(3000, 700), (8192, 8192), (40_000, 60_000)]
    var count = 0
    var isDone = false
    while !isDone {
      for cut in [PowerSwitch.Operation.write, .flush] {
        let bench = begin.copy()
        let power = PowerSwitch(after: count, of: cut)
        bench.wrap = { power.wrap($0) }
        if let array = try? bench.open() {
          for (offset, length) in writes {
            try? array.write(SeededGenerator.bytes(seed: UInt64(offset), length), at: offset)
          }
          // As when only the program is killed.
          if cut == .write { for device in bench.devices { try device.flush() } }
          try? array.close()
        }
        if cut == .flush { isDone = !power.isOff }
        let found = try bench.copy().contents(bench.copy().open(writable: false))
        try check(found, begin.model, writes, "cut off after \(count) \(cut)")
      }
      count += 1
    }
    #expect(count > 8)
  }

  /// Sectors are old or new where there was a write, and old elsewhere.
  private func check(
    _ found: [UInt8], _ old: [UInt8], _ writes: [(Int, Int)], _ comment: Comment
  ) throws {
    var new = old
    for (offset, length) in writes {
      new.replaceSubrange(
        offset..<offset + length, with: SeededGenerator.bytes(seed: UInt64(offset), length))
    }
    #expect(found.count == old.count, comment)
    for sector in stride(from: 0, to: old.count, by: 512) {
      let range = sector..<sector + 512
      let isOldOrNew = found[range] == old[range] || found[range] == new[range]
      if !isOldOrNew { Issue.record("byte \(sector): \(comment)") }
    }
  }

  @Test(arguments: [ArrayRecipe.raid5, .mirror, .raid10, .raid5.withoutJournal])
  func `cut off anywhere, all is as it was`(_ recipe: ArrayRecipe) throws {
    let begin = try rotten(recipe, slot: 1)
    var count = 0
    var isDone = false
    while !isDone {
      let bench = begin.copy()
      let power = PowerSwitch(after: count, of: .write)
      bench.wrap = { power.wrap($0) }
      if let array = try? bench.open() {
        _ = try? array.renewRegions()
        try? array.close()
      }
      isDone = !power.isOff
      count += 1
      bench.wrap = { $0 }
      let reader = try bench.open(writable: false)
      #expect(!reader.foundForeignWrite, "cut off after \(count)")
      #expect(try bench.contents(reader) == bench.model, "cut off after \(count)")
      let array = try bench.open()
      if !array.membersLackingSums.isEmpty { #expect(try array.renewRegions() == ["m1"]) }
      try array.close()
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    }
    #expect(count > 10)
  }

  /// Before the journal forgets what it has missed, the others say that it is out: it has no part in the journal that
  /// could tell.
  @Test(arguments: [ArrayRecipe.raid5, .raid6, .mirror, .raid10], [true, false])
  func `when it fails before a checkpoint it is not counted on after a crash`(
    _ recipe: ArrayRecipe, isHeaderLost: Bool
  ) throws {
    let begin = try ArrayBench(recipe.with { $0.dataByteCount = 64 << 10 })
    try begin.fill(seed: 3)
    if isHeaderLost { try loseHeader(of: begin, 1) }
    for device in begin.devices { try device.flush() }
    let bytes = SeededGenerator.bytes(seed: 4, begin.model.count)
    let first = SeededGenerator.bytes(seed: 5, 8192)
    var sickCount = 0
    for sickFlush in 0..<2 {
      var count = 0
      while true {
        let bench = begin.copy()
        let power = PowerSwitch(after: count, of: .write, isArmed: false)
        let sick = bench.devices[1]
        let faulty = FaultyDevice(sick)
        bench.wrap = { device in
          let inner: any BlockDevice = device === sick ? faulty : device
          return power.wrap(inner)
        }
        let array = try bench.open()
        var before = begin.model
        before.replaceSubrange(8192..<16384, with: first)
        try array.write(first, at: 8192)
        // The journal has all of a part of a row, so that it need not be flushed.
        if recipe.level == .mirrored || recipe.level == .mirroredStripes { try array.flush() }
        power.arm()
        let number = faulty.operationCount(.flush) + sickFlush
        faulty.plan(.init(.fromOperation(number, of: .flush), .fail(.flushFailed(.ioError))))
        var isAcknowledged = false
        do {
          try array.write(bytes, at: 0)
          try array.flush()
          isAcknowledged = true
          try array.close()
        } catch {}
        if faulty.faultCount > 0 { sickCount += 1 }
        for device in bench.devices { device.rollBack() }
        bench.wrap = { $0 }
        let again = try bench.open(degraded: true)
        let lost = again.degradedSlots
        try again.close()
        for slot in lost.isEmpty ? [0, bench.devices.count - 1] : lost {
          let reader = try bench.open(writable: false, without: [slot])
          for block in stride(from: 0, to: bytes.count, by: 4096) {
            let range = block..<min(block + 4096, bytes.count)
            let story: Comment =
              "flush \(sickFlush) of the sick one, write \(count), block \(block) without \(slot)"
            guard let found = try? reader.bytes(range) else {
              // Who has no sums has none of before in the record: of whole rows in flight nobody knows what it should
              // have, once it is out.
              #expect(isHeaderLost && !isAcknowledged && lost == [1], story)
              continue
            }
            if found == Array(bytes[range]) { continue }
            #expect(!isAcknowledged && found == Array(before[range]), story)
          }
        }
        if !power.isOff { break }
        count += 1
      }
      #expect(count > 10)
    }
    #expect(sickCount > 0)
  }
}
