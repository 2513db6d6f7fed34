import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// Every operation with a member that goes wrong at each of its inputs and outputs in turn.
@Suite struct FaultInjectionTests {
  /// What is done to the array while the fault comes.
  enum Work: String, CaseIterable, Sendable {
    case wholeWrite, partWrite, unalignedWrite, read, degradedRead, degradedWrite, scrub, rebuild
    case replace, addSpare, failMember, removeMember
    /// A spare takes the place of a member that is gone.
    case promoteSpare
    /// A member that missed a write comes back.
    case returnMember
    /// A read finds a block of another member rotten, and repairs it.
    case readRepair
  }

  /// Which device the fault is on.
  enum Target: Equatable {
    case slot(Int)
    /// The one that comes in: new, spare or returning.
    case newcomer
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    var work: Work
    var testDescription: String { "\(work.rawValue), \(recipe.testDescription)" }
  }

  static let small: [ArrayRecipe] = [
    ArrayRecipe.mirror, .raid1, .raid5, .raid6, .raid10,
    .raid5.with {
      $0.hasBitmap = true
      $0.version = .v1_0
    },
    .triple,
  ].map { recipe in
    recipe.with {
      $0.dataByteCount = 64 << 10
      if $0.chunk > 0 { $0.chunk = 4096 }
    }
  }

  /// Where one member is away already a second one that lies is more than these can bear.
  static let bearable = cases.filter { one in
    switch one.work {
    case .degradedRead, .degradedWrite, .rebuild, .failMember, .removeMember, .promoteSpare,
      .returnMember, .readRepair:
      canLoseTwo(one.recipe)
    default: true
    }
  }

  static func canLoseTwo(_ recipe: ArrayRecipe) -> Bool {
    ![ArrayRecipe.mirror, .raid5].contains { $0.level == recipe.level }
      || recipe.level == .mirrored && recipe.slotCount > 2
  }

  static let cases = small.flatMap { recipe in
    Work.allCases.compactMap { work -> Case? in
      switch work {
      // A rotten block is one loss already.
      case .readRepair where !canLoseTwo(recipe): nil
      case .promoteSpare: Case(recipe: recipe.with { $0.spareCount = 1 }, work: work)
      default: Case(recipe: recipe, work: work)
      }
    }
  }

  /// Works that somebody comes into.
  static let entrances = cases.filter {
    [.rebuild, .replace, .addSpare, .promoteSpare, .returnMember].contains($0.work)
  }

  static let loud: [FaultyDevice.Effect] = [
    .fail(.unreadable(offset: 0, errno: .ioError)),
    .fail(.unwritable(offset: 0, errno: .ioError)),
    .fail(.full(offset: 0)),
    .fail(.flushFailed(.ioError)),
    .fail(.gone(.noSuchAddressOrDevice)),
    .fail(.truncated(offset: 0)),
    .tear(after: 512, .unwritable(offset: 0, errno: .ioError)),
    .tear(after: 2560, .gone(.noSuchAddressOrDevice)),
    .vanish,
  ]

  static let silent: [FaultyDevice.Effect] = [
    .ignore, .flip(byte: 40, mask: 4), .misdirect(by: 8192), .misdirect(by: -4096),
  ]

  @Test(arguments: cases) func `a failing member costs nothing that was acknowledged`(
    _ one: Case
  ) throws {
    try FaultSweep(one, effects: Self.loud).run([.slot(0), .slot(1)])
  }

  @Test(arguments: entrances) func `a newcomer that fails costs nothing at all`(
    _ one: Case
  ) throws {
    try FaultSweep(one, effects: Self.loud).run([.newcomer])
  }

  @Test(arguments: entrances) func `a newcomer that lies is found out`(_ one: Case) throws {
    try FaultSweep(one, effects: Self.silent).run([.newcomer])
  }

  @Test(arguments: bearable) func `a lying member is found out`(_ one: Case) throws {
    try FaultSweep(one, effects: Self.silent).run([.slot(0), .slot(1)])
  }
}

/// One operation on one array, again and again, each time with another fault.
struct FaultSweep {
  typealias Work = FaultInjectionTests.Work

  private let one: FaultInjectionTests.Case
  private let effects: [FaultyDevice.Effect]
  private let original: ArrayBench

  init(_ one: FaultInjectionTests.Case, effects: [FaultyDevice.Effect]) throws {
    self.one = one
    self.effects = effects
    original = try ArrayBench(one.recipe)
    try original.fill(seed: 11)
  }

