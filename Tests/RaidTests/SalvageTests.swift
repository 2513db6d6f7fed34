import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// However much is lost, everything else comes out, and nothing is called right that is not.
@Suite struct SalvageTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    var seed: UInt64
    var testDescription: String { "seed \(seed), \(recipe.testDescription)" }
  }

  static let recipes =
    ArrayRecipe.all + ArrayRecipe.all.map { recipe in recipe.with { $0.hasSums = false } }
    + [
      .raid5.with { $0.chunk = 32 << 10 },
      .raid6.with { $0.layout = 17 },
      .raid10.with { $0.slotCount = 5 },
      .raid10.with { $0.layout = 0x202 },
      .linear.with { $0.dataByteCount += 512 * 5 },
      .linear.with {
        $0.dataByteCount += 512 * 3
        $0.hasSums = false
      },
    ]
  static let cases = recipes.flatMap { recipe in
    (0..<UInt64(Machine.environment("FTOOL_SOAK") == nil ? 4 : 200)).map {
      Case(recipe: recipe, seed: $0)
    }
  }

  @Test(arguments: cases)
  func `all that can be known is given, and nothing else is called right`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try PatchyBench(one.recipe, seed: one.seed)
    // One to all but one of the members are gone.
    let slots = (0..<patchy.slotCount).shuffled(using: &random)
    for slot in slots.prefix(Int.random(in: 0..<patchy.slotCount, using: &random)) {
      patchy.remove(slot)
    }
    let rest = slots.filter { !patchy.missing.contains($0) }
    if one.recipe.level != .linear, one.recipe.level != .striped, one.seed % 2 == 1 {
      try patchy.cut(rest[0], at: Int.random(in: 0..<patchy.blockCount, using: &random))
    }
    let lacks = PatchyBench.Lack.allCases.filter { one.recipe.hasSums || $0 != .rotten }
    let usable = one.recipe.level.usesWholeMembers ? lacks.filter { $0 != .listed } : lacks
    try patchy.loseSome(Int.random(in: 0...16, using: &random), usable, using: &random)
    for workers in [1, 3] {
      let sink = RescueRecorder(byteCount: patchy.bench.model.count)
      try patchy.salvage(to: sink, workers: workers)
      sink.check(patchy.bench.model, story: "\(workers) workers, \(one.testDescription)") {
        patchy.isKnown($0)
      }
    }
  }

  @Test(arguments: cases.filter { !$0.recipe.hasSums && $0.recipe.level != .linear })
  func `disks lose sectors, and blocks are put together from them`(_ one: Case) throws {
    var random = SeededGenerator(seed: one.seed)
    let patchy = try PatchyBench(one.recipe, seed: one.seed)
    let sectors = try SectorLosses(patchy, removing: Int(one.seed % 3), using: &random)
    let sink = RescueRecorder(byteCount: patchy.bench.model.count)
    try patchy.salvage(to: sink, workers: 2)
    sink.check(patchy.bench.model, story: "\(one.testDescription)") { sectors.isKnown($0) }
  }

  @Test(arguments: [ArrayRecipe.raid5, .raid6, .mirror, .raid10, .triple])
  func `with sums a block of sectors counts when it agrees with its sum`(_ recipe: ArrayRecipe)
    throws
  {
    let patchy = try PatchyBench(recipe, seed: 5)
    // Of every member another sector of the same blocks: no block is left, and every sector is.
    for slot in 0..<patchy.slotCount {
      for block in 2..<6 {
        let start = try patchy.bench.dataOffset(slot) + block * 4096 + slot % 8 * 512
        patchy.devices[slot].lose(start..<start + 512)
      }
    }
    let sink = RescueRecorder(byteCount: patchy.bench.model.count)
    try patchy.salvage(to: sink, workers: 1)
    sink.check(patchy.bench.model, story: "\(recipe.testDescription)") { _ in true }
  }

  @Test func `with sums a part of a block that nothing confirms is not called right`() throws {
    let patchy = try PatchyBench(.raid0, seed: 6)
    let start = try patchy.bench.dataOffset(1) + 3 * 4096
    patchy.devices[1].lose(start..<start + 512)
    // Another sector has rotted.
    patchy.bench.devices[1].corrupt(start + 2048..<start + 2049)
    let lost = Set(patchy.arrayBlocks(on: 1, 3))
    let sink = RescueRecorder(byteCount: patchy.bench.model.count)
    try patchy.salvage(to: sink, workers: 1)
    sink.check(patchy.bench.model, story: "raid0") { !lost.contains($0 / 4096 * 4096) }
  }

  @Test(arguments: ArrayRecipe.all)
  func `a member that goes away in the middle takes only its own with it`(_ recipe: ArrayRecipe)
    throws
  {
    for operation in [12, 20, 40] {
      let patchy = try PatchyBench(recipe, seed: 7)
      let gone = Set([0, 1])
      let faulty = patchy.devices.indices.map { slot -> any BlockDevice in
        guard gone.contains(slot) else { return patchy.devices[slot] }
        return FaultyDevice(
          patchy.devices[slot], plan: [.init(.operation(operation, of: .read), .vanish)])
      }
      let sink = RescueRecorder(byteCount: patchy.bench.model.count)
      try Salvage([.init(try Self.open(faulty), isDoubtful: false)]).run(
        over: 0..<patchy.bench.model.count, except: RescueMap(byteCount: patchy.bench.model.count),
        to: sink, SweepOptions())
      for slot in gone { patchy.remove(slot) }
      // What it gave before is right, too.
      sink.check(
        patchy.bench.model, story: "\(operation): \(recipe.testDescription)", mayKnowMore: true
      ) { patchy.isKnown($0) }
    }
  }

  @Test(arguments: ArrayRecipe.all)
  func `a map is gone on with: only what is missing is tried, and fills up`(_ recipe: ArrayRecipe)
    throws
  {
    let patchy = try PatchyBench(recipe, seed: 8)
    let all = patchy.devices.map { $0 as any BlockDevice }
    let count = patchy.bench.model.count
    let sink = RescueRecorder(byteCount: count)
    // First only the first member, then only the others.
    try Salvage([.init(try Self.open([all[0]]), isDoubtful: false)]).run(
      over: 0..<count, except: sink.map, to: sink, SweepOptions())
    patchy.bench.devices[0].corrupt(0..<patchy.bench.devices[0].byteCount)
    let first = sink.map
    let others = Array(all.dropFirst())
    try Salvage([.init(try Self.open(others), isDoubtful: false)]).run(
      over: 0..<count, except: first, to: sink, SweepOptions())
    let story: Comment = "\(recipe.testDescription)"
    #expect(sink.writtenTwice == 0, story)
    patchy.remove(0)
    sink.check(patchy.bench.model, story: story) { offset in
      return patchy.isKnown(offset) || first[first.index(of: offset)].status == .rescued
    }
    if recipe.level.usesWholeMembers || recipe.level == .mirrored {
      #expect(sink.map.byteCount(of: .rescued, in: 0..<count) == count, story)
    }
  }

  @Test func `a salvage is stopped, and goes on from its map`() throws {
    let recipe = ArrayRecipe.raid5.with {
      $0.chunk = 64 << 10
      $0.dataByteCount = 8 << 20
    }
    let patchy = try PatchyBench(recipe, seed: 9)
    patchy.remove(1)
    for block in stride(from: 0, to: patchy.blockCount, by: 100) {
      try patchy.lose(block, of: 2, .unreadable)
    }
    let count = patchy.bench.model.count
    let sink = RescueRecorder(byteCount: count)
    var runs = 0
    var isDone = false
    while !isDone, runs < 100 {
      var options = SweepOptions()
      options.progress = { _, _ in false }
      options.workers = 2
      let map = sink.map
      isDone = try Salvage([.init(try patchy.openToSalvage(), isDoubtful: false)]).run(
        over: 0..<count, except: map, to: sink, options)
      runs += 1
      // What is lost is tried again, but only when there is nothing new.
      if sink.map.next([.untried], from: 0, limit: count) == nil { break }
    }
    #expect(runs > 4)
    sink.check(patchy.bench.model, story: "stopped") { patchy.isKnown($0) }
  }

  @Test func `where a crash left doubt, what is computed counts as lost`() throws {
    for recipe in [ArrayRecipe.raid5, .raid6, .triple] {
      let bench = try ArrayBench(recipe.withoutJournal)
      try bench.fill(seed: 1)
      let array = try bench.open()
      // Marked, and not closed.
      try bench.write(SeededGenerator.bytes(seed: 2, 4096), at: 0, to: array)
      try array.flush()
      var missing: Set<Int> = []
      for slot in 0..<bench.geometry.parityCount { missing.insert(slot) }
      let given = bench.devices.indices.filter { !missing.contains($0) }.map { bench.devices[$0] }
      let opened = try Self.open(given)
      #expect(opened.hasDoubt)
      let sink = RescueRecorder(byteCount: bench.model.count)
      try Salvage([.init(opened, isDoubtful: false)]).run(
        over: 0..<bench.model.count, except: sink.map, to: sink, SweepOptions())
      let geometry = bench.geometry
      sink.check(bench.model, story: "\(recipe.testDescription)", mayKnowMore: true) {
        !missing.contains(geometry.places(of: $0)[0].slot)
      }
      #expect(sink.map.byteCount(of: .lost, in: 0..<bench.model.count) > 0)
      // Whoever forces it gets it, and it is not called right.
      var options = RaidArray.Options()
      options.salvages = true
      options.allowsDoubt = true
      let forced = try RaidArray.open(given, options: options)
      let second = RescueRecorder(byteCount: bench.model.count)
      try Salvage([.init(opened, isDoubtful: false), .init(forced, isDoubtful: true)]).run(
        over: 0..<bench.model.count, except: second.map, to: second, SweepOptions())
      #expect(second.map.byteCount(of: .lost, in: 0..<bench.model.count) == 0)
      #expect(
        second.map.byteCount(of: .unscraped, in: 0..<bench.model.count)
          == sink.map.byteCount(of: .lost, in: 0..<bench.model.count))
      let isSame = second.bytes == bench.model
      #expect(isSame, "here the write was not torn")
    }
  }

  @Test func `a block in doubt that no sum confirms is not computed`() throws {
    let bench = try ArrayBench(.raid5.with { $0.hasSums = false })
    try bench.fill(seed: 1)
    // As a kernel leaves it that was in the middle of a write: a row whose parity is old.
    let (slot, place) = try bench.place(of: 0)
    for device in bench.devices { try AssemblyTests.edit(device) { $0.resyncOffsetSectors = 0 } }
    let other = try bench.place(of: 8192)
    #expect(other.slot != slot)
    bench.devices[other.slot].corrupt(other.deviceOffset..<other.deviceOffset + 4096)
    let patchy = bench.devices.map { PatchyDevice($0) }
    patchy[slot].lose(place..<place + 4096)
    let sink = RescueRecorder(byteCount: bench.model.count)
    try Salvage([.init(try Self.open(patchy), isDoubtful: false)]).run(
      over: 0..<bench.model.count, except: sink.map, to: sink, SweepOptions())
    #expect(sink.map[0] == .init(range: 0..<4096, status: .lost))
  }

  @Test(arguments: [ArrayRecipe.raid5, .raid6, .raid1, .raid10, .linear, .raid0])
  func `members out of date serve only whoever forces it, and only for what others lack`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let old = bench.model
    // The last member falls behind.
    let last = recipe.slotCount - 1
    for device in bench.devices.dropLast() { try AssemblyTests.edit(device) { $0.events += 4 } }
    let change = 0..<4096
    if !recipe.level.usesWholeMembers {
      let array = try bench.open(without: [last])
      try bench.write(SeededGenerator.bytes(seed: 5, change.count), at: 0, to: array)
      try array.close()
    }
    let given = bench.devices.map { $0 as any BlockDevice }.dropFirst(
      bench.geometry.parityCount > 0
        ? bench.geometry.parityCount : recipe.level.usesWholeMembers ? 0 : 1)
    let strict = try Self.open(Array(given))
    let sink = RescueRecorder(byteCount: bench.model.count)
    try Salvage([.init(strict, isDoubtful: false)]).run(
      over: 0..<bench.model.count, except: sink.map, to: sink, SweepOptions())
    let lacking = Set([last] + (0..<(recipe.slotCount - given.count)))
    let geometry = bench.geometry
    func isKnown(_ offset: Int) -> Bool {
      let places = geometry.places(of: offset)
      if places.contains(where: { !lacking.contains($0.slot) }) { return true }
      return geometry.parityCount >= lacking.count
    }
    sink.check(bench.model, story: "\(recipe.testDescription)", isKnown)
    var options = RaidArray.Options()
    options.salvages = true
    options.allowsDoubt = true
    let former = try #require(strict.assembly.withFormerMembers())
    let forced = try RaidArray.open(former, options: options)
    #expect(forced.byteCount == strict.byteCount)
    let second = RescueRecorder(byteCount: bench.model.count)
    try Salvage([.init(strict, isDoubtful: false), .init(forced, isDoubtful: true)]).run(
      over: 0..<bench.model.count, except: second.map, to: second, SweepOptions())
    for offset in stride(from: 0, to: bench.model.count, by: 4096) {
      let range = offset..<min(offset + 4096, bench.model.count)
      let isRight = Array(second.bytes[range]) == Array(bench.model[range])
      let isOld = Array(second.bytes[range]) == Array(old[range])
      let status = second.map[second.map.index(of: offset)].status
      if isKnown(offset) {
        #expect(status == .rescued && isRight, "\(offset), \(recipe.testDescription)")
      } else {
        #expect(status == .unscraped, "\(offset), \(recipe.testDescription)")
        // Rows that were changed since are wrong or old; all others are right.
        if offset > 8192 * recipe.slotCount { #expect(isRight && isOld) }
      }
    }
  }

  @Test(arguments: [ArrayRecipe.raid5, .mirror, .linear, .raid0])
  func `a member that has lost its end gives what is left of it`(_ recipe: ArrayRecipe) throws {
    let recipe = recipe.with { $0.version = .v1_2 }
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let cut = try bench.dataOffset(1) + recipe.dataByteCount / 2 + 700
    let short = MemoryDevice(try bench.devices[1].bytes(0..<cut), name: "short")
    var given = bench.devices.map { $0 as any BlockDevice }
    given[1] = short
    if recipe.level == .singleParity { given.remove(at: 3) }
    if recipe.level == .mirrored { given.remove(at: 0) }
    let sink = RescueRecorder(byteCount: bench.model.count)
    var options = RaidArray.Options()
    options.salvages = true
    let assembly = try Assembly(salvaging: given)
    try Salvage([.init(try RaidArray.open(assembly, options: options), isDoubtful: false)]).run(
      over: 0..<bench.model.count, except: sink.map, to: sink, SweepOptions())
    let end = recipe.dataByteCount / 2 + 512
    let gone = recipe.level == .singleParity ? 3 : recipe.level == .mirrored ? 0 : -1
    let geometry = bench.geometry
    sink.check(bench.model, story: "\(recipe.testDescription)") { offset in
      func has(_ place: SlowGeometry.Place) -> Bool {
        place.slot != gone && (place.slot != 1 || place.offset < end)
      }
      let places = geometry.places(of: offset)
      if places.contains(where: has) { return true }
      return geometry.parityCount == 1 && places[0].slot != 1 && places[0].offset < end
    }
  }

  @Test func `sizes of linear members that nobody tells are refused`() throws {
    let devices = [1, 2, 3].map { size -> MemoryDevice in
      MemoryDevice(byteCount: size << 20, name: "m\(size)")
    }
    var request = ArrayCreation.Request(
      level: .linear, layout: 0, chunkByteCount: 0, name: "uneven")
    request.version = .v1_2
    let creation = try ArrayCreation(request, devices: devices, spares: [])
    try creation.write()
    _ = try creation.initialise(assumesClean: true, SweepOptions())
    #expect(throws: RaidError.notStartable(.unknownSizes(missingSlots: [1]))) {
      try Self.open([devices[0], devices[2]])
    }
    // Two of three say nothing of the third; one alone is taken for what all are like.
    #expect(try Self.open([devices[0]]).byteCount > 0)
  }

  static func open(_ devices: [any BlockDevice]) throws -> RaidArray {
    var options = RaidArray.Options()
    options.salvages = true
    return try RaidArray.open(devices, options: options)
  }
}

