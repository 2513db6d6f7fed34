import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Arrays that do not start, and what is done about it by force.
@Suite struct ForcedStartTests {
  /// As md makes them: nothing but superblocks, and a bitmap if so.
  static func plain(_ recipe: ArrayRecipe, bitmap: Bool = false) -> ArrayRecipe {
    recipe.with {
      $0.hasSums = false
      $0.hasBitmap = bitmap
    }
  }

  @Test func `a member that left a dead array has everything`() throws {
    let bench = try ForcedBench(Self.plain(.raid5), away: [3], writes: 5)
    try bench.kill([1])
    let plan = try bench.plan()
    #expect(plan.verdict == .possible && plan.refused.map(\.index) == [3])
    #expect(plan.returning.map(\.slot) == [1])
    #expect(plan.returning[0].evidence == .nothingWrittenSince(emptySlots: [1, 3]))
    #expect(plan.lost.isEmpty && plan.doubtful.isEmpty && !plan.endsDoubt)
    #expect(plan.emptySlots == [3])
    try plan.carryOut()
    try bench.requireAll()
    #expect(try ArrayAudit.violations(bench.array, inSync: [0, 1, 2]) == [])
    #expect(try bench.plan().verdict == .startsAlready)
  }

  /// Those that go last are together one loss too many.
  @Test(arguments: [
    (plain(.raid5), [1, 3]), (plain(.raid4), [0, 3]), (plain(.raid6), [0, 2, 3]),
    (.raid6, [1, 2, 3, 4]), (.triple, [0, 1, 2, 3]), (.raid5, [0, 1]),
    (plain(.raid0), [1]), (plain(.linear), [2]), (plain(.raid10), [0, 1]), (.raid10, [2, 3]),
    (plain(.far2), [0, 1]),
  ])
  func `members that left in one moment come back, no more than are needed`(
    _ recipe: ArrayRecipe, _ slots: [Int]
  ) throws {
    let bench = try ForcedBench(recipe)
    try bench.kill(slots)
    let plan = try bench.plan()
    #expect(plan.verdict == .possible, "\(plan.refused)")
    let redundancy = bench.array.recipe.level == .mirroredStripes ? 1 : slots.count
    #expect(plan.returning.count < slots.count || redundancy == 1)
    #expect(plan.lost.isEmpty && plan.doubtful.isEmpty)
    try plan.carryOut()
    try bench.requireAll()
    let present = Set(bench.array.devices.indices).subtracting(plan.emptySlots)
    let violations = try ArrayAudit.violations(bench.array, inSync: present)
    #expect(violations == [], "\(violations)")
  }

