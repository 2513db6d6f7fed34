import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Metadata that chance or somebody has changed, with checksums that fit.
@Suite struct HostileMetadataTests {
  static let recipes: [ArrayRecipe] = [
    ArrayRecipe.raid0, .linear, .mirror, .raid5, .far2,
    .raid6.with {
      $0.hasBitmap = true
      $0.version = .v1_0
    },
    .triple,
  ].map { recipe in recipe.with { $0.dataByteCount = 64 << 10 } }

  @Test(arguments: 0..<UInt64(24)) func `changed members do no harm`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let bench = try ArrayBench(Self.recipes[Int(seed) % Self.recipes.count])
    try bench.fill(seed: seed)
    for _ in 0..<60 {
      let trial = bench.copy()
      let slot = Int.random(in: trial.devices.indices, using: &random)
      let all = Int.random(in: 0..<3, using: &random) == 0
      for (index, device) in trial.devices.enumerated() where all || index == slot {
        var same = SeededGenerator(seed: seed &* 977 &+ (all ? 0 : random.next()))
        try mutate(device, using: &same)
      }
      guard let array = try? trial.open(degraded: true) else { continue }
      _ = try? array.bytes(0..<min(array.byteCount, 200_000))
      try? array.write([UInt8](repeating: 1, count: 5000), at: 100)
      _ = try? array.scrub(RaidArray.ScrubOptions())
      try? array.close()
    }
  }

  @Test(arguments: 0..<UInt64(24))
  func `changed members of an array that is being reshaped do no harm`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let work = ReshapeTests.works[Int(seed) % ReshapeTests.works.count]
    // All works, each with sums and without, and then with a bitmap of md's.
    let turn = Int(seed) / ReshapeTests.works.count
    let bench = try ReshapeBench(
      work.level, layout: work.layout, chunk: 8192, slotCount: work.slots, hasSums: turn % 2 == 0,
      hasBitmap: turn == 3)
    try bench.begin(work.request)
    let parts = Monitor(Int.random(in: 0...2, using: &random))
    _ = try bench.goOn {
      parts.withLock { left in
        left -= 1
        return left >= 0
      }
    }
    for _ in 0..<40 {
      let trial = bench.copy()
      for device in trial.devices where Int.random(in: 0..<3, using: &random) == 0 {
        try mutate(device, using: &random)
      }
      if let array = try? trial.open(writable: false) {
        _ = try? array.bytes(0..<min(array.byteCount, 200_000))
      }
      guard let array = try? trial.open(reshapes: true), array.isReshaping,
        array.reshapeGoal.map({ $0.byteCount < 16 << 20 }) == true
      else { continue }
      _ = try? array.continueReshape(SweepOptions())
    }
  }

  @Test(arguments: 0..<UInt64(16)) func `changed members that left do no harm`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let recipes: [ArrayRecipe] = [.raid5, .raid6, .raid10, .mirror, .linear, .triple, .raid0]
    let recipe = recipes[Int(seed) % recipes.count].with {
      $0.dataByteCount = 64 << 10
      $0.hasBitmap = seed % 2 == 0 && !$0.level.usesWholeMembers
    }
    let lossCount = max(1, recipe.level.parityCount + 1)
    let dead = try ForcedBench(recipe)
    try dead.kill(Array(0..<min(lossCount, recipe.slotCount - 1)))
    for _ in 0..<40 {
      let trial = dead.copy()
      for device in trial.array.devices where Int.random(in: 0..<2, using: &random) == 0 {
        try mutate(device, using: &random)
      }
      guard let plan = try? trial.plan(), plan.verdict == .possible else { continue }
      try? plan.carryOut()
      guard let array = try? trial.open() else { continue }
      _ = try? array.bytes(0..<array.byteCount)
    }
  }

  private func mutate(_ device: MemoryDevice, using random: inout SeededGenerator) throws {
    let probe = try MemberProbe(device)
    let start = Int(probe.superblock.superOffsetSectors) * 512
    switch Int.random(in: 0..<4, using: &random) {
    case 0, 1:
      var block = try device.bytes(start..<start + 4096)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        change(&block, in: 0..<512, using: &random)
      }
      block.replaceSubrange(216..<220, with: [0, 0, 0, 0])
      var sum: UInt64 = 0
      for index in 0..<512 { sum += UInt64(block[index]) << UInt64(8 * (index % 4)) }
      let folded = UInt32(truncatingIfNeeded: sum) &+ UInt32(truncatingIfNeeded: sum >> 32)
      block.withMutableRawBytes { $0.store(folded, at: 216) }
      try device.write(block, at: start)
    case 2:
      guard probe.header != nil else { return }
      let far = RegionHeader.farOffset(memberByteCount: device.byteCount)
      var block = try device.bytes(far..<far + 4096)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        change(&block, in: 16..<760, using: &random)
      }
      block.withMutableRawBytes { bytes in
        bytes.store(bytes.bytes.integer(at: 56, as: UInt64.self) &+ 100, at: 56)
        bytes.store(crc32c(bytes.bytes.sub(16..<2048)), at: 12)
      }
      try device.write(block, at: far)
    default:
      let bitmap =
        probe.superblock.bitmapSector.map { $0 * 512 }
        ?? probe.header?.range(of: .intent)?.lowerBound
      guard let bitmap else { return }
      var block = try device.bytes(bitmap..<bitmap + 4096)
      change(&block, in: 0..<300, using: &random)
      try device.write(block, at: bitmap)
    }
  }

  private func change(
    _ block: inout [UInt8], in range: Range<Int>, using random: inout SeededGenerator
  ) {
    let offset = Int.random(in: range.lowerBound..<range.upperBound - 8, using: &random)
    let power = UInt64(1) << UInt64.random(in: 0..<64, using: &random)
    let value: UInt64 = [0, .max, power, power &- 1, random.next()].randomElement(using: &random)!
    let count = [1, 2, 4, 8].randomElement(using: &random)!
    for index in 0..<count {
      block[offset / count * count + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }

  @Test(arguments: 0..<UInt64(20)) func `headers and rosters decode to what they say or not at all`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    var header = RegionHeader(
      arrayID: .random(using: &random), deviceID: .random(using: &random), slot: 3, flags: [],
      generation: random.next(), lastMarker: 1, nextMarker: 2, memberByteCount: 1 << 30,
      progress: MaintenanceProgress(), counters: IntegrityCounters(),
      regions: [
        .init(kind: .sums, range: 4096..<40960), .init(kind: .intent, range: 40960..<45056),
      ])
    header.progress.end = 100
    header.progress.position = 50
    var block = [UInt8](repeating: 0, count: 4096)
    block.withMutableRawBytes { header.encode(into: &$0, at: 2048) }
    #expect(
      try RegionHeader(decoding: block.rawBytes, at: 2048, deviceByteCount: 1 << 30) == header)
    for bit in stride(from: Int(seed), to: 2048 * 8, by: 20) {
      var flipped = block
      flipped[2048 + bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: RegionHeaderError.self) {
        try RegionHeader(decoding: flipped.rawBytes, at: 2048, deviceByteCount: 1 << 30)
      }
    }
    for _ in 0..<300 {
      var changed = block
      change(&changed, in: 2048 + 16..<2048 + 700, using: &random)
      changed.withMutableRawBytes { $0.store(crc32c($0.bytes.sub(2064..<4096)), at: 2060) }
      guard
        let decoded = try? RegionHeader(
          decoding: changed.rawBytes, at: 2048, deviceByteCount: 1 << 20)
      else { continue }
      for region in decoded.regions { #expect(region.range.upperBound <= 1 << 20) }
    }
    let roster = Roster(
      arrayID: .random(using: &random), members: (0..<5).map { _ in .random(using: &random) })
    var bytes = [UInt8](repeating: 0, count: Roster.byteCount)
    bytes.withMutableRawBytes { roster.encode(into: &$0) }
    #expect(Roster(decoding: bytes.rawBytes) == roster)
    for bit in stride(from: Int(seed), to: Roster.byteCount * 8, by: 331) {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      // Four zero bytes at 28 are in the sum as well.
      #expect(Roster(decoding: flipped.rawBytes) == nil)
    }
  }

  @Test func `a region of sums that is too small is no region`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 1)
    var header = try bench.header(0)
    header.generation += 10
    let index = try #require(header.regions.firstIndex { $0.kind == .sums })
    let start = header.regions[index].range.lowerBound
    header.regions[index].range = start..<start
    let far = RegionHeader.farOffset(memberByteCount: bench.devices[0].byteCount)
    var block = [UInt8](repeating: 0, count: 4096)
    block.withMutableRawBytes { header.encode(into: &$0, at: 0) }
    try bench.devices[0].write(block, at: far)
    #expect(try MemberProbe(bench.devices[0]).headerProblem == .invalid)
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }
}
