import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Making and unmaking an array over a device that goes wrong at each of its inputs and outputs in turn.
@Suite struct CreationFaultTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var recipe: ArrayRecipe
    /// What the members hold already; nil for files that are holes.
    var garbage: UInt64?
    var testDescription: String {
      recipe.testDescription + (garbage == nil ? ", new files" : ", over garbage")
    }
  }

  static let cases =
    (FaultInjectionTests.small + [
      FaultInjectionTests.small[2].with { $0.hasSums = false },
      ArrayRecipe.raid0.with { $0.dataByteCount = 64 << 10 },
    ]).flatMap { recipe in
      [nil, 9].map { garbage in
        Case(
          recipe: recipe.with { $0.spareCount = recipe.level.usesWholeMembers ? 0 : 1 },
          garbage: garbage)
      }
    }

  /// A device that fails tells, and then nothing of the array is left; or all of it is there.
  @Test(arguments: cases) func `what could not be made is no array`(_ one: Case) throws {
    let blank = try Self.devices(one)
    for target in [0, blank.count - 1] {
      let count = try attempt(one, blank, target, nil)
      for (number, effect) in FaultSweep.turns(count, FaultInjectionTests.loud, offset: target) {
        _ = try attempt(one, blank, target, .init(.operation(number, of: nil), effect))
      }
    }
  }

  /// A device that lies is found out at once, or is a member like any other that rots.
  @Test(arguments: cases) func `what was made can be mended`(_ one: Case) throws {
    if one.recipe.level.usesWholeMembers || !one.recipe.hasSums { return }
    let blank = try Self.devices(one)
    for target in [0, blank.count - 1] {
      let count = try attempt(one, blank, target, nil)
      for (number, effect) in FaultSweep.turns(count, FaultInjectionTests.silent, offset: target) {
        _ = try attempt(one, blank, target, .init(.operation(number, of: nil), effect))
      }
    }
  }

  @Test(arguments: FaultInjectionTests.small)
  func `what could not be wiped can be wiped again`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let start = try bench.dataOffset(0)
    let data = start..<start + bench.sizes[0]
    let original = bench.devices[0]
    let counter = FaultyDevice(original.copy())
    try MetadataErasure(counter).erase()
    let count = counter.operationCount()
    for (number, effect) in FaultSweep.turns(count, FaultInjectionTests.loud, offset: 0) {
      let device = original.copy()
      let faulty = FaultyDevice(device, plan: [.init(.operation(number, of: nil), effect)])
      let story: Comment = "\(recipe.testDescription), operation \(number), \(effect)"
      do { try MetadataErasure(faulty).erase() } catch { #expect(faulty.faultCount > 0, story) }
      try MetadataErasure(device).erase()
      #expect(try MetadataErasure(device).pieces.isEmpty, story)
      #expect(throws: RaidError.self, story) { try MemberProbe(device) }
      #expect(try device.bytes(data) == original.bytes(data), story)
    }
  }

  private static func devices(_ one: Case) throws -> [MemoryDevice] {
    let names =
      (0..<one.recipe.slotCount).map { "m\($0)" } + (0..<one.recipe.spareCount).map { "s\($0)" }
    return try names.enumerated().map { index, name in
      let device = one.recipe.device(name)
      guard let garbage = one.garbage else { return device }
      let bytes = SeededGenerator.bytes(seed: garbage &+ UInt64(index), device.byteCount)
      try device.write(bytes, at: 0)
      try device.flush()
      return device
    }
  }

  /// Makes the array with one fault, then looks at what is left; returns how many operations there were.
  private func attempt(
    _ one: Case, _ blank: [MemoryDevice], _ target: Int, _ fault: FaultyDevice.Fault?
  ) throws -> Int {
    let story: Comment = "\(one.testDescription), device \(target), \(String(describing: fault))"
    // A copy of a hole is data, so new files are made anew.
    let devices = one.garbage == nil ? try Self.devices(one) : blank.map { $0.copy() }
    let faulty = FaultyDevice(devices[target], plan: fault.map { [$0] } ?? [])
    let given = devices.enumerated().map { index, device -> any BlockDevice in
      if index == target { return faulty }
      return device
    }
    var failure: RaidError?
    do throws(RaidError) {
      _ = try make(one, given)
    } catch {
      failure = error
    }
    let count = faulty.operationCount()
    faulty.heal()
    let members = devices.filter { (try? MemberProbe($0)) != nil }
    if let failure {
      #expect(fault != nil, "\(failure) without a fault; \(story)")
      // The one that is gone can't be told so; no other may take it for a member.
      let isGone = faulty.faultCount > 0 && faulty.wasGone
      #expect(members.allSatisfy { isGone && $0 === devices[target] }, "\(failure); \(story)")
      do throws(RaidError) { _ = try make(one, devices) } catch {
        Issue.record("cannot be made again: \(error); \(story)")
        return count
      }
    } else if members.count < devices.count {
      // Its last superblock did not arrive as it was written. So it is out, like one that died since.
      #expect(FaultInjectionTests.silent.contains { $0 == fault?.effect }, story)
      var options = RaidArray.Options()
      options.allowsDegraded = true
      let array = try RaidArray.open(members, options: options)
      let contents = try array.bytes(0..<array.byteCount)
      if one.garbage == nil { #expect(contents.allSatisfy { $0 == 0 }, story) }
      return count
    }
    // A write that went astray before there was an array is what the member held.
    var isStray = false
    if case .misdirect = fault?.effect { isStray = true }
    try check(one, devices, isZero: one.garbage == nil && !isStray, story)
    return count
  }

  private func make(_ one: Case, _ devices: [any BlockDevice]) throws(RaidError) -> ArrayCreation {
    let slotCount = one.recipe.slotCount
    let creation = try ArrayCreation(
      ArrayBench.request(one.recipe), devices: Array(devices.prefix(slotCount)),
      spares: Array(devices.dropFirst(slotCount)))
    try creation.write()
    var options = SweepOptions()
    options.workers = 1
    _ = try creation.initialise(
      assumesClean: one.garbage == nil && one.recipe.level.usesWholeMembers, options)
    return creation
  }

  /// The array is whole, or a scrub makes it so, and holds what its members held.
  private func check(
    _ one: Case, _ devices: [MemoryDevice], isZero: Bool, _ story: Comment
  ) throws {
    let bench = ArrayBench(one.recipe, over: devices)
    do {
      let array = try bench.open()
      var options = RaidArray.ScrubOptions()
      options.sweep.workers = 1
      let report = try array.scrub(options)
      #expect(
        report.findings.allSatisfy { $0.outcome == .repaired }, "\(report.findings); \(story)")
      bench.model = try bench.contents(array)
      try array.close()
    } catch {
      Issue.record("\(error); \(story)")
      return
    }
    if isZero { #expect(bench.model.allSatisfy { $0 == 0 }, story) }
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [], "\(violations); \(story)")
  }
}