  /// Which fault comes at which operation. In a soak every fault at every operation, which takes minutes;
  /// else one fault at each of some operations.
  static func turns(
    _ count: Int, _ effects: [FaultyDevice.Effect], offset: Int
  ) -> [(number: Int, effect: FaultyDevice.Effect)] {
    let isExhaustive = Machine.environment("FTOOL_SOAK") != nil
    let step = isExhaustive ? 1 : max(1, count / 5)
    var turns: [(number: Int, effect: FaultyDevice.Effect)] = []
    for (turn, number) in stride(from: offset % step, to: count, by: step).enumerated() {
      for (index, effect) in effects.enumerated()
      where isExhaustive || (turn + offset) % effects.count == index {
        turns.append((number, effect))
      }
    }
    return turns
  }

  func run(_ targets: [FaultInjectionTests.Target]) throws {
    for (offset, target) in targets.enumerated() {
      let count = try attempt(target, nil)
      for (number, effect) in Self.turns(count, effects, offset: offset) {
        _ = try attempt(target, .init(.operation(number, of: nil), effect))
      }
    }
  }

  /// Does the work with one fault, then looks at what is left; returns how many operations there were.
  private func attempt(
    _ place: FaultInjectionTests.Target, _ fault: FaultyDevice.Fault?
  ) throws -> Int {
    let bench = original.copy()
    let story: Comment = "\(one.testDescription), \(place), \(String(describing: fault))"
    var trial = Trial(bench: bench, faultySlot: place == .slot(0) ? 0 : 1, work: one.work)
    let target: MemoryDevice =
      if case .slot(let slot) = place { bench.devices[slot] } else { trial.newcomer }
    let faulty = bench.inject(fault.map { [$0] } ?? [], on: target)
    do {
      try trial.perform(one.work)
      if fault == nil { #expect(faulty.operationCount() > 0) }
    } catch {
      #expect(fault != nil, "\(error) without a fault; \(story)")
      #expect(error is RaidError || error is DeviceError, story)
    }
    let count = faulty.operationCount()
    faulty.heal()
    bench.wrap = { $0 }
    do {
      try trial.settle(story)
    } catch {
      Issue.record("\(error); \(story)")
    }
    return count
  }
}

/// What was tried on an array, and what may be in it now.
private struct Trial {
  let bench: ArrayBench
  let faultySlot: Int
  /// Bytes that were being written and not acknowledged: old or new.
  private var pending: (offset: Int, bytes: [UInt8])?
  /// Devices beside those in slots.
  private var others: [MemoryDevice]
  /// The device that comes into the array, where one does.
  let newcomer: MemoryDevice
  /// A slot that is not the faulty one.
  private let elsewhere: Int

  init(bench: ArrayBench, faultySlot: Int, work: FaultInjectionTests.Work) {
    self.bench = bench
    self.faultySlot = faultySlot
    elsewhere = faultySlot == bench.recipe.slotCount - 1 ? 0 : bench.recipe.slotCount - 1
    others = bench.spares
    newcomer =
      switch work {
      case .promoteSpare: bench.spares[0]
      case .returnMember: bench.devices[elsewhere]
      case .rebuild, .replace: bench.fresh(garbage: 5)
      default: bench.fresh()
      }
    if work != .promoteSpare, work != .returnMember { others.append(newcomer) }
  }

  mutating func perform(_ work: FaultInjectionTests.Work) throws {
    switch work {
    case .wholeWrite: try write(0, bench.model.count / 4096 * 4096, missing: [])
    case .partWrite: try write(4096, 12288, missing: [])
    case .unalignedWrite: try write(5000, 9000, missing: [])
    case .degradedWrite: try write(5000, 9000, missing: [elsewhere])
    case .read: try read(missing: [])
    case .degradedRead: try read(missing: [elsewhere])
    case .scrub:
      let array = try bench.open()
      let report = try array.scrub(oneWorker())
      _ = report
      try array.close()
    case .rebuild:
      let slot = elsewhere
      let array = try bench.open(without: [slot])
      let ranges = try array.admit(bench.wrap(newcomer), toSlot: slot)
      _ = try array.rebuild(slot: slot, ranges: ranges, oneWorker().sweep)
      try array.close()
    case .replace:
      let slot = elsewhere
      let array = try bench.open()
      try array.admitReplacement(bench.wrap(newcomer), forSlot: slot)
      let report = try array.rebuild(slot: slot, isReplacement: true, oneWorker().sweep)
      if report.isComplete, report.lostBlocks.isEmpty,
        let left = try array.finishReplacing(slot: slot)
      {
        try MemberProbe(left).eraseSuperblock()
      }
      try array.close()
    case .addSpare:
      let array = try bench.open()
      try array.addSpare(bench.wrap(newcomer))
      try array.close()
    case .promoteSpare:
      let slot = elsewhere
      let array = try bench.open(without: [slot])
      try array.promoteSpare(named: nil, toSlot: slot)
      _ = try array.rebuild(slot: slot, oneWorker().sweep)
      try array.close()
    case .returnMember:
      let slot = elsewhere
      try write(5000, 9000, missing: [slot])
      let probe = try MemberProbe(bench.wrap(newcomer))
      let array = try bench.open(without: [slot])
      let ranges = try array.admit(probe.device, toSlot: slot, knownAs: probe)
      _ = try array.rebuild(slot: slot, ranges: ranges, oneWorker().sweep)
      try array.close()
    case .readRepair:
      let start = try bench.dataOffset(elsewhere) + 4096
      bench.devices[elsewhere].corrupt(start + 9..<start + 12)
      let array = try bench.open()
      let contents = try bench.contents(array)
      #expect(contents == bench.model)
      try array.close()
    case .failMember:
      let array = try bench.open()
      try array.failMember(named: bench.devices[elsewhere].name)
      try array.close()
    case .removeMember:
      let array = try bench.open()
      try array.failMember(named: bench.devices[elsewhere].name)
      try array.removeMember(named: bench.devices[elsewhere].name)
      try array.close()
    }
  }

