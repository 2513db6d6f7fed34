import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization
import SystemPackage
import Testing

@testable import Raid

/// Each change of an array's state is in its history.
@Suite struct EventTests {
  typealias Kind = ArrayEvent.Kind

  @Test func `a new array has its beginning in its history`() throws {
    for recipe in ArrayRecipe.all {
      let bench = try ArrayBench(recipe)
      let events = bench.events
      let size = bench.geometry.byteCount
      #expect(events.first?.kind == .created, "\(recipe.testDescription)")
      #expect(events.first?.counts == .init(recipe.slotCount, size))
      #expect(events.map(\.sequence) == (1...events.count).map { UInt64($0) })
      #expect(!events.contains { $0.kind == .openedUnclean })
      // On every member.
      for device in bench.devices { #expect([try MemberProbe(device)].events == events) }
    }
    let plain = try ArrayBench(.raid5.with { $0.hasSums = false })
    let probe = try MemberProbe(plain.devices[0])
    #expect(plain.events.isEmpty && !probe.keepsEvents)
  }

  @Test func `writing and closing is no event, and costs no flush more`() throws {
    // The journal goes to other members from run to run.
    let bench = try ArrayBench(ArrayRecipe.raid5.withoutJournal)
    let before = bench.events
    var counts: [[Int]] = []
    for _ in 0..<2 {
      let faulty = bench.devices.map { FaultyDevice($0) }
      var options = RaidArray.Options()
      options.isWritable = true
      let array = try RaidArray.open(faulty, options: options)
      let opened = faulty.map { $0.operationCount(.read) }
      try array.write([UInt8](repeating: 7, count: 4096), at: 0)
      try array.flush()
      try array.close()
      counts.append(faulty.map { $0.operationCount(.flush) })
      // Nobody has looked at a ring.
      let region = try #require(try bench.header(0).range(of: .events))
      #expect(opened.allSatisfy { $0 < 40 } && region.count == 65536)
    }
    #expect(counts[0] == counts[1])
    #expect(bench.events == before)
  }

  @Test func `an event adds no flush`() throws {
    func flushes(_ notes: Bool) throws -> [Int] {
      let bench = try ArrayBench(.raid5)
      let faulty = bench.devices.map { FaultyDevice($0) }
      var options = RaidArray.Options()
      options.isWritable = true
      let array = try RaidArray.open(faulty, options: options)
      if notes { for _ in 0..<40 { array.members.note(.foreignWrite) } }
      try array.write([UInt8](repeating: 7, count: 4096), at: 0)
      try array.flush()
      if notes { array.members.note(.foreignWrite) }
      try array.close()
      if notes { #expect(bench.events.count { $0.kind == .foreignWrite } == 41) }
      return faulty.map { $0.operationCount(.flush) }
    }
    #expect(try flushes(true) == flushes(false))
  }

  @Test func `a scrub, whole, interrupted and killed`() throws {
    let bench = try ArrayBench(.raid5.with { $0.dataByteCount = 5 << 20 })
    try bench.fill(seed: 1)
    bench.devices[1].corrupt(try bench.dataOffset(1) + 5..<bench.dataOffset(1) + 6)
    let start = bench.events.count
    func scrub(_ stop: Bool, closes: Bool = true) throws {
      let array = try bench.open()
      var options = RaidArray.ScrubOptions()
      options.sweep.workers = 1
      options.sweep.progress = { _, _ in !stop }
      options.startsOver = true
      _ = try array.scrub(options)
      if closes { try array.close() }
    }
    try scrub(true)
    var events = Array(bench.events[start...])
    #expect(events.map(\.kind) == [.started, .interrupted, .blocksRepaired])
    #expect(events[1].cause == MaintenanceProgress.Operation.scrub.rawValue)
    #expect(events[1].counts.first > 0 && events[1].counts.first < events[1].counts.second)
    #expect(events[1].counts.third == 1)
    #expect(events[2].memberName == "m1" && events[2].slot == 1 && events[2].counts.first == 1)
    try scrub(false)
    events = Array(bench.events[start...])
    #expect(events.suffix(2).map(\.kind) == [.started, .finished])
    #expect(events.last?.counts.fourth == 0)
    // One that is killed says nothing; whoever comes next says it for it.
    let array = try bench.open()
    try array.members.onEach(array.members.active) { (member) throws(DeviceError) in
      var progress = MaintenanceProgress()
      progress.operation = .scrub
      progress.phase = .running
      progress.position = 8192
      progress.end = 65536
      progress.updatedAt = 1234
      member.setProgress(progress)
    }
    try array.members.storeProgress()
    try array.members.onEach(array.members.active) { (member) throws(DeviceError) in
      try member.flush()
    }
    for _ in 0..<2 {
      let array = try bench.open()
      try bench.write([1, 2, 3], at: 0, to: array)
      try array.close()
    }
    events = Array(bench.events[start...])
    #expect(events.count { $0.kind == .interrupted && $0.seconds == 1234 } == 1)
    #expect(events.last?.kind == .interrupted && events.last?.counts == .init(8192, 65536))
  }

  @Test func `a crash, and what the journal makes of it`() throws {
    let bench = try ArrayBench(.raid5)
    let array = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 2, 4096), at: 0, to: array)
    try array.flush()
    let start = bench.events.count
    try bench.open().close()
    let events = Array(bench.events[start...])
    #expect(events.map(\.kind) == [.journalReplayed])
    #expect(events[0].counts == .init(1, 8192))
  }