  @Test func `where nothing speaks for a member, nothing is written`() throws {
    let bench = try ForcedBench(Self.plain(.raid5), away: [3], writes: 5)
    bench.lost = [1]
    let before = bench.array.devices.map(\.contents)
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible && plan.returning.isEmpty)
    #expect(plan.refused.map(\.reason) == [.noBitmap])
    #expect(bench.array.devices.map(\.contents) == before)
  }

  @Test func `a member that left before the bitmap begins is refused`() throws {
    let bench = try ForcedBench(Self.plain(.raid5, bitmap: true), away: [3], writes: 2)
    bench.lost = [1]
    let old = try bench.array.superblock(3).events
    try bench.edit(3) { $0.events = 1 }
    let plan = try bench.plan()
    #expect(old > 1 && plan.verdict == .impossible)
    guard case .leftBeforeBitmap? = plan.refused.first?.reason else {
      Issue.record("\(plan.refused)")
      return
    }
  }

  /// What the bitmap marks of a member is lost, and is never read.
  @Test(
    arguments: [
      plain(.raid5, bitmap: true), plain(.raid4, bitmap: true), plain(.raid10, bitmap: true),
      .raid5,
      .raid5.withoutJournal, .raid10, .far2,
    ].map { recipe in recipe.with { $0.dataByteCount = 1 << 20 } })
  func `what a bitmap marks is given up, and everything else kept`(_ recipe: ArrayRecipe) throws {
    for away in 0..<recipe.slotCount {
      let bench = try ForcedBench(recipe, away: [away], writes: 2)
      guard let other = bench.needed(besides: away) else { continue }
      bench.lost = [other]
      let plan = try bench.plan()
      #expect(plan.verdict == .possible, "\(away): \(plan.refused)")
      guard plan.verdict == .possible else { continue }
      guard case .marked(let count) = plan.returning[0].evidence else {
        Issue.record("\(plan.returning)")
        continue
      }
      #expect(count > 0 && plan.returning.map(\.slot) == [away])
      #expect(!plan.lost.isEmpty && plan.lost.byteCount < bench.array.model.count / 2)
      try plan.carryOut()
      // Exactly what was told is lost, and all else is of now.
      let array = try bench.open()
      for start in stride(from: 0, to: array.byteCount, by: 4096) {
        let block = start..<start + 4096
        let isTold = plan.lost.ranges.contains { $0.overlaps(block) }
        do {
          let bytes = try array.bytes(block)
          #expect(!isTold && bytes == Array(bench.array.model[block]), "\(away): \(block)")
        } catch {
          guard case .unreadable = error else { throw error }
          #expect(isTold, "\(away): \(block) \(error)")
        }
      }
      #expect(try bench.plan().verdict == .startsAlready)
    }
  }

  /// What was written last is on members that are out of date and on lost ones only: all that is there agrees.
  @Test func `parity that agrees is no proof`() throws {
    let bench = try ForcedBench(Self.plain(.raid6))
    let whole = try bench.array.open()
    guard case .parity(let rows) = whole.shape.placement else { return }
    try whole.close()
    let pattern = rows.pattern(ofRow: 0)
    let away = [pattern.dataSlots[0], pattern.paritySlots[0]]
    for slot in away {
      let failing = try bench.array.open()
      try failing.failMember(named: bench.array.devices[slot].name)
      try failing.close()
    }
    let degraded = try bench.array.open()
    try bench.array.write([UInt8](repeating: 7, count: 4096), at: 0, to: degraded)
    try degraded.close()
    bench.lost = [pattern.paritySlots[1]]
    let before = bench.array.devices.map(\.contents)
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible)
    #expect(plan.refused.allSatisfy { $0.reason == .noBitmap } && plan.refused.count == 2)
    #expect(bench.array.devices.map(\.contents) == before)
  }

  @Test func `a list of bad blocks that is too short keeps a member out`() throws {
    let bench = try ForcedBench(Self.plain(.raid5, bitmap: true), away: [3], writes: 2)
    bench.lost = [1]
    try bench.edit(3) { $0.badBlockLog = .init() }
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible)
    guard case .noRoomForLosses? = plan.refused.first?.reason else {
      Issue.record("\(plan.refused)")
      return
    }
  }

  @Test func `a member that went its own way stays out`() throws {
    let bench = try ForcedBench(Self.plain(.raid10))
    try bench.kill([0, 1])
    // On the other side the members of slots 2 and 3 failed, one after the other.
    for slot in [0, 1] {
      try bench.edit(slot) { superblock in
        superblock.events += 1
        superblock.roles[2] = MDSuperblock.faulty
      }
    }
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible)
    #expect(
      plan.refused.allSatisfy { if case .wentItsOwnWay = $0.reason { true } else { false } },
      "\(plan.refused)")
  }

  /// They stopped at the same event, but nobody says that they left then.
  @Test(arguments: [plain(.raid5), plain(.raid5, bitmap: true), .raid5, plain(.raid10)])
  func `copies of members from before prove nothing`(_ recipe: ArrayRecipe) throws {
    let bench = try ForcedBench(recipe)
    let slots = [0, 1]
    let old = slots.map { bench.array.devices[$0].copy() }
    try bench.array.fill(seed: 22)
    for (slot, copy) in zip(slots, old) {
      try bench.array.devices[slot].write(copy.contents, at: 0)
      try bench.array.devices[slot].flush()
    }
    let before = bench.array.devices.map(\.contents)
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible)
    #expect(
      plan.refused.count == 2
        && plan.refused.allSatisfy {
          if case .olderCopy(let behind) = $0.reason { behind > 1 } else { false }
        }, "\(plan.refused)")
    #expect(bench.array.devices.map(\.contents) == before)
  }

  /// What each half of an array wrote alone is on it alone.
  @Test(arguments: [plain(.mirror), .mirror, plain(.raid10), .raid10], [1, 2, 4])
  func `halves that went on without each other are told`(_ recipe: ArrayRecipe, _ writes: Int)
    throws
  {
    let bench = try ForcedBench(recipe)
    let halves: [Set<Int>] = recipe.level == .mirrored ? [[0], [1]] : [[0, 2], [1, 3]]
    for (half, count) in zip(halves, [2, writes]) {
      for number in 0..<count {
        let array = try bench.array.open(
          without: Set(bench.array.devices.indices).subtracting(half))
        try array.write([UInt8](repeating: UInt8(number + half.min()!), count: 4096), at: 0)
        try array.close()
      }
    }
    let assembly = try Assembly(devices: bench.given)
    let split = assembly.standings.indices.filter { assembly.standings[$0] == .split }
    // As many writes of each in the same second: either may be the array.
    let isTie = writes == 2
    #expect(
      Set(split) == halves[writes > 2 ? 0 : 1] || isTie && Set(split) == halves[0],
      "\(assembly.standings)")
  }

  @Test func `a slot that was filled again since speaks against a member`() throws {
    // By the member's own word slots 1 and 3 were empty; by the others' slot 3 is not.
    let bench = try ForcedBench(Self.plain(.raid5))
    try bench.kill([1, 2])
    try bench.edit(1) { $0.roles[3] = MDSuperblock.spare }
    bench.lost = [2]
    let plan = try bench.plan()
    #expect(plan.verdict == .impossible && plan.refused.map(\.reason) == [.noBitmap])
  }

  @Test func `a mirror whose source left while it was being filled`() throws {
    let bench = try ForcedBench(Self.plain(.mirror))
    try bench.kill([0])
    try bench.edit(1) { superblock in
      superblock.features.insert(.recoveryOffset)
      superblock.recoveryOffsetSectors = 64
    }
    let plan = try bench.plan()
    #expect(plan.verdict == .possible && plan.returning.map(\.slot) == [0])
    try plan.carryOut()
    try bench.requireAll()
  }

  // MARK: Doubt

  @Test(arguments: [false, true]) func `dirty and degraded is told, and called clean`(
    _ hasBitmap: Bool
  ) throws {
    let recipe = Self.plain(.raid5, bitmap: hasBitmap).with { $0.dataByteCount = 1 << 20 }
    let bench = try ForcedBench(recipe, away: [3], writes: 0)
    let crashed = try bench.open(writable: true)
    try bench.array.write(SeededGenerator.bytes(seed: 4, 4096), at: 4096, to: crashed)
    try bench.array.devices.forEach { try $0.flush() }
    let plan = try bench.plan()
    #expect(plan.verdict == .possible && plan.endsDoubt && plan.returning.isEmpty)
    // A quarter of what is in doubt lay on the member that is missing, or all of it.
    let everything = bench.array.model.count / 3 * 3 / 4
    if hasBitmap {
      #expect(plan.doubtful.byteCount > 0 && plan.doubtful.byteCount < everything / 2)
    } else {
      #expect(abs(plan.doubtful.byteCount - everything) <= 2 * recipe.chunk)
    }
    try plan.carryOut()
    #expect(try ArrayAudit.violations(bench.array, inSync: [0, 1, 2]) == [])
    #expect(try bench.plan().verdict == .startsAlready)
    try bench.requireAll()
  }

  @Test func `what was in flight when a member left is in doubt`() throws {
    let bench = try ForcedBench(Self.plain(.raid5), away: [3], writes: 1)
    for slot in 0..<3 { try bench.edit(slot) { $0.isClean = false } }
    try bench.kill([1])
    // The others were closed after that.
    for slot in [0, 2] { try bench.edit(slot) { $0.isClean = true } }
    let plan = try bench.plan()
    #expect(plan.returning.map(\.slot) == [1] && plan.endsDoubt && !plan.doubtful.isEmpty)
    try plan.carryOut()
    try bench.requireAll()
    #expect(try bench.array.superblock(1).isClean)
  }

  @Test func `a live journal is written out, not thrown away`() throws {
    let recipe = ArrayRecipe.raid5.with { $0.dataByteCount = 1 << 20 }
    let bench = try ForcedBench(recipe, away: [3], writes: 1)
    // What is in the journal is nowhere else.
    let before = bench.array.devices.map { $0.copy() }
    let crashed = try bench.open(writable: true)
    let bytes = SeededGenerator.bytes(seed: 5, 8192)
    let place = bench.array.model.count - 16384
    try bench.array.write(bytes, at: place, to: crashed)
    try crashed.makeDurable()
    for (device, old) in zip(bench.array.devices, before) {
      let start = try bench.array.dataOffset(0)
      let data = start..<start + recipe.dataByteCount
      try device.write(Array(old.contents[data]), at: start)
      try device.flush()
    }
    let plan = try bench.plan()
    #expect(plan.verdict == .startsAlready)
    bench.lost = [1]
    let forced = try bench.plan()
    #expect(forced.verdict == .possible, "\(forced.refused)")
    #expect(!forced.endsDoubt)
    try forced.carryOut()
    let array = try bench.open()
    for start in stride(from: 0, to: array.byteCount, by: 4096) {
      let block = start..<start + 4096
      if forced.lost.ranges.contains(where: { $0.overlaps(block) }) { continue }
      #expect(try array.bytes(block) == Array(bench.array.model[block]), "\(block)")
    }
  }

  // MARK: What is kept

  @Test func `the history tells of it`() throws {
    let bench = try ForcedBench(.raid5, away: [3], writes: 2)
    bench.lost = [1]
    try bench.plan().carryOut()
    let events = try bench.given.map { try MemberProbe($0) }.events
    let added = try #require(events.last { $0.kind == .memberAdded })
    #expect(added.cause == ArrayEvent.ArrivalCause.forced.rawValue && added.slot == 3)
    #expect(added.counts.first > 0)
  }

  @Test func `bits that others own stay`() throws {
    let bench = try ForcedBench(Self.plain(.raid5))
    for device in bench.array.devices {
      try device.write([UInt8](repeating: 0x5a, count: 512), at: 4096 + 2048)
      try device.flush()
    }
    for slot in 0..<4 {
      try bench.edit(slot) { superblock in
        superblock.deviceFlags.insert(.writeMostly)
        superblock.correctedReadErrors = 7
      }
    }
    try bench.kill([0, 1])
    try bench.plan().carryOut()
    for slot in [0, 2, 3] {
      let superblock = try bench.array.superblock(slot)
      #expect(superblock.deviceFlags.contains(.writeMostly) && superblock.correctedReadErrors == 7)
      #expect(bench.array.devices[slot].contents[4096 + 2048] == 0x5a)
    }
  }

  @Test func `arrays whose superblocks are not ours to write are refused`() throws {
    let bench = try ForcedBench(Self.plain(.raid5))
    for slot in 0..<4 {
      try bench.edit(slot) { superblock in
        superblock.features.insert(.reshape)
        superblock.reshape.newLevel = superblock.level
        superblock.reshape.newLayout = superblock.layout
        superblock.reshape.newChunkSectors = superblock.chunkSectors
      }
    }
    #expect(throws: RaidError.readOnly(.reshaping)) { _ = try bench.plan() }
  }

  // MARK: Faults

  static let cut: [ForcedCase] = [
    ForcedCase(recipe: plain(.raid5), away: [3], kill: [1]),
    ForcedCase(recipe: plain(.raid5), kill: [0, 1]),
    ForcedCase(recipe: plain(.raid6), kill: [0, 1, 2, 3]),
    ForcedCase(recipe: plain(.raid5, bitmap: true), away: [3], lost: [1]),
    ForcedCase(recipe: plain(.raid5, bitmap: true), away: [0], lost: [1]),
    ForcedCase(recipe: .raid5, away: [0], lost: [1]),
    ForcedCase(recipe: .raid10, away: [0], lost: [1]),
    ForcedCase(recipe: plain(.raid5, bitmap: true), away: [0], lost: [1], lag: 1),
    ForcedCase(recipe: plain(.raid5), kill: [0, 1], lag: 1),
  ]

  @Test(arguments: cut, [PowerSwitch.Operation.write, .flush])
  func `cut off anywhere, the same command finishes`(
    _ one: ForcedCase, _ operation: PowerSwitch.Operation
  ) throws {
    let original = try one.bench()
    let wanted = try original.plan()
    #expect(wanted.verdict == .possible)
    var number = 0
    while true {
      let bench = original.copy()
      let power = PowerSwitch(after: number, of: operation)
      bench.array.wrap = { power.wrap($0) }
      let result = Result { try bench.plan().carryOut() }
      bench.array.wrap = { $0 }
      if !power.isOff {
        try result.get()
        break
      }
      // Chance decides what of the last writes is there; another time all of it is.
      var random = SeededGenerator(seed: UInt64(number))
      for device in bench.array.devices {
        if number % 3 == 0 { device.rollBack() }
        if number % 3 == 1 { device.cutPower(using: &random) }
        try device.flush()
      }
      // Never is anything read that is old.
      try bench.requireNothingOld(lost: wanted.lost, "\(number)")
      let again = try bench.plan()
      #expect(again.verdict != .impossible, "cut at \(number): \(again.refused)")
      if again.verdict == .possible {
        #expect(Set(again.returning.map(\.slot)).isSubset(of: wanted.returning.map(\.slot)))
        // What was put on lists of bad blocks is still said to be lost.
        if again.returning.isEmpty { #expect(again.lost == wanted.lost, "cut at \(number)") }
        try again.carryOut()
      }
      let array = try bench.open()
      #expect(array.degradedSlots == wanted.emptySlots, "cut at \(number)")
      try bench.requireNothingOld(lost: wanted.lost, "\(number), finished")
      number += 1
    }
    #expect(number > 2)
  }

  @Test(arguments: cut) func `a member that fails on the way costs nothing`(
    _ one: ForcedCase
  ) throws {
    let original = try one.bench()
    let wanted = try original.plan()
    for slot in original.array.devices.indices where !original.lost.contains(slot) {
      let dry = original.copy()
      let target = dry.array.devices[slot]
      let counting = dry.array.inject([], on: target)
      try dry.plan().carryOut()
      for number in 0..<counting.operationCount() {
        for effect in FaultInjectionTests.loud where number % 3 == effect.index % 3 {
          let bench = original.copy()
          bench.array.inject(
            [.init(.operation(number, of: nil), effect)], on: bench.array.devices[slot])
          // It may end well, or say why not.
          do {
            let plan = try bench.plan()
            if plan.verdict == .possible { try plan.carryOut() }
          } catch is RaidError {}
          bench.array.wrap = { $0 }
          try bench.requireNothingOld(lost: wanted.lost, "slot \(slot), \(number), \(effect)")
          let again = try bench.plan()
          if again.verdict == .possible { try again.carryOut() }
          #expect(again.verdict != .impossible, "slot \(slot), \(number), \(effect)")
          try bench.requireNothingOld(
            lost: wanted.lost, "slot \(slot), \(number), \(effect), again")
        }
      }
    }
  }
}

