import BlockStorage
import FToolTestSupport
import RaidGeometry
import Testing

@testable import Raid

/// Parts of members that read as zeros although they were written: the ends of files that were cut off and grown again,
/// what a rescue could not read, what was discarded. Sums of 0 say "all zeros", and must not agree with them.
@Suite struct BlankSumsTests {
  enum Lost: CaseIterable, CustomTestStringConvertible {
    /// Data, and all that is behind it but the header.
    case end
    /// Data, and the block of sums that has theirs.
    case dataAndSums
    /// And what says which blocks of sums have been written.
    case dataAndSumsAndBlanks
    case sums

    var testDescription: String { "\(self)" }
  }

  /// Zeros, as holes or as bytes, where data and its sums were.
  private func lose(_ lost: Lost, of bench: ArrayBench, _ slot: Int, asHole: Bool) throws {
    let header = try bench.header(slot)
    let sums = try #require(header.range(of: .sums))
    let blanks = try #require(header.range(of: .blanks))
    let device = bench.devices[slot]
    let start = try bench.dataOffset(slot) + 16384
    let data = start..<start + 49152
    let parts: [Range<Int>] =
      switch lost {
      case .end: [start..<RegionHeader.farOffset(memberByteCount: device.byteCount)]
      case .dataAndSums: [data, sums]
      case .dataAndSumsAndBlanks: [data, sums, blanks]
      case .sums: [sums]
      }
    for part in parts {
      if asHole {
        try device.zero(part)
      } else {
        try device.write([UInt8](repeating: 0, count: part.count), at: part.lowerBound)
      }
    }
    try device.flush()
  }

  @Test(arguments: ArrayRecipe.redundant.flatMap { [$0, $0.withoutJournal] }, Lost.allCases)
  func `what was written is not all zeros`(_ recipe: ArrayRecipe, lost: Lost) throws {
    for slot in [0, recipe.slotCount - 1] {
      for asHole in [false, true] {
        let bench = try ArrayBench(recipe)
        try bench.fill(seed: 8)
        try lose(lost, of: bench, slot, asHole: asHole)
        for _ in 0..<3 {
          let reader = try bench.open(writable: false)
          #expect(try bench.contents(reader) == bench.model)
          #expect(reader.blocksUnproven == 0)
        }
        let array = try bench.open()
        try bench.write(SeededGenerator.bytes(seed: 2, 700), at: 20_000, to: array)
        #expect(try array.scrub(RaidArray.ScrubOptions()).unrepairedCount == 0)
        #expect(try array.scrub(RaidArray.ScrubOptions()).findings.isEmpty)
        try array.close()
        #expect(try bench.contents(bench.open(writable: false)) == bench.model)
        #expect(try ArrayAudit.violations(bench) == [])
      }
    }
  }