  @Test func `a crash, and the resync after it`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.withoutJournal)
    let array = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 2, 4096), at: 0, to: array)
    try array.flush()
    let start = bench.events.count
    let again = try bench.open()
    _ = try again.scrub(RaidArray.ScrubOptions())
    try again.close()
    let events = Array(bench.events[start...])
    #expect(events.map(\.kind) == [.openedUnclean, .started, .finished])
    #expect(events[0].counts.first > 0 && events[0].counts.first <= events[0].counts.second)
    #expect(events[1].cause == MaintenanceProgress.Operation.resync.rawValue)
  }

  @Test func `a member fails, and why`() throws {
    for (error, cause) in [
      (DeviceError.gone(.noSuchAddressOrDevice), ArrayEvent.FailureCause.gone),
      (.unwritable(offset: 77, errno: .ioError), .unwritable),
      (.flushFailed(.ioError), .flushFailed),
    ] {
      let bench = try ArrayBench(.raid5)
      let kind: FaultyDevice.Kind = cause == .flushFailed ? .flush : .write
      bench.inject([.init(.fromOperation(4, of: kind), .fail(error))], on: bench.devices[2])
      let array = try bench.open()
      try bench.write(SeededGenerator.bytes(seed: 2, 32768), at: 0, to: array)
      try array.flush()
      try array.close()
      #expect(array.failures.count == 1)
      let failed = bench.events.filter { $0.kind == .memberFailed }
      #expect(failed.count == 1)
      #expect(failed.first?.cause == cause.rawValue)
      #expect(failed.first?.memberName == "m2" && failed.first?.slot == 2)
      let id = try bench.superblock(2).deviceID
      #expect(failed.first?.memberID == id)
      #expect(failed.first?.counts.first == UInt64(error.errno?.rawValue ?? 0))
    }
  }

  @Test func `members come, are rebuilt, replaced and removed`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 1)
    var start = bench.events.count
    func new() -> [ArrayEvent] {
      defer { start = bench.events.count }
      return Array(bench.events[start...])
    }
    var array = try bench.open()
    try array.failMember(named: "m1")
    try array.close()
    var events = new()
    #expect(events.map(\.kind) == [.memberFailed])
    #expect(events[0].cause == ArrayEvent.FailureCause.declared.rawValue && events[0].slot == 1)

    let fresh = bench.fresh()
    array = try bench.open(without: [1], degraded: true)
    let ranges = try array.admit(fresh, toSlot: 1)
    _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
    try array.close()
    bench.devices[1] = fresh
    events = new()
    #expect(events.map(\.kind) == [.memberAdded, .started, .finished])
    #expect(events.allSatisfy { $0.slot == 1 && $0.memberName == fresh.name })
    #expect(events[2].cause == MaintenanceProgress.Operation.rebuild.rawValue)
    // Who came has all that went before.
    #expect([try MemberProbe(fresh)].events == bench.events)

    let better = bench.fresh()
    array = try bench.open()
    try array.admitReplacement(better, forSlot: 0)
    _ = try array.rebuild(slot: 0, isReplacement: true, SweepOptions())
    try array.finishReplacing(slot: 0)
    try array.close()
    bench.devices[0] = better
    events = new()
    #expect(
      events.map(\.kind) == [
        .memberAdded, .started, .finished, .memberRemoved, .memberReplaced,
      ])
    #expect(events[3].memberName == "m0" && events[4].memberName == better.name)

    array = try bench.open()
    let spare = bench.fresh()
    try array.addSpare(spare)
    try array.removeMember(named: spare.name)
    try array.close()
    events = new()
    #expect(events.map(\.kind) == [.memberAdded, .memberRemoved])
    #expect(events[0].cause == ArrayEvent.ArrivalCause.spare.rawValue && events[0].slot == nil)
  }

  @Test func `a rebuild that is stopped, goes on, and loses blocks`() throws {
    let patchy = try PatchyBench(.raid5.with { $0.dataByteCount = 5 << 20 }, seed: 1)
    patchy.remove(1)
    try patchy.lose(3, of: 0, .unreadable)
    let array = try patchy.open(writable: true)
    let fresh = patchy.bench.fresh()
    let ranges = try array.admit(fresh, toSlot: 1)
    var options = SweepOptions()
    options.workers = 1
    options.progress = { _, _ in false }
    let report = try array.rebuild(slot: 1, ranges: ranges, options)
    #expect(!report.isComplete)
    options.progress = { _, _ in true }
    _ = try array.rebuild(slot: 1, options)
    try array.close()
    let events = try [MemberProbe(fresh)].events.suffix(5)
    #expect(events.map(\.kind) == [.memberAdded, .started, .interrupted, .started, .finished])
    let (stopped, resumed, finished) = (
      events.suffix(3).first!, events.suffix(2).first!, events.last!
    )
    #expect(stopped.counts.first == UInt64(report.position) && stopped.counts.fourth == 1)
    #expect(resumed.counts.first == stopped.counts.first)
    #expect(finished.counts.second == UInt64(report.end) && finished.counts.fourth == 1)
    #expect(events.allSatisfy { $0.slot == 1 && $0.memberName == fresh.name })
  }

  @Test func `what is repaired while reading is summed up`() throws {
    let patchy = try PatchyBench(.raid5, seed: 1)
    for block in [1, 4, 9] { try patchy.lose(block, of: 2, .unreadable) }
    try patchy.lose(0, of: 0, .rotten)
    let array = try patchy.open(writable: true, repairsOnRead: true)
    _ = try patchy.bench.contents(array)
    try array.close()
    let repaired = patchy.bench.events.filter { $0.kind == .blocksRepaired }
    #expect(repaired.map(\.counts.first).sorted() == [1, 3])
    #expect(Set(repaired.map(\.memberName)) == ["m0", "m2"])
  }

  @Test func `what a scrub of a part repairs is an event, too`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 1)
    bench.devices[1].corrupt(try bench.dataOffset(1) + 5..<bench.dataOffset(1) + 6)
    let array = try bench.open()
    var options = RaidArray.ScrubOptions()
    options.range = 0..<100_000
    _ = try array.scrub(options)
    try array.close()
    #expect(bench.events.last?.kind == .blocksRepaired && bench.events.last?.slot == 1)
  }

  @Test func `somebody else's writes, and forced ones`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 1)
    for device in bench.devices { try AssemblyTests.edit(device) { $0.marker = 0 } }
    for _ in 0..<2 {
      let array = try bench.open()
      try bench.write([1], at: 0, to: array)
      try array.close()
    }
    #expect(bench.events.count { $0.kind == .foreignWrite } == 1)
    for _ in 0..<2 {
      let array = try bench.open(without: [1], degraded: true)
      try bench.write([2], at: 0, to: array)
      try array.close()
    }
    let forced = bench.events.filter { $0.kind == .forcedWrite }
    // The second time the array knows that it goes on without it.
    #expect(forced.count == 1 && forced.first?.slot == 1)
    #expect(forced.first?.cause == ArrayEvent.ForcedCause.degraded.rawValue)
  }

  @Test func `a member that was away has a gap, and the others fill it`() throws {
    let bench = try ArrayBench(.raid6)
    for _ in 0..<3 {
      let array = try bench.open(without: [1], degraded: true)
      array.members.note(.foreignWrite)
      try bench.write([2], at: 0, to: array)
      try array.close()
    }
    let all = bench.events
    #expect(all.map(\.sequence) == (1...all.count).map { UInt64($0) })
    let away = [try MemberProbe(bench.devices[1])].events
    #expect(away.count < all.count && all.starts(with: away))
    #expect([try MemberProbe(bench.devices[0])].events == all)
  }

  @Test func `a ring that cannot be read fails nobody`() throws {
    let bench = try ArrayBench(.raid5)
    let region = try #require(try bench.header(0).range(of: .events))
    bench.inject(
      [.init(.touching(region, by: .read), .fail(.unreadable(offset: 0, errno: .ioError)))],
      on: bench.devices[0])
    let array = try bench.open()
    array.members.note(.foreignWrite)
    try bench.write([1], at: 0, to: array)
    try array.close()
    #expect(array.failures.isEmpty)
    #expect(bench.events.last?.kind == .foreignWrite)
  }

  @Test func `a ring with the highest number takes no more`() throws {
    let bench = try ArrayBench(.raid5)
    let ring = try #require(
      EventRing(
        bench.devices[0], region: try bench.header(0).range(of: .events),
        arrayID: try bench.superblock(0).arrayID))
    var forged = ArrayEvent(.created, at: (0, 0))
    forged.sequence = ArrayEvent.sequenceLimit - 1
    try ring.write([forged])
    let array = try bench.open()
    array.members.note(.foreignWrite)
    try bench.write([1], at: 0, to: array)
    try array.close()
    #expect(bench.events.last == forged)
  }

  @Test func `what a journal held is an event`() throws {
    let bench = try ArrayBench(.raid5)
    let array = try bench.open()
    array.noteJournalReplay(recordCount: 3, byteCount: 12288)
    try bench.write([1], at: 0, to: array)
    try array.close()
    #expect(bench.events.last?.kind == .journalReplayed)
    #expect(bench.events.last?.counts == .init(3, 12288))
  }

  @Test func `events of many threads have numbers of their own`() throws {
    let bench = try ArrayBench(.raid5)
    let start = bench.events.count
    let array = try bench.open()
    runInParallel(workers: 4) { _ in
      for _ in 0..<10 {
        array.members.note(.foreignWrite)
        try? array.members.storeProgress()
      }
    }
    try array.members.storeProgress()
    let events = Array(bench.events[start...])
    #expect(events.count == 40)
    #expect(events.map(\.sequence) == (start + 1...start + 40).map { UInt64($0) })
  }
}

extension ArrayBench {
  /// As any of the members tells it.
  var events: [ArrayEvent] {
    (devices + spares).compactMap { try? MemberProbe($0) }.events
  }
}
