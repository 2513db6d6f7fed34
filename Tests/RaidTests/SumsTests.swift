import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// What the sums promise.
@Suite struct SumsTests {
  private func scrub(_ bench: ArrayBench) throws -> ScrubReport {
    let array = try bench.open()
    let report = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    return report
  }

  @Test(arguments: ArrayRecipe.redundant) func `rot is named and mended, wherever it is`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    for slot in bench.devices.indices {
      let block = slot * 2 + 1
      let start = try bench.dataOffset(slot) + block * 4096
      bench.devices[slot].corrupt(start + 17..<start + 18)
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
      let report = try scrub(bench)
      #expect(
        report.findings == [
          .init(
            problem: .damaged, outcome: .repaired, member: "m\(slot)", slot: slot,
            memberOffset: block * 4096)
        ])
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [])
    }
  }

  @Test(arguments: [ArrayRecipe.raid0, .linear]) func `rot without another copy is never given out`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let place = try bench.place(of: 4096)
    bench.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 1)
    let array = try bench.open(writable: false)
    let error = #expect(throws: RaidReadFailure<Never>.self) {
      try array.read(4096..<8192) { (_, _, _) throws(Never) in }
    }
    if case .array(.lost(let range, .damaged(_, let mayBeForeign))) = error {
      #expect(range == 4096..<8192 && mayBeForeign)
    } else {
      Issue.record("\(String(describing: error))")
    }
    #expect(try array.bytes(8192..<20480) == Array(bench.model[8192..<20480]))
    let report = try scrub(bench)
    #expect(report.findings.map(\.outcome) == [.unrepairable])
    #expect(throws: DeviceError.self) { try bench.open().bytes(4096..<8192) }
  }

  @Test(arguments: ArrayRecipe.redundant) func `a hole in what was written is found`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 2)
    let start = try bench.dataOffset(1)
    try bench.devices[1].zero(start..<start + 65536)
    try bench.devices[1].flush()
    let report = try scrub(bench)
    #expect(report.findings.count == 16)
    #expect(report.findings.allSatisfy { $0.slot == 1 && $0.outcome == .repaired })
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  /// What a member was told to write, data and sum, never reached its disk: both are of before, and agree. Two parities
  /// know who it was; one, like two copies, must not guess.
  @Test(arguments: ArrayRecipe.redundant) func `a member that lost a write is found, or nothing is`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let (slot, place) = try bench.place(of: 8192)
    let region = try #require(try bench.header(slot).range(of: .sums))
    let old = (
      try bench.devices[slot].bytes(place..<place + 4096), try bench.devices[slot].bytes(region)
    )
    let array = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 4, 4096), at: 8192, to: array)
    try array.close()
    try bench.devices[slot].write(old.0, at: place)
    try bench.devices[slot].write(old.1, at: region.lowerBound)
    let before = bench.devices.map { $0.copy() }
    let report = try scrub(bench)
    let parityCount = recipe.level.parityCount
    if parityCount > 1 || recipe.level == .mirrored && recipe.slotCount > 2 {
      #expect(report.findings.map(\.outcome) == [.repaired] && report.findings[0].slot == slot)
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [])
    } else {
      #expect(report.findings.map(\.outcome) == [.cannotBeKnown])
      for (device, copy) in zip(bench.devices, before) {
        let data = try bench.dataOffset(0)
        #expect(
          try device.bytes(data..<data + recipe.dataByteCount)
            == copy.bytes(data..<data + recipe.dataByteCount))
      }
    }
  }

  /// And so it is where others can't vouch for what they have, or have no voice.
  @Test(arguments: [ArrayRecipe.raid1, .raid6, .triple], [true, false])
  func `who lost a write has no more say than others`(
    _ recipe: ArrayRecipe, hasDamagedSums: Bool
  ) throws {
    let whole = try ArrayBench(recipe)
    try whole.fill(seed: 3)
    let (slot, place) = try whole.place(of: 0)
    for other in 0..<recipe.slotCount where other != slot {
      let bench = whole.copy()
      let region = try #require(try bench.header(slot).range(of: .sums))
      let old = (
        try bench.devices[slot].bytes(place..<place + 4096), try bench.devices[slot].bytes(region)
      )
      let array = try bench.open()
      try bench.write(SeededGenerator.bytes(seed: 4, 4096), at: 0, to: array)
      try array.close()
      try bench.devices[slot].write(old.0, at: place)
      try bench.devices[slot].write(old.1, at: region.lowerBound)
      let start = try bench.dataOffset(other)
      if hasDamagedSums {
        let sums = try #require(try bench.header(other).range(of: .sums))
        bench.devices[other].corrupt(sums.lowerBound + 2040..<sums.lowerBound + 2043)
      } else {
        bench.devices[other].corrupt(start + 5..<start + 9)
      }
      let report = try scrub(bench)
      let found = try bench.contents(bench.open(writable: false, doubt: true))
      if hasDamagedSums {
        #expect(report.findings.map(\.slot) == [slot] && report.unrepairedCount == 0, "\(other)")
        #expect(found == bench.model, "\(other)")
      } else if recipe.level == .mirrored {
        #expect(report.findings.map(\.outcome) == [.cannotBeKnown], "\(other)")
        #expect(found[4096...].elementsEqual(bench.model[4096...]))
      } else {
        // Its sum proves what the others say without who lost the write.
        #expect(found == bench.model || report.unrepairedCount > 0, "\(other)")
      }
    }
  }

  @Test(arguments: ArrayRecipe.redundant) func `a write that went astray is found at both ends`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let start = try bench.dataOffset(0)
    // What belongs at 4096 lies at 16384, and the other way round: each a good block elsewhere.
    let (one, two) = (
      try bench.devices[0].bytes(start + 4096..<start + 8192),
      try bench.devices[0].bytes(start + 16384..<start + 20480)
    )
    try bench.devices[0].write(one, at: start + 16384)
    try bench.devices[0].write(two, at: start + 4096)
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    #expect(try scrub(bench).findings.map(\.memberOffset).sorted() == [4096, 16384])
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  @Test(arguments: ArrayRecipe.redundant) func `damaged sums are renewed and never believed`(
    _ recipe: ArrayRecipe
  ) throws {
    for slot in 0..<2 {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 4)
      let region = try #require(try bench.header(slot).range(of: .sums))
      bench.devices[slot].corrupt(region.lowerBound + 40..<region.lowerBound + 60)
      #expect(try bench.contents(bench.open(writable: false)) == bench.model)
      let report = try scrub(bench)
      #expect(report.findingCount == 0, "\(report.findings)")
      #expect(report.renewedSumCount > 0)
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "\(recipe.testDescription)")
    }
  }

  @Test(arguments: [ArrayRecipe.raid4, .raid5, .raid6, .triple, .mirror, .raid10])
  func `damaged data under damaged sums is mended from what is known to be right`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    let region = try #require(try bench.header(0).range(of: .sums))
    bench.devices[0].corrupt(region.lowerBound + 40..<region.lowerBound + 60)
    let start = try bench.dataOffset(0)
    bench.devices[0].corrupt(start + 8192..<start + 8200)
    _ = try scrub(bench)
    if recipe.level != .mirrored, recipe.level != .mirroredStripes {
      let violations = try ArrayAudit.violations(bench)
      #expect(violations == [], "\(recipe.testDescription)")
    }
  }

  @Test(arguments: ArrayRecipe.redundant) func `after a foreign write the sums are renewed`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 6)
    // A kernel writes through another array over the same bytes: one without our regions.
    let kept = bench.devices.map { $0.copy() }
    try bench.fill(seed: 7)
    let after = bench.devices
    bench.devices = kept
    for slot in bench.devices.indices {
      let start = try bench.dataOffset(slot)
      let size = Int(try bench.superblock(slot).dataSizeSectors) * 512
      try bench.devices[slot].write(after[slot].bytes(start..<start + size), at: start)
      try AssemblyTests.edit(bench.devices[slot]) {
        $0.marker = 0
        $0.events += 2
      }
    }
    let array = try bench.open()
    #expect(array.foundForeignWrite)
    #expect(try bench.contents(array) == bench.model)
    // A write of ours must not vouch for the rest.
    try bench.write(SeededGenerator.bytes(seed: 8, 5000), at: 3000, to: array)
    try array.close()
    #expect(try bench.open(writable: false).foundForeignWrite)
    let report = try scrub(bench)
    #expect(report.findingCount == 0 && report.renewedSumCount > 0)
    #expect(try !bench.open(writable: false).foundForeignWrite)
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  @Test func `a scrub of stale sums that was stopped can be finished`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid5.with { $0.dataByteCount = 8 << 20 })
    var array = try bench.open()
    try bench.write(SeededGenerator.bytes(seed: 8, 50000), at: 0, to: array)
    try array.close()
    for device in bench.devices { try AssemblyTests.edit(device) { $0.marker = 0 } }
    array = try bench.open()
    var options = RaidArray.ScrubOptions()
    options.sweep.workers = 1
    options.sweep.progress = { done, end in done < end / 2 }
    #expect(try !array.scrub(options).isComplete)
    try array.close()
    for _ in 0..<2 {
      array = try bench.open()
      _ = try array.scrub(RaidArray.ScrubOptions())
      try array.close()
    }
    #expect(try !bench.open(writable: false).foundForeignWrite)
  }

  @Test func `two parities name the wrong block without any sums`() throws {
    let bench = try ArrayBench(ArrayRecipe.raid6.with { $0.hasSums = false })
    try bench.fill(seed: 9)
    for slot in bench.devices.indices {
      let start = try bench.dataOffset(slot) + 12288
      bench.devices[slot].corrupt(start..<start + 9)
      let report = try scrub(bench)
      #expect(report.findings.map(\.slot) == [slot] && report.repairedCount == 1)
    }
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid10])
  func `what cannot be known is left alone`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe.with { $0.hasSums = false })
    try bench.fill(seed: 10)
    let start = try bench.dataOffset(1) + 4096
    bench.devices[1].corrupt(start..<start + 9)
    let before = bench.devices.map { $0.contents }
    let report = try scrub(bench)
    #expect(report.findings.map(\.outcome) == [.cannotBeKnown])
    for slot in bench.devices.indices {
      let data = try bench.dataOffset(slot)
      #expect(
        bench.devices[slot].contents[data..<data + bench.recipe.dataByteCount]
          == before[slot][data..<data + bench.recipe.dataByteCount])
    }
  }

  @Test func `what was not to be repaired is untouched`() throws {
    for recipe in ArrayRecipe.redundant {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 11)
      let start = try bench.dataOffset(1) + 4096
      bench.devices[1].corrupt(start..<start + 9)
      let before = bench.devices.map { $0.contents }
      let array = try bench.open()
      var options = RaidArray.ScrubOptions()
      options.repairs = false
      let report = try array.scrub(options)
      #expect(report.findings.map(\.outcome) == [.left])
      for (slot, device) in bench.devices.enumerated() {
        #expect(device.contents == before[slot], "\(recipe.testDescription)")
      }
      try array.close()
    }
  }
}