extension FaultyDevice.Effect {
  /// Some number of its own.
  fileprivate var index: Int {
    switch self {
    case .fail(.unreadable): 0
    case .fail(.unwritable): 1
    case .fail: 2
    case .tear: 4
    case .vanish: 5
    default: 6
    }
  }
}

/// An array, who was away, who was killed, and who is not there.
struct ForcedCase: Sendable, CustomTestStringConvertible {
  var recipe: ArrayRecipe
  var away: [Int] = []
  var kill: [Int] = []
  var lost: [Int] = []
  /// How many events the others are ahead at last.
  var lag: UInt64 = 2

  var testDescription: String {
    "\(recipe.testDescription); away \(away), killed \(kill), lost \(lost), lag \(lag)"
  }

  func bench() throws -> ForcedBench {
    let bench = try ForcedBench(recipe, away: away, writes: away.isEmpty ? 0 : 2)
    if !kill.isEmpty { try bench.kill(kill, lag: lag) }
    bench.lost = Set(lost)
    if lag == 1, let slot = away.first {
      // It is called failed, and has missed no event but that.
      let newest = try bench.array.superblock(lost[0] == 2 ? 3 : 2).events
      try bench.edit(slot) { $0.events = newest - 1 }
    }
    return bench
  }
}

/// An array that loses its members as under md: those that are left know, and those that left do not.
final class ForcedBench {
  let array: ArrayBench
  /// Slots whose members are not given.
  var lost: Set<Int> = []

