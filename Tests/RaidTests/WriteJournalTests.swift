import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// The journal of writes: what it says, and what it makes of an array that was cut off.
@Suite struct WriteJournalTests {
  private static let record = JournalRecord(
    epoch: 7 << 24, sequence: 3, committed: 2, kind: .rewrite,
    extents: [.init(slot: 0, blocks: 5..<8), .init(slot: 2, blocks: 5..<8)],
    sums: [1, 2, 3, 4, 5, 6], oldSums: [6, 5, 4, 3, 2, 1])

  private static let arrayID = Identifier.derived(from: .zero, number: 1)

  private func encoded(_ record: JournalRecord) -> [UInt8] {
    var buffer = AlignedBuffer(byteCount: record.headByteCount)
    var bytes = buffer.mutableBytes
    record.encodeHead(arrayID: Self.arrayID, into: &bytes)
    return bytes.bytes.array()
  }

  private func decoded(_ bytes: [UInt8]) -> JournalRecord? {
    var buffer = AlignedBuffer(byteCount: bytes.count)
    var span = buffer.mutableBytes
    span.copy(bytes, at: 0)
    guard JournalRecord.headByteCount(beginning: span.bytes) != nil else { return nil }
    return JournalRecord(decoding: span.bytes, arrayID: Self.arrayID)
  }