  private func oneWorker() -> RaidArray.ScrubOptions {
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    return options
  }

  private mutating func write(_ offset: Int, _ count: Int, missing: Set<Int>) throws {
    let array = try bench.open(without: missing)
    var random = SeededGenerator(seed: 77)
    let bytes = random.bytes(count)
    pending = (offset, bytes)
    try array.write(bytes, at: offset)
    try array.flush()
    bench.model.replaceSubrange(offset..<offset + count, with: bytes)
    pending = nil
    try array.close()
  }

  private func read(missing: Set<Int>) throws {
    let array = try bench.open(without: missing)
    for offset in stride(from: 0, to: bench.model.count, by: 20000) {
      let range = offset..<min(bench.model.count, offset + 20000)
      #expect(try array.bytes(range) == Array(bench.model[range]))
    }
    try array.close()
  }

  /// With all devices healed: the content is what it should be, and the array can be made whole.
  mutating func settle(_ story: Comment) throws {
    var given: [any BlockDevice] = []
    for device in bench.devices + others where (try? MemberProbe(device)) != nil {
      given.append(device)
    }
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = true
    options.allowsDoubt = true
    let array = try RaidArray.open(given, options: options)
    try compare(array, story)
    let report = try array.scrub(oneWorker())
    #expect(report.findings.allSatisfy { $0.outcome == .repaired }, "\(report.findings); \(story)")
    try fillSlots(array)
    try compare(array, story)
    try array.close()
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [], "\(violations); \(story)")
  }

  private mutating func compare(_ array: RaidArray, _ story: Comment) throws {
    let contents = try array.bytes(0..<array.byteCount)
    if let pending {
      // Block by block, either is right; later looks must find the same.
      for start in stride(from: pending.offset, to: pending.offset + pending.bytes.count, by: 1) {
        let new = pending.bytes[start - pending.offset]
        #expect(contents[start] == bench.model[start] || contents[start] == new, story)
        if contents[start] != bench.model[start], contents[start] != new { break }
        bench.model[start] = contents[start]
      }
      self.pending = nil
    }
    if !contents.same(as: bench.model) {
      let at = zip(contents, bench.model).enumerated().first { $0.element.0 != $0.element.1 }?
        .offset
      Issue.record("content differs at \(at ?? -1); \(story)")
      bench.model = contents
    }
  }

  /// Every slot gets a member, and the bench knows which.
  private mutating func fillSlots(_ array: RaidArray) throws {
    for (slot, holder) in array.members.slots.enumerated() {
      if let replacement = holder.replacement, holder.member?.isInSync == true {
        try array.removeMember(named: replacement.name)
      }
      if let member = holder.member, !member.isFailed {
        if !member.isInSync { _ = try array.rebuild(slot: slot, oneWorker().sweep) }
      } else {
        if let replacement = holder.replacement {
          try array.removeMember(named: replacement.name)
        }
        let new = bench.fresh()
        others.append(new)
        let ranges = try array.admit(new, toSlot: slot)
        _ = try array.rebuild(slot: slot, ranges: ranges, oneWorker().sweep)
      }
      let name = array.members.slots[slot].member?.name
      bench.devices[slot] = (bench.devices + others).first { $0.name == name }!
    }
  }
}