extension PatchyBench {
  func openToSalvage() throws -> RaidArray {
    try SalvageTests.open(
      bench.devices.indices.filter { !missing.contains($0) }.map { devices[$0] })
  }

  func salvage(to sink: RescueRecorder, workers: Int) throws {
    var options = SweepOptions()
    options.workers = workers
    try Salvage([.init(try openToSalvage(), isDoubtful: false)]).run(
      over: 0..<bench.model.count, except: sink.map, to: sink, options)
  }
}

/// Sectors that members have lost, and which of the array's that costs.
private struct SectorLosses {
  private let geometry: SlowGeometry
  private var lost: [Set<Int>]
  private let missing: Set<Int>

  init(_ patchy: PatchyBench, removing count: Int, using random: inout SeededGenerator) throws {
    geometry = patchy.bench.geometry
    lost = [Set<Int>](repeating: [], count: patchy.slotCount)
    for slot in 0..<min(count, patchy.slotCount - 1) { patchy.remove(slot) }
    missing = patchy.missing
    for _ in 0..<40 {
      let slot = Int.random(in: 0..<patchy.slotCount, using: &random)
      if patchy.missing.contains(slot) { continue }
      // Few blocks, so that they meet.
      let sector = Int.random(in: 0..<6, using: &random) * 8 + Int.random(in: 0..<8, using: &random)
      lost[slot].insert(sector)
      let start = try patchy.bench.dataOffset(slot) + sector * 512
      patchy.devices[slot].lose(start..<start + 512)
    }
  }