  /// - Parameters:
  ///   - away: slots whose members fail first.
  ///   - writes: how many places are written without them.
  init(_ recipe: ArrayRecipe, away: [Int] = [], writes: Int = 0) throws {
    array = try ArrayBench(recipe)
    try array.fill(seed: 21)
    guard !away.isEmpty else { return }
    let failing = try array.open()
    for slot in away { try failing.failMember(named: array.devices[slot].name) }
    try failing.close()
    if writes == 0 { return }
    let degraded = try array.open()
    var random = SeededGenerator(seed: 22)
    for number in 0..<writes {
      // Beside each other, so that few bits of a bitmap are set.
      let bytes = random.bytes(recipe.chunk == 0 ? 4096 : 3 * recipe.chunk)
      try array.write(bytes, at: number * bytes.count, to: degraded)
    }
    try degraded.close()
  }

  private init(_ array: ArrayBench, lost: Set<Int>) {
    self.array = array
    self.lost = lost
  }

  func copy() -> ForcedBench { ForcedBench(array.copy(), lost: lost) }

  var given: [any BlockDevice] {
    array.devices.indices.filter { !lost.contains($0) }.map { array.wrap(array.devices[$0]) }
  }

  func plan() throws -> ForcedStart { try ForcedStart(Assembly(devices: given)) }

