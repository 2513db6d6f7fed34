import BlockStorage
import FToolTestSupport
import LinuxSystem
import RaidGeometry
import Synchronization
import Testing

@testable import Raid

/// Data whose block of sums is damaged: nothing says that it is right, so others are asked wherever there are any.
@Suite struct UnprovenBlockTests {
  /// The first five blocks of a member have rotted, and the block of sums that has theirs as well.
  private func rotten(_ recipe: ArrayRecipe, slot: Int = 0) throws -> ArrayBench {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    try damageSums(bench, slot)
    let start = try bench.dataOffset(slot)
    for block in 0..<5 {
      bench.devices[slot].corrupt(start + block * 4096 + 100..<start + block * 4096 + 108)
    }
    return bench
  }

  private func damageSums(_ bench: ArrayBench, _ slot: Int) throws {
    let region = try #require(try bench.header(slot).range(of: .sums))
    bench.devices[slot].corrupt(region.lowerBound + 40..<region.lowerBound + 60)
  }

  private static let twiceRedundant: [ArrayRecipe] = [.raid1, .raid6, .triple]

  /// The only copy that has a sum has rotted, and that sum says that the other one has as well.
  @Test(arguments: [ArrayRecipe.mirror, .raid10, .far2, .offset2])
  func `a scrub does not call right what another's sum denies`(_ recipe: ArrayRecipe) throws {
    for copy in 0..<2 {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 5)
      let places = try (0..<2).map { try bench.place(of: 4096, copy: $0) }
      try damageSums(bench, places[copy].slot)
      for (index, place) in places.enumerated() {
        let start = place.deviceOffset + 100 + 8 * index
        bench.devices[place.slot].corrupt(start..<start + 8)
      }
      for _ in 0..<2 {
        let array = try bench.open()
        #expect(throws: DeviceError.self) { _ = try array.bytes(4096..<8192) }
        #expect(try array.scrub(RaidArray.ScrubOptions()).unrepairedCount == 1)
        try array.close()
      }
      #expect(throws: DeviceError.self) {
        _ = try bench.open(writable: false).bytes(4096..<8192)
      }
    }
  }

  @Test(arguments: ArrayRecipe.redundant) func `a read asks the others`(_ recipe: ArrayRecipe)
    throws
  {
    for slot in 0..<recipe.slotCount {
      let bench = try rotten(recipe, slot: slot)
      for _ in 0..<3 {
        let array = try bench.open(writable: false)
        #expect(try bench.contents(array) == bench.model)
        #expect(array.blocksUnproven == 0)
      }
    }
  }

  @Test(arguments: ArrayRecipe.redundant) func `a read mends what it finds`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try rotten(recipe)
    var array = try bench.open(readPolicy: .random)
    for _ in 0..<20 { #expect(try bench.contents(array) == bench.model) }
    let restored = array.blocksRestored
    // What has its sum again is right.
    for _ in 0..<20 { #expect(try bench.contents(array) == bench.model) }
    #expect(array.blocksRestored == restored && restored <= 5)
    try array.close()
    array = try bench.open()
    let report = try array.scrub(RaidArray.ScrubOptions())
    try array.close()
    #expect(report.unrepairedCount == 0 && report.renewedSumCount > 0)
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  @Test(arguments: ArrayRecipe.redundant.flatMap { [$0, $0.withoutJournal] })
  func `parts of blocks and of rows are written over what is right`(_ recipe: ArrayRecipe) throws {
    for part in [0..<512, 3000..<5000, 8192..<12288, 0..<20000] {
      let bench = try rotten(recipe)
      let array = try bench.open()
      try bench.write(
        SeededGenerator.bytes(seed: 9, part.count), at: part.lowerBound, to: array)
      try array.close()
      #expect(try bench.contents(bench.open(writable: false)) == bench.model, "\(part)")
      _ = try bench.open().scrub(RaidArray.ScrubOptions())
      #expect(try bench.contents(bench.open(writable: false)) == bench.model, "\(part)")
    }
  }

  @Test(arguments: twiceRedundant) func `a rebuild of another member asks the others`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try rotten(recipe)
    let array = try bench.open(without: [1])
    bench.devices[1] = bench.fresh()
    let ranges = try array.admit(bench.devices[1], toSlot: 1)
    let report = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
    #expect(report.lostBlocks.isEmpty && array.blocksUnproven == 0)
    try array.close()
    // The new member, and as few others as will do.
    let least: Set<Int> = recipe.level == .mirrored ? [0, 2] : [0]
    #expect(try bench.contents(bench.open(writable: false, without: least)) == bench.model)
  }

  @Test(arguments: ArrayRecipe.redundant) func `a replacement gets what is right`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try rotten(recipe)
    let array = try bench.open()
    let new = bench.fresh()
    try array.admitReplacement(new, forSlot: 0)
    let report = try array.rebuild(slot: 0, isReplacement: true, SweepOptions())
    #expect(report.lostBlocks.isEmpty && array.blocksUnproven == 0)
    try array.finishReplacing(slot: 0)
    try array.close()
    bench.devices[0] = new
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
    let violations = try ArrayAudit.violations(bench)
    #expect(violations == [])
  }

  @Test(arguments: [ArrayRecipe.mirror, .raid10, .raid5, .raid0, .linear])
  func `without others it is taken as it is, and counted`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 5)
    for slot in bench.devices.indices { try damageSums(bench, slot) }
    let away: Set<Int> = ArrayRecipe.redundant.contains { $0.level == recipe.level } ? [1] : []
    let array = try bench.open(writable: false, without: away)
    #expect(try bench.contents(array) == bench.model)
    #expect(array.blocksUnproven > 0 && array.blocksRestored == 0)
  }

  /// A crash is no reason to believe sums that were damaged before.
  @Test(arguments: [ArrayRecipe.mirror, .raid10, .raid5, .raid6, .raid0, .linear], [1, 4, 4000])
  func `a crash makes no damaged sum a right one`(_ recipe: ArrayRecipe, byteCount: Int) throws {
    let isRedundant = recipe.level != .striped && recipe.level != .linear
    for away in isRedundant ? [[], [1]] : [[]] as [Set<Int>] {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 6)
      for slot in bench.devices.indices {
        let region = try #require(try bench.header(slot).range(of: .sums))
        try bench.devices[slot].write(
          SeededGenerator.bytes(seed: UInt64(slot), byteCount), at: region.lowerBound + 32)
      }
      let crashed = try bench.open(without: away)
      try bench.write([1, 2, 3], at: 40_000, to: crashed)
      try bench.devices.forEach { try $0.flush() }
      #expect(try bench.contents(bench.open(writable: false, without: away)) == bench.model)
      let array = try bench.open(without: away)
      #expect(try bench.contents(array) == bench.model)
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.findings.isEmpty)
      try array.close()
      #expect(try bench.contents(bench.open(writable: false, without: away)) == bench.model)
      withExtendedLifetime(crashed) {}
    }
  }

  /// What a copy has lost before is no news of a write that a power cut tears: bytes beside it stay.
  @Test(
    arguments: [ArrayRecipe.mirror, .raid1, .raid10, .far2, .offset2].flatMap {
      [$0, $0.withoutJournal]
    })
  func `a torn write into a rotten block keeps the rest of it`(_ recipe: ArrayRecipe) throws {
    for copy in 0..<2 {
      for number in 0..<40 {
        var random = SeededGenerator(seed: UInt64(number))
        let bench = try ArrayBench(recipe)
        try bench.fill(seed: 5)
        let (slot, place) =
          recipe.level == .mirrored
          ? (copy, try bench.dataOffset(copy) + 8192) : try bench.place(of: 8192, copy: copy)
        bench.devices[slot].corrupt(place..<place + 4096)
        let power = PowerSwitch(after: number, of: .write)
        bench.wrap = { power.wrap($0) }
        let bytes = SeededGenerator.bytes(seed: 9, 700)
        do {
          let array = try bench.open()
          try array.write(bytes, at: 9000)
          try array.close()
        } catch is RaidError {
        } catch is DeviceError {}
        bench.wrap = { $0 }
        let isCut = power.isOff
        for device in bench.devices { device.cutPower(using: &random) }
        let read = try bench.contents(bench.open(writable: false))
        #expect(read[..<9000] == bench.model[..<9000], "cut after \(number) writes")
        #expect(read[9700...] == bench.model[9700...], "cut after \(number) writes")
        let array = try bench.open()
        _ = try array.scrub(RaidArray.ScrubOptions())
        try array.close()
        let later = try bench.contents(bench.open(writable: false))
        #expect(later[..<9000] == bench.model[..<9000], "cut after \(number) writes")
        #expect(later[9700...] == bench.model[9700...], "cut after \(number) writes")
        if !isCut { break }
      }
    }
  }

  /// What is computed from members whose checksums are damaged counts only if the block's own checksum agrees.
  @Test func `a salvage believes the checksum of the block itself`() throws {
    let bench = try ArrayBench(.raid6)
    try bench.fill(seed: 5)
    let (own, place) = try bench.place(of: 40_960)
    let others = (0..<5).filter { $0 != own }
    for slot in others.prefix(2) { try damageSums(bench, slot) }
    for (slot, byte) in [(own, 50), (others[0], 70)] {
      let at = try bench.dataOffset(slot) + place - bench.dataOffset(own)
      bench.devices[slot].corrupt(at + byte..<at + byte + 10)
    }
    var options = RaidArray.Options()
    options.salvages = true
    let given = (0..<5).filter { $0 != others[3] }.map { bench.devices[$0] as any BlockDevice }
    let array = try RaidArray.open(given, options: options)
    let sink = RescueRecorder(byteCount: bench.model.count)
    try Salvage([.init(array, isDoubtful: false)]).run(
      over: 0..<bench.model.count, except: RescueMap(byteCount: bench.model.count), to: sink,
      SweepOptions())
    #expect(sink.map.byteCount(of: .rescued, in: 40_960..<45_056) == 0)
    #expect(throws: DeviceError.self) {
      try bench.open(writable: false, without: [others[3]]).bytes(40_960..<45_056)
    }
  }

  /// The new shape may need more memory to put a block together than the old one.
  @Test(arguments: [1, 2, 3, 5]) func `between two shapes it is read, too`(added: Int) throws {
    for slot in 0..<3 {
      let bench = try ReshapeBench(.singleParity, chunk: 8192, slotCount: 3)
      let region = try #require(
        try MemberProbe(bench.devices[slot]).header?.range(of: .sums))
      bench.devices[slot].corrupt(region.lowerBound + 40..<region.lowerBound + 60)
      var request = ReshapeRequest()
      request.slotCount = 3 + added
      try bench.begin(request)
      while true {
        let steps = Mutex(0)
        let isDone = try bench.goOn {
          steps.withLock {
            $0 += 1; return $0 <= 2
          }
        }
        try bench.compare("\(added) more, sums of \(slot) damaged")
        if isDone { break }
        let array = try bench.open(writable: false)
        #expect(throws: RaidError.readOnly(.reshaping)) {
          var options = RaidArray.ScrubOptions()
          options.repairs = false
          _ = try array.scrub(options)
        }
      }
    }
  }

  /// A block that disagrees with its own sum is not replaced by one that this sum does not confirm.
  @Test(arguments: [ArrayRecipe.mirror, .raid5, .raid6])
  func `a sum that is there speaks of others, too`(
    _ recipe: ArrayRecipe
  ) throws {
    for othersAreRight in [true, false] {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 5)
      let (slot, at) = try bench.place(of: 0)
      bench.devices[slot].corrupt(at + 50..<at + 60)
      for other in bench.devices.indices where other != slot {
        try damageSums(bench, other)
        let start = try bench.dataOffset(other) + at - bench.dataOffset(slot)
        if !othersAreRight { bench.devices[other].corrupt(start + 70..<start + 80) }
      }
      let array = try bench.open(writable: false)
      for _ in 0..<3 {
        if othersAreRight {
          #expect(try bench.contents(array) == bench.model)
        } else {
          #expect(throws: DeviceError.self) { try array.bytes(0..<4096) }
        }
      }
    }
  }
}