  @Test(arguments: [ArrayRecipe.raid1, .raid6, .triple])
  func `a rebuild of another member asks the others`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 8)
    try lose(.dataAndSums, of: bench, 0, asHole: true)
    let array = try bench.open(without: [1])
    bench.devices[1] = bench.fresh()
    let ranges = try array.admit(bench.devices[1], toSlot: 1)
    let report = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
    #expect(report.lostBlocks.isEmpty && array.blocksUnproven == 0)
    try array.close()
    #expect(try bench.contents(bench.open(writable: false, without: [0])) == bench.model)
  }

  /// Nobody can say better there.
  @Test(arguments: [ArrayRecipe.raid0, .linear]) func `without others it is lost`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 8)
    try lose(.dataAndSums, of: bench, 0, asHole: true)
    let array = try bench.open(writable: false)
    var lostCount = 0
    for offset in stride(from: 0, to: array.byteCount / 4096 * 4096, by: 4096) {
      do throws(DeviceError) {
        let found = try array.bytes(offset..<offset + 4096)
        #expect(found == Array(bench.model[offset..<offset + 4096]))
      } catch {
        guard case .unreadable = error else { throw error }
        lostCount += 1
      }
    }
    #expect(lostCount == 12 && array.blocksUnproven > 0)
  }

  /// After a crash the others may not agree on what was there: that is an error then, and never zeros.
  @Test(
    arguments: ArrayRecipe.redundant.map(\.withoutJournal) + [
      ArrayRecipe.raid5.withoutJournal.with { $0.hasBitmap = true },
      ArrayRecipe.raid6.withoutJournal.with { $0.hasBitmap = true },
    ])
  func `after a crash it does not pass for zeros`(_ recipe: ArrayRecipe) throws {
    for slot in 0..<recipe.slotCount {
      for isWrittenTo in [false, true] {
        let bench = try ArrayBench(recipe)
        try bench.fill(seed: 8)
        try lose(.dataAndSums, of: bench, slot, asHole: true)
        var array = try bench.open(doubt: false)
        // All of it is in doubt then; some of the damaged block of sums may have been given anew.
        try bench.write(SeededGenerator.bytes(seed: 2, isWrittenTo ? 9000 : 700), at: 0, to: array)
        try array.flushAll()
        bench.devices = bench.devices.map { $0.copy() }
        func compare() throws {
          for offset in stride(from: 0, to: array.byteCount / 4096 * 4096, by: 4096) {
            do throws(DeviceError) {
              let found = try array.bytes(offset..<offset + 4096)
              #expect(
                found == Array(bench.model[offset..<offset + 4096]), "slot \(slot) at \(offset)")
            } catch {
              guard case .unreadable = error else { throw error }
              #expect(recipe.level != .mirrored && recipe.level != .doubleParity)
            }
          }
        }
        array = try bench.open(writable: false, doubt: false)
        try compare()
        array = try bench.open(doubt: false)
        _ = try array.scrub(RaidArray.ScrubOptions())
        try compare()
        try array.close()
        array = try bench.open(doubt: false)
        try compare()
        try array.close()
      }
    }
  }

  /// What nobody has written is zeros without anybody's word, and takes no room.
  @Test(arguments: ArrayRecipe.all) func `what is new is no damage`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe.with { $0.dataByteCount = 9 << 20 })
    let array = try bench.open()
    try bench.write([1, 2, 3], at: 5 << 20, to: array)
    try array.close()
    let away: Set<Int> = recipe.level == .striped || recipe.level == .linear ? [] : [1]
    let reader = try bench.open(writable: false, without: away)
    #expect(try bench.contents(reader) == bench.model)
    #expect(reader.blocksUnproven == 0 && reader.blocksRestored <= 1)
    var blankCount = 0
    for (slot, device) in bench.devices.enumerated() {
      let sums = try #require(try bench.header(slot).range(of: .sums))
      for start in stride(from: sums.lowerBound, to: sums.upperBound, by: 4096)
      where device.extent(at: start, limit: start + 4096).isHole {
        blankCount += 1
      }
    }
    #expect(blankCount >= recipe.slotCount)
    if away.isEmpty {
      #expect(try ArrayAudit.violations(bench) == [])
    }
  }

  /// What was written and is all zeros again stays told apart from what is lost.
  @Test(arguments: ArrayRecipe.redundant) func `zeros that were written are no damage`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 3)
    let array = try bench.open()
    try bench.write([UInt8](repeating: 0, count: array.byteCount), at: 0, to: array)
    try array.close()
    let reader = try bench.open(writable: false, without: [1])
    #expect(try bench.contents(reader) == bench.model)
    #expect(reader.blocksUnproven == 0)
    #expect(try ArrayAudit.violations(bench) == [])
  }

  /// A member that is filled from its start again begins with new sums.
  @Test func `a spare that was a member before starts anew`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 3)
    let array = try bench.open()
    let old = bench.devices[1]
    let new = bench.fresh()
    try array.admitReplacement(new, forSlot: 1)
    _ = try array.rebuild(slot: 1, isReplacement: true, SweepOptions())
    try array.finishReplacing(slot: 1)
    try array.close()
    bench.devices[1] = new
    let again = try bench.open()
    try again.admitReplacement(old, forSlot: 1)
    _ = try again.rebuild(slot: 1, isReplacement: true, SweepOptions())
    try again.finishReplacing(slot: 1)
    try again.close()
    bench.devices[1] = old
    #expect(try ArrayAudit.violations(bench) == [])
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  /// The map against a set, over blocks of both.
  @Test func `the map forgets nothing`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let sumsByteCount = 70_000 * 4096
    let byteCount = BlankSums.byteCount(sumsByteCount: sumsByteCount)
    #expect(byteCount == 3 * 4096)
    let device = MemoryDevice(byteCount: byteCount + 8192, name: "map")
    let region = 4096..<4096 + byteCount
    var map = BlankSums(device: device, region: region)
    #expect(try map.contains(1) == false, "what is lost calls nothing new")
    try map.fill()
    var written: Set<Int> = []
    for _ in 0..<20 {
      var numbers = RangeSet<Int>()
      for _ in 0..<5 {
        let start = Int.random(in: 0..<69_000, using: &random)
        numbers.insert(contentsOf: start..<start + Int.random(in: 1...900, using: &random))
      }
      try map.remove(numbers)
      written.formUnion(numbers.ranges.joined())
      var fresh = BlankSums(device: device, region: region)
      for number in stride(from: 0, to: 70_000, by: 7) {
        let isBlank = !written.contains(number)
        #expect(try map.contains(number) == isBlank, "seed \(seed)")
        #expect(try fresh.contains(number) == isBlank, "seed \(seed)")
      }
    }
  }
}