  private func lacks(_ slot: Int, _ sector: Int) -> Bool {
    missing.contains(slot) || lost[slot].contains(sector)
  }

  func isKnown(_ offset: Int) -> Bool {
    let places = geometry.places(of: offset)
    if places.contains(where: { !lacks($0.slot, $0.offset / 512) }) { return true }
    let sector = places[0].offset / 512
    return geometry.parityCount > 0
      && (0..<geometry.slotCount).count { lacks($0, sector) } <= geometry.parityCount
  }
}

/// Keeps what is rescued at its place, and the map.
final class RescueRecorder: SalvageSink {
  private struct State {
    var bytes: [UInt8]
    var pass: RescuePass
    var writtenTwice = 0
  }

  private let state: Monitor<State>

  init(byteCount: Int) {
    state = Monitor(
      State(
        bytes: [UInt8](repeating: 0xa5, count: byteCount),
        pass: RescuePass(over: RescueMap(byteCount: byteCount))))
  }

  var bytes: [UInt8] { state.withLock { $0.bytes } }
  var map: RescueMap { state.withLock { $0.pass.map } }
  /// Bytes that came although the map had them.
  var writtenTwice: Int { state.withLock { $0.writtenTwice } }

  /// From the array's beginning once more.
  func beginPass() { state.withLock { $0.pass = RescuePass(over: $0.pass.map) } }

