import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization
import SystemPackage
import Testing

@testable import Raid

/// What is lost is lost block by block: a member that lacks one gives all others.
@Suite struct BlockLossTests {
  typealias Lack = PatchyBench.Lack

  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    var seed: UInt64
    var testDescription: String { "seed \(seed), \(recipe.testDescription)" }
  }

  static let recipes =
    ArrayRecipe.redundant
    + ArrayRecipe.redundant.map { recipe in recipe.with { $0.hasSums = false } }
    + [
      .raid5.with { $0.chunk = 32 << 10 },
      .raid6.with { $0.layout = 17 },
      .raid10.with { $0.slotCount = 5 },
    ]
  static let cases = recipes.flatMap { recipe in
    (0..<UInt64(Machine.environment("FTOOL_SOAK") == nil ? 3 : 200)).map {
      Case(recipe: recipe, seed: $0)
    }
  }

  /// An array of which some blocks, and maybe a member or a part of one, are lost.
  private func patchy(
    _ one: Case, _ random: inout SeededGenerator, lacks: [Lack] = Lack.allCases,
    losesMembers: Bool = true
  ) throws -> PatchyBench {
    let patchy = try PatchyBench(one.recipe, seed: one.seed)
    if losesMembers {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: patchy.remove(Int.random(in: 0..<patchy.slotCount, using: &random))
      case 1:
        try patchy.cut(
          Int.random(in: 0..<patchy.slotCount, using: &random),
          at: Int.random(in: 0..<patchy.blockCount, using: &random))
      default: break
      }
    }
    let lacks = one.recipe.hasSums ? lacks : lacks.filter { $0 != .rotten }
    try patchy.loseSome(Int.random(in: 1...12, using: &random), lacks, using: &random)
    return patchy
  }

  @Test(arguments: cases) func `everything is read that can be known`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random)
    try patchy.check(try patchy.open(), "\(one.testDescription)")
  }

  @Test(arguments: [Lack.listed, .unreadable, .rotten])
  func `members of level 5 lose blocks of different rows`(_ lack: Lack) throws {
    let patchy = try PatchyBench(.raid5, seed: 1)
    try patchy.lose(3, of: 0, lack)
    try patchy.lose(4, of: 1, lack)
    try patchy.check(try patchy.open(), "")
  }

  @Test(arguments: [Lack.listed, .unreadable, .rotten])
  func `three members of level 6 lose a block each`(_ lack: Lack) throws {
    let patchy = try PatchyBench(.raid6, seed: 1)
    for slot in 0..<3 { try patchy.lose(7 + slot, of: slot, lack) }
    try patchy.check(try patchy.open(), "")
  }

  @Test(arguments: [Lack.listed, .unreadable, .rotten])
  func `both copies of a mirror lose blocks, not the same ones`(_ lack: Lack) throws {
    let patchy = try PatchyBench(.mirror.with { $0.dataByteCount = 1 << 20 }, seed: 1)
    try patchy.lose(10, of: 0, lack)
    try patchy.lose(200, of: 1, lack)
    try patchy.check(try patchy.open(), "")
  }

  @Test(arguments: cases) func `a read with repair mends what it can`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random, lacks: [.unreadable, .rotten], losesMembers: false)
    let array = try patchy.open(writable: true, repairsOnRead: true)
    try patchy.check(array, "\(one.testDescription)")
    #expect(array.failures.isEmpty)
    try array.close()
    try patchy.check(try patchy.open(), "\(one.testDescription)")
  }

  @Test(arguments: cases) func `a scrub mends what it can and names the rest`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random)
    let story: Comment = "\(one.testDescription)"
    var wrong = Set<SlowGeometry.Place>()
    var gone = Set<SlowGeometry.Place>()
    let whole = try patchy.open()
    for slot in 0..<patchy.slotCount where !patchy.missing.contains(slot) {
      let valid = whole.members.slots[slot].member?.validByteCount ?? 0
      for block in patchy.lost[slot] where block * 4096 + 4096 <= valid {
        let isUsed = whole.shape.uses(slot: slot, at: block * 4096)
        if !isUsed { continue }
        let place = SlowGeometry.Place(slot: slot, offset: block * 4096)
        if patchy.isKnown(block, of: slot) { wrong.insert(place) } else { gone.insert(place) }
      }
    }
    let array = try patchy.open(writable: true)
    let report = try array.scrub(RaidArray.ScrubOptions())
    #expect(array.failures.isEmpty, story)
    func places(_ outcome: ScrubReport.Outcome) -> Set<SlowGeometry.Place> {
      Set(
        report.findings.filter { $0.outcome == outcome }.map {
          .init(slot: $0.slot ?? -1, offset: $0.memberOffset)
        })
    }
    #expect(places(.repaired) == wrong, story)
    #expect(places(.unrepairable) == gone, story)
    #expect(report.findingCount == wrong.count + gone.count, story)
    try array.close()
    try patchy.check(try patchy.open(), story)
  }

  @Test(arguments: cases) func `a rebuild loses what is lost and no more`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random, losesMembers: false)
    let slot = Int.random(in: 0..<patchy.slotCount, using: &random)
    patchy.remove(slot)
    let story: Comment = "slot \(slot), \(one.testDescription)"
    let array = try patchy.open(writable: true)
    let new = patchy.bench.fresh(garbage: 3)
    let ranges = try array.admit(new, toSlot: slot)
    let report = try array.rebuild(slot: slot, ranges: ranges, SweepOptions())
    let expected = (0..<patchy.blockCount).filter { block in
      array.shape.uses(slot: slot, at: block * 4096) && !patchy.isKnown(block, of: slot)
    }
    #expect(report.isComplete, story)
    #expect(report.lostBlocks == expected.map { $0 * 4096 }, story)
    #expect(array.failures.isEmpty, story)
    try patchy.check(array, story)
    try array.close()
    // What was lost stays lost, and never looks like zeros.
    let given = patchy.devices.indices.map {
      $0 == slot ? new : patchy.devices[$0] as any BlockDevice
    }
    try patchy.check(try RaidArray.open(given), story)
  }

  @Test(arguments: cases) func `a member is replaced although it has lost blocks`(
    _ one: Case
  ) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random, losesMembers: false)
    let slot = Int.random(in: 0..<patchy.slotCount, using: &random)
    let array = try patchy.open(writable: true)
    let story: Comment = "slot \(slot), \(one.testDescription)"
    try array.admitReplacement(patchy.bench.fresh(garbage: 3), forSlot: slot)
    let report = try array.rebuild(slot: slot, isReplacement: true, SweepOptions())
    let expected = (0..<patchy.blockCount).filter { block in
      array.shape.uses(slot: slot, at: block * 4096) && !patchy.isKnown(block, of: slot)
    }
    #expect(report.isComplete, story)
    #expect(report.lostBlocks == expected.map { $0 * 4096 }, story)
    try patchy.check(array, story)
  }

  @Test(arguments: cases) func `what a replacement has is not lost`(_ one: Case) throws {
    guard one.recipe.slotCount < 5 else { return }
    var random = SeededGenerator(seed: one.seed)
    let patchy = try PatchyBench(one.recipe, seed: one.seed)
    let array = try patchy.open(writable: true)
    try array.admitReplacement(patchy.bench.fresh(), forSlot: 1)
    _ = try array.rebuild(slot: 1, isReplacement: true, SweepOptions())
    // All that the member itself can't give, the one that is to replace it can.
    for block in 0..<patchy.blockCount where Bool.random(using: &random) {
      let start = try patchy.bench.dataOffset(1) + block * 4096
      patchy.devices[1].lose(start..<start + 4096)
    }
    try patchy.loseSome(6, [.unreadable], using: &random)
    for block in patchy.lost[1] { patchy.find(block, of: 1) }
    try patchy.check(array, "\(one.testDescription)")
  }

  @Test(arguments: cases) func `everything is written that does not need what is lost`(
    _ one: Case
  ) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random)
    let bench = patchy.bench
    let story: Comment = "\(one.testDescription)"
    for offset in stride(from: 0, to: bench.model.count, by: 4096) {
      // Each in the array as it was: a write can mend.
      guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
      let count = min(4096, bench.model.count - offset)
      let copy = patchy.copy()
      let array = try copy.open(writable: true)
      let bytes = random.bytes(count)
      do throws(DeviceError) {
        try array.write(bytes, at: offset)
        #expect(patchy.isWritable(offset), "array byte \(offset); \(story)")
        let range = offset..<offset + count
        copy.bench.model.replaceSubrange(range, with: bytes)
      } catch {
        #expect(!patchy.isWritable(offset), "array byte \(offset): \(error); \(story)")
      }
      for other in stride(from: 0, to: bench.model.count, by: 4096)
      where patchy.isKnown(other) || other == offset && patchy.isWritable(offset) {
        let range = other..<min(bench.model.count, other + 4096)
        let isRight = try array.bytes(range) == Array(copy.bench.model[range])
        #expect(isRight, "array byte \(other) after \(offset); \(story)")
      }
    }
  }

  @Test(arguments: ArrayRecipe.redundant) func `what was written is bad no more`(
    _ recipe: ArrayRecipe
  ) throws {
    for hasSums in [true, false] {
      let patchy = try PatchyBench(recipe.with { $0.hasSums = hasSums }, seed: 3)
      for slot in 0..<patchy.slotCount {
        for block in 0..<patchy.blockCount { try patchy.lose(block, of: slot, .listed) }
      }
      #expect(!patchy.lostOffsets.isEmpty)
      let array = try patchy.open(writable: true)
      patchy.bench.model = SeededGenerator.bytes(seed: 9, array.byteCount)
      try array.write(patchy.bench.model, at: 0)
      try array.flush()
      // The power fails, and all that was flushed is there.
      for device in patchy.bench.devices { device.rollBack() }
      let isRight = try patchy.bench.contents(patchy.open()) == patchy.bench.model
      #expect(isRight, "\(recipe.testDescription)")
      for slot in 0..<patchy.slotCount {
        let member = try patchy.open().members.slots[slot].member
        #expect(member?.badBlocks.ranges == [])
      }
      try array.close()
      #expect(try patchy.bench.superblock(0).features.contains(.badBlocks) == false)
    }
  }

  /// A source that is copied as a whole makes all good, also where rows do not end where it is taken in pieces.
  @Test(arguments: [ArrayRecipe.raid4, .raid5, .raid6, .triple], [4096, 16384, 65536])
  func `what is lost is good once all is written`(_ recipe: ArrayRecipe, chunk: Int) throws {
    let bench = try ArrayBench(
      recipe.with {
        $0.chunk = chunk
        $0.dataByteCount = 640 << 10
      })
    try bench.fill(seed: 4)
    for (slot, device) in bench.devices.enumerated() {
      let start = try bench.dataOffset(slot)
      for offset in stride(from: 0, to: 640 << 10, by: 12288) {
        device.corrupt(start + offset..<start + offset + 8)
      }
    }
    bench.model = SeededGenerator.bytes(seed: 5, bench.model.count)
    let array = try bench.open()
    let copied = try array.copy(from: WholeSource(bench.model), at: 0, RaidArray.CopyInOptions())
    #expect(copied == bench.model.count)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  /// Its parity can be made anew only when all of it is known.
  @Test(arguments: [ArrayRecipe.raid4, .raid5, .raid6, .triple])
  func `what is lost of a stripe is written together`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 4)
    let columns = Set(0...min(2, recipe.level.parityCount))
    for column in columns {
      let place = try bench.place(of: column * recipe.chunk)
      bench.devices[place.slot].corrupt(place.deviceOffset + 4..<place.deviceOffset + 12)
    }
    let parities = bench.geometry.roles(ofRow: 0).indices.filter {
      if case .parity = bench.geometry.roles(ofRow: 0)[$0] { true } else { false }
    }
    for slot in parities.prefix(recipe.level.parityCount + 1 - columns.count) {
      let start = try bench.dataOffset(slot)
      bench.devices[slot].corrupt(start..<start + 8)
    }
    let array = try bench.open()
    let block = AlignedBuffer(byteCount: 4096)
    let together = 0..<(recipe.slotCount - recipe.level.parityCount) * recipe.chunk
    for column in columns {
      let error = #expect(throws: RaidError.self) {
        try array.write(
          block.bytes, range: 0..<4096, atArrayOffset: column * recipe.chunk)
      }
      guard case .lost(together, .onlyTogether(let members))? = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(members.count == recipe.level.parityCount + 1)
    }
    try bench.write(SeededGenerator.bytes(seed: 7, together.count), at: 0, to: array)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  /// Gives all that is asked for, as a pipe does that is read until it is empty.
  private final class WholeSource: ByteSource {
    private let content: [UInt8]
    private let done = Mutex(0)

    init(_ content: [UInt8]) { self.content = content }

    func read(into buffer: inout MutableRawSpan, range: Range<Int>) throws(SystemCallError) -> Int {
      let start = done.withLock { done in
        defer { done += min(range.count, content.count - done) }
        return done
      }
      let count = min(range.count, content.count - start)
      for index in 0..<count { buffer.store(content[start + index], at: range.lowerBound + index) }
      return count
    }
  }

  @Test(arguments: cases) func `a large write meets lost blocks`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try patchy(one, &random)
    let bench = patchy.bench
    let array = try patchy.open(writable: true)
    let start = Int.random(in: 0..<bench.model.count, using: &random)
    let range = start..<Int.random(in: start + 1...bench.model.count, using: &random)
    let bytes = random.bytes(range.count)
    let canBeWritten = stride(
      from: range.lowerBound / 4096 * 4096, to: range.upperBound, by: 4096
    ).allSatisfy { patchy.isKnown($0) && patchy.isWritable($0) }
    let story: Comment = "\(range), \(one.testDescription)"
    do throws(DeviceError) {
      try array.write(bytes, at: range.lowerBound)
    } catch {
      #expect(!canBeWritten, "\(error); \(story)")
      return
    }
    bench.model.replaceSubrange(range, with: bytes)
    for offset in stride(from: 0, to: bench.model.count, by: 4096) where patchy.isKnown(offset) {
      let block = offset..<min(bench.model.count, offset + 4096)
      let isRight = try array.bytes(block) == Array(bench.model[block])
      #expect(isRight, "array byte \(offset); \(story)")
    }
  }

  @Test(arguments: [ArrayRecipe.raid5, .raid6, .mirror, .raid10, .triple])
  func `a copy out gives everything before the first loss`(_ recipe: ArrayRecipe) throws {
    let recipe = recipe.with {
      $0.dataByteCount = 8 << 20
      if $0.chunk > 0 { $0.chunk = 64 << 10 }
    }
    let patchy = try PatchyBench(recipe, seed: 4)
    let block = patchy.blockCount * 3 / 4 + 5
    for slot in 0..<patchy.slotCount { try patchy.lose(block, of: slot, .unreadable) }
    let first = try #require(patchy.lostOffsets.first)
    for workers in [1, 4] {
      let sink = CollectingSink()
      var options = SweepOptions()
      options.workers = workers
      let error = #expect(throws: TransferError.self) {
        try patchy.open().copy(0..<patchy.bench.model.count, to: sink, options)
      }
      guard case .array(.lost(let range, _)) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(range.lowerBound == first)
      let isRight = sink.bytes == Array(patchy.bench.model[..<first])
      #expect(isRight, "\(sink.bytes.count) bytes of \(first)")
    }
  }
}

/// Keeps what it is given.
private final class CollectingSink: ByteSink {
  private let state = Monitor<[UInt8]>([])
  var bytes: [UInt8] { state.withLock { $0 } }

  func write(_ buffer: RawSpan, range: Range<Int>) throws(SystemCallError) {
    let part = buffer.withUnsafeBytes { Array($0[range]) }
    state.withLock { $0 += part }
  }
}