  @Test func `a record comes back as it was, and one that was changed does not`() {
    let bytes = encoded(Self.record)
    #expect(decoded(bytes) == Self.record)
    var random = SeededGenerator(seed: 1)
    for _ in 0..<500 {
      var other = bytes
      let place = Int.random(in: 0..<other.count, using: &random)
      other[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      #expect(decoded(other) == nil, "byte \(place)")
    }
  }

  /// Whatever the counts say, no byte outside of the head is looked at.
  @Test func `a record with a right checksum and wild numbers is refused`() {
    var random = SeededGenerator(seed: 2)
    for _ in 0..<2000 {
      var buffer = AlignedBuffer(byteCount: 4096)
      var bytes = buffer.mutableBytes
      bytes.copy(encoded(Self.record), at: 0)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let field = [12, 56, 60, 64, 68, 72, 76, 80].randomElement(using: &random)!
        let values: [UInt32] = [0, 1, 2, 7, 4096, 8192, 1 << 20, .max, .max - 1]
        bytes.store(values.randomElement(using: &random)!, at: field)
      }
      let length = JournalRecord.headByteCount(beginning: bytes.bytes) ?? 4096
      if length <= 4096 { bytes.store(crc32c(bytes.bytes.sub(12..<length)), at: 8) }
      guard let record = JournalRecord(decoding: bytes.bytes, arrayID: Self.arrayID) else {
        continue
      }
      #expect(
        record.sums.count == record.blockCount || record.kind == .touch && record.sums.isEmpty)
    }
  }

  /// An array that was left while it was written to: three writes, of which none was flushed.
  private func crashed(_ recipe: ArrayRecipe = .raid5) throws -> (ArrayBench, [UInt8]) {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let array = try bench.open()
    var content = bench.model
    for index in 0..<3 {
      let bytes = SeededGenerator.bytes(seed: UInt64(index + 2), 4096)
      try array.write(bytes, at: index * 8192)
      content.replaceSubrange(index * 8192..<index * 8192 + 4096, with: bytes)
    }
    bench.devices = bench.devices.map { $0.copy() }
    return (bench, content)
  }

  @Test func `kernels are kept away while there is something in the journal`() throws {
    for recipe in [ArrayRecipe.raid5, .raid6, .triple, .raid4] {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 1)
      #expect(try bench.devices.indices.allSatisfy { try !mark(bench, $0) })
      let array = try bench.open()
      #expect(try bench.devices.indices.allSatisfy { try !mark(bench, $0) })
      try bench.write([1, 2, 3], at: 5, to: array)
      #expect(try bench.devices.indices.allSatisfy { try mark(bench, $0) })
      try array.close()
      #expect(try bench.devices.indices.allSatisfy { try !mark(bench, $0) })
      #expect(try ArrayAudit.violations(bench) == [])
    }
    // Nothing is in the journal only where there is no parity.
    let bench = try ArrayBench(ArrayRecipe.raid10)
    try bench.fill(seed: 1)
    let array = try bench.open()
    try bench.write([1, 2, 3], at: 5, to: array)
    #expect(try bench.devices.indices.allSatisfy { try !mark(bench, $0) })
    try array.close()
  }

  private func mark(_ bench: ArrayBench, _ slot: Int) throws -> Bool {
    try bench.superblock(slot).features.contains(.writeJournal)
  }

  @Test func `who only reads sees what will be, and writes nothing`() throws {
    let (bench, content) = try crashed()
    // In place, one of the members has nothing of it.
    for slot in bench.devices.indices {
      let trial = bench.copy()
      let start = try trial.dataOffset(slot)
      trial.devices[slot].corrupt(start..<start + 32768) { _ in 0x55 }
      let before = trial.devices.map(\.contents)
      let array = try trial.open(writable: false)
      let offset = slot * 0
      #expect(array.replayedRecordCount == 3 && !array.wasUnclean && !array.hasDoubt)
      let bytes = try array.bytes(offset..<32768)
      #expect(bytes == Array(content[offset..<32768]), "slot \(slot)")
      try array.close()
      #expect(trial.devices.map(\.contents) == before)
      // And it is so, once it is open for writing; with any one member less.
      let written = try trial.open()
      #expect(written.replayedRecordCount == 3)
      #expect(try trial.contents(written) == content)
      #expect(try written.scrub(RaidArray.ScrubOptions()).unrepairedCount == 0)
      try written.close()
      for missing in trial.devices.indices {
        let less = try trial.open(without: [missing])
        #expect(try trial.contents(less) == content, "without \(missing)")
      }
    }
  }

  @Test func `with a member lost in the same moment, nothing else is`() throws {
    for missing in 0..<4 {
      let (bench, content) = try crashed()
      let array = try bench.open(without: [missing])
      #expect(try bench.contents(array) == content, "without \(missing)")
      try array.close()
      #expect(try bench.contents(bench.open(without: [missing])) == content)
    }
  }

  @Test func `a full journal is emptied, and goes on`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.with { $0.dataByteCount = 256 << 10 })
    try bench.fill(seed: 1)
    let array = try bench.open()
    var random = SeededGenerator(seed: 3)
    for _ in 0..<200 {
      let offset = Int.random(in: 0..<bench.model.count - 9000, using: &random)
      try bench.write(
        random.bytes(Int.random(in: 1...9000, using: &random)), at: offset, to: array)
    }
    bench.devices = bench.devices.map { $0.copy() }
    let again = try bench.open()
    #expect(again.replayedRecordCount ?? 0 > 0)
    #expect(try bench.contents(again) == bench.model)
    try again.close()
    #expect(try ArrayAudit.violations(bench) == [])
  }

  @Test func `a record that was durable and can't be read is no end, but damage`() throws {
    let (bench, content) = try crashed()
    var first: [Int] = []
    for device in bench.devices {
      let probe = try MemberProbe(device)
      let place = try #require(JournalPlace(probe))
      first.append(place.records.lowerBound)
    }
    // The first record of both members that have it; the second says that it was durable.
    for (device, start) in zip(bench.devices, first) { device.corrupt(start + 100..<start + 104) }
    #expect(throws: RaidError.notStartable(.damagedWriteJournal)) {
      _ = try bench.open(doubt: false)
    }
    #expect(throws: RaidError.notStartable(.damagedWriteJournal)) {
      _ = try bench.open(writable: false, doubt: false)
    }
    // By force, what is in place counts.
    let array = try bench.open()
    #expect(try bench.contents(array) == content)
    try array.close()
  }

  /// A resync that was stopped, and then a write by way of the journal that is cut off.
  @Test(arguments: [ArrayRecipe.raid5, .mirror, .raid10])
  func `what was in doubt before stays so`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe.withoutJournal)
    try bench.fill(seed: 1)
    let array = try bench.open()
    try array.write(SeededGenerator.bytes(seed: 2, 4096), at: 8192)
    // Left open, as by a writer that knows of no journal; the next one does.
    bench.devices = bench.devices.map { $0.copy() }
    for device in bench.devices { try Self.journal(device) }
    let again = try bench.open()
    #expect(again.hasDoubt)
    try again.write([1, 2, 3], at: 0)
    bench.devices = bench.devices.map { $0.copy() }
    let last = try bench.open()
    #expect(last.hasDoubt && last.replayedRecordCount == 1)
    _ = try last.scrub(RaidArray.ScrubOptions())
    try last.close()
    bench.model = try bench.contents(bench.open(writable: false))
    #expect(Array(bench.model.prefix(3)) == [1, 2, 3])
    #expect(try ArrayAudit.violations(bench) == [])
  }

  /// Sets the flag that writes go by way of the journal.
  private static func journal(_ device: MemoryDevice) throws {
    var header = try #require(try MemberProbe(device).header)
    header.flags.insert(.journaled)
    header.generation += 1
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    bytes.zero()
    header.encode(into: &bytes, at: 0)
    try device.write(
      bytes.bytes, range: 0..<4096,
      at: RegionHeader.farOffset(memberByteCount: device.byteCount))
    try device.flush()
  }

  /// Copies that were written, and whose sums were not yet: nothing but the journal tells what was written from what has
  /// been damaged since.
  @Test(
    arguments: [ArrayRecipe.mirror, .raid1, .raid10, .far2, .offset2],
    [[8192..<16384], [8192 + 512..<8192 + 1024], [4096 + 100..<12288 + 7], [0..<4096, 100..<5000]])
  func `a copy that is damaged after a crash is not taken`(
    _ recipe: ArrayRecipe, _ writes: [Range<Int>]
  ) throws {
    let start = try ArrayBench(recipe)
    try start.fill(seed: 1)
    let array = try start.open()
    var written = start.model
    for range in writes {
      let bytes = SeededGenerator.bytes(seed: UInt64(range.lowerBound + 3), range.count)
      try array.write(bytes, at: range.lowerBound)
      written.replaceSubrange(range, with: bytes)
    }
    for device in start.devices { try device.flush() }
    let first = writes[0].lowerBound / 4096 * 4096
    let blocks = stride(from: first, to: writes[0].upperBound, by: 4096)
    for copy in 0..<start.geometry.places(of: first).count {
      let bench = start.copy()
      for block in blocks {
        let place = try bench.place(of: block, copy: copy).deviceOffset
        bench.devices[try bench.place(of: block, copy: copy).slot].corrupt(
          place + 700..<place + 701)
      }
      #expect(try bench.contents(bench.open(writable: false)) == written, "copy \(copy)")
      let array = try bench.open()
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.findings.isEmpty, "copy \(copy)")
      try array.close()
      for slot in bench.devices.indices where recipe.level != .mirroredStripes || slot == 0 {
        let rest = try bench.open(writable: false, without: [slot])
        #expect(try bench.contents(rest) == written, "copy \(copy), without \(slot)")
      }
    }
  }

  /// The bitmap knows nothing of what went by way of the journal while all were there: an older copy has missed it.
  @Test(
    arguments: [ArrayRecipe.raid5, .raid6, .triple, .raid1, .raid10].flatMap {
      [$0, $0.with { $0.hasBitmap = true }]
    }, [false, true])
  func `an older copy of a member is told after a crash`(
    _ recipe: ArrayRecipe, ofTheCrash: Bool
  ) throws {
    let begin = try ArrayBench(recipe)
    try begin.fill(seed: 3)
    let bytes = SeededGenerator.bytes(seed: 4, 1580)
    var written = begin.model
    written.replaceSubrange(9000..<9000 + bytes.count, with: bytes)
    var count = 0
    var isDone = false
    while !isDone {
      let bench = begin.copy()
      let power = PowerSwitch(after: count, of: .write)
      bench.wrap = { power.wrap($0) }
      if let array = try? bench.open() {
        try? array.write(bytes, at: 9000)
        for device in bench.devices { try device.flush() }
        try? array.close()
      }
      for device in bench.devices { try device.flush() }
      isDone = !power.isOff
      bench.devices = bench.devices.map { $0.copy() }
      bench.wrap = { $0 }
      let copy = ofTheCrash ? bench.devices[1].copy() : begin.devices[1].copy()
      if ofTheCrash { try bench.open().close() }
      bench.devices[1] = copy
      let array = try bench.open(degraded: true)
      if array.degradedSlots == [1] {
        let probe = try MemberProbe(copy)
        let ranges = try array.admit(copy, toSlot: 1, knownAs: probe)
        _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      }
      try array.close()
      for slot in bench.devices.indices {
        let found = try bench.contents(bench.open(writable: false, without: [slot]))
        #expect(found == begin.model || found == written, "\(count), without \(slot)")
      }
      count += 1
    }
    #expect(count > 10)
  }

  @Test(
    arguments: [ArrayRecipe.raid5, .raid6, .triple, .raid1, .raid10].flatMap {
      [$0, $0.with { $0.hasBitmap = true }, $0.withoutJournal]
    })
  func `a copy of a member that was taken between two writes is told`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let written = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 4, 30000), at: 1000, to: written)
    try written.flush()
    let copy = bench.devices[1].copy()
    try bench.write(SeededGenerator.bytes(seed: 5, 50000), at: 9000, to: written)
    try written.close()
    bench.devices[1] = copy
    #expect(try bench.open(writable: false, degraded: true).degradedSlots == [1])
    try bench.bringBack(1)
    for slot in bench.devices.indices {
      let found = try bench.contents(bench.open(writable: false, without: [slot]))
      #expect(found == bench.model, "without \(slot)")
    }
    #expect(try ArrayAudit.violations(bench) == [])
  }

  /// What a replay put in place when it had failed, a member is told when it comes back.
  @Test(arguments: [ArrayRecipe.raid5, .raid6, .raid1])
  func `who fails in a replay has missed it`(_ recipe: ArrayRecipe) throws {
    var failedCount = 0
    for number in 0..<12 {
      let (bench, content) = try crashed(recipe)
      bench.inject(
        [
          .init(
            .fromOperation(number, of: .write), .fail(.unwritable(offset: 0, errno: .ioError)))
        ], on: bench.devices[1])
      let first = try bench.open(degraded: true)
      if first.members.slots[1].member?.isFailed == true { failedCount += 1 }
      try first.close()
      bench.wrap = { $0 }
      let array = try bench.open(degraded: true)
      let expected = try bench.contents(array)
      if recipe.level != .mirrored { #expect(expected == content) }
      if array.degradedSlots == [1] {
        let probe = try MemberProbe(bench.devices[1])
        let ranges = try array.admit(bench.devices[1], toSlot: 1, knownAs: probe)
        _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      }
      try array.close()
      for slot in bench.devices.indices {
        let found = try bench.contents(bench.open(writable: false, without: [slot]))
        #expect(found == expected, "\(number), without \(slot)")
      }
    }
    #expect(failedCount > 3)
  }

  @Test func `one good copy of a record is enough`() throws {
    for slot in 0..<4 {
      let (bench, content) = try crashed()
      let place = try #require(JournalPlace(MemberProbe(bench.devices[slot])))
      bench.devices[slot].corrupt(place.region)
      let start = try bench.dataOffset((slot + 1) % 4)
      bench.devices[(slot + 1) % 4].corrupt(start..<start + 4096) { _ in 0 }
      let array = try bench.open()
      #expect(try bench.contents(array) == content, "slot \(slot)")
      try array.close()
    }
  }

  @Test(arguments: 0..<UInt64(40)) func `a hostile journal does no harm`(_ seed: UInt64) throws {
    let (bench, _) = try crashed(seed % 2 == 0 ? .raid5 : .raid10)
    var random = SeededGenerator(seed: seed)
    for device in bench.devices {
      guard let place = JournalPlace(try MemberProbe(device)) else { continue }
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let at = Int.random(
          in: place.region.lowerBound..<place.region.lowerBound + 60000, using: &random)
        let mask = UInt8.random(in: 1...255, using: &random)
        device.corrupt(at..<at + Int.random(in: 1...8, using: &random)) { $0 ^ mask }
      }
    }
    // Whatever comes of it, it is an array or an error.
    for doubt in [false, true] {
      guard let array = try? bench.copy().open(doubt: doubt) else { continue }
      _ = try? array.bytes(0..<array.byteCount)
    }
  }

  /// A record whose writing was cut off is put in its place all the same, and must not be lost with a member when the
  /// power goes off again in the middle.
  @Test(arguments: [ArrayRecipe.raid5, .raid6])
  func `what one member alone has of the journal outlives it`(_ recipe: ArrayRecipe) throws {
    let begin = try ArrayBench(recipe)
    try begin.fill(seed: 3)
    let bytes = SeededGenerator.bytes(seed: 4, 4096)
    var written = begin.model
    written.replaceSubrange(8192..<12288, with: bytes)
    var first = 0
    while true {
      let cut = begin.copy()
      let power = PowerSwitch(after: first, of: .flush)
      cut.wrap = { power.wrap($0) }
      if let array = try? cut.open() { try? array.write(bytes, at: 8192) }
      guard power.isOff else { break }
      first += 1
      for second in 0..<recipe.slotCount + 6 {
        let bench = cut.copy()
        let power = PowerSwitch(after: second, of: .flush)
        bench.wrap = { power.wrap($0) }
        _ = try? bench.open()
        bench.devices = bench.devices.map { $0.copy() }
        bench.wrap = { $0 }
        for slot in bench.devices.indices {
          let found = try bench.contents(bench.open(writable: false, without: [slot]))
          #expect(
            found == begin.model || found == written, "\(first), \(second), without \(slot)")
        }
      }
    }
    #expect(first > 5)
  }
}