  func take(
    _ bytes: RawSpan, at place: Int, _ arrayRange: Range<Int>, isDoubtful: Bool
  ) throws(SystemCallError) {
    let part = bytes.withUnsafeBytes { Array($0[place..<place + arrayRange.count]) }
    state.withLock { state in
      state.writtenTwice += state.pass.old.byteCount(of: .rescued, in: arrayRange)
      state.bytes.replaceSubrange(arrayRange, with: part)
      state.pass.note(arrayRange, isDoubtful ? .unscraped : .rescued)
    }
  }

  func lack(_ arrayRange: Range<Int>, _ reason: LossReason) throws(SystemCallError) {
    state.withLock { $0.pass.note(arrayRange, .lost) }
  }

  /// Every sector that can be known is there and right, and every other is marked as lost and untouched.
  func check(
    _ model: [UInt8], story: Comment, mayKnowMore: Bool = false, _ isKnown: (Int) -> Bool
  ) {
    let (bytes, map) = (self.bytes, self.map)
    #expect(map.byteCount == model.count, story)
    var wrong: [Int] = []
    for offset in stride(from: 0, to: model.count, by: 512) {
      let range = offset..<min(model.count, offset + 512)
      let status = map[map.index(of: offset)].status
      let isRight =
        switch status {
        case .rescued:
          bytes[range].elementsEqual(model[range]) && (mayKnowMore || isKnown(offset))
        case .lost: !isKnown(offset) && bytes[range].allSatisfy { $0 == 0xa5 }
        default: false
        }
      if !isRight { wrong.append(offset) }
    }
    #expect(wrong.isEmpty, "\(wrong.count) sectors, the first \(wrong.prefix(5)); \(story)")
  }
}