  func open(writable: Bool = false) throws -> RaidArray {
    try array.open(writable: writable, without: lost)
  }

  /// Changes a superblock as somebody who knows its checksum; all else in its block stays.
  func edit(_ slot: Int, _ change: (inout MDSuperblock) -> Void) throws {
    let device = array.devices[slot]
    var superblock = try MemberProbe(device).superblock
    change(&superblock)
    let offset = Int(superblock.superOffsetSectors) * 512
    var block = AlignedBuffer(Array(device.contents[offset..<offset + 4096]))
    var bytes = block.mutableBytes
    superblock.encode(into: &bytes)
    try device.write(bytes.bytes, range: 0..<4096, at: offset)
    try device.flush()
  }

  /// Members go in one moment; the others write it down.
  func kill(_ slots: [Int], lag: UInt64 = 2) throws {
    let active = try Assembly(devices: given)
    let numbers = try slots.map { Int(try array.superblock($0).deviceNumber) }
    for (index, standing) in active.standings.enumerated() {
      guard case .active(let slot) = standing, !slots.contains(slot) else { continue }
      let place = array.devices.firstIndex { $0.name == active.members[index].name }!
      try edit(place) { superblock in
        superblock.events += lag
        for number in numbers { superblock.roles[number] = MDSuperblock.faulty }
      }
    }
  }

  /// Another slot without which, and this one, the array does not start.
  func needed(besides slot: Int) -> Int? {
    let shape = try? ArrayShapes(Assembly(devices: given)).old
    return array.devices.indices.first { other in
      other != slot
        && shape?.survives(present: array.devices.indices.map { $0 != slot && $0 != other })
          == false
    }
  }

  func requireAll(at location: SourceLocation = #_sourceLocation) throws {
    let bytes = try array.contents(open())
    #expect(bytes == array.model, sourceLocation: location)
  }

  /// Whatever state the array is in: what can be read of it is of now.
  func requireNothingOld(
    lost: ArrayExtent, _ remark: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    let array: RaidArray
    do {
      array = try open()
    } catch is RaidError {
      return
    }
    for start in stride(from: 0, to: array.byteCount, by: 4096) {
      let block = start..<start + 4096
      do {
        let bytes = try array.bytes(block)
        #expect(
          bytes == Array(self.array.model[block]), "\(remark): \(block)", sourceLocation: location)
      } catch {
        guard case .unreadable = error, lost.ranges.contains(where: { $0.overlaps(block) }) else {
          Issue.record("\(remark): \(block) \(error)", sourceLocation: location)
          continue
        }
      }
    }
  }
}
