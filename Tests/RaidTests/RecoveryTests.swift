import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry
import Testing

@Suite struct RecoveryTests {
  struct Case: Sendable, CustomStringConvertible {
    let level: RaidLevel
    let layout: UInt32
    let chunk: Int
    let slots: Int
    var missing: Int?
    var description: String {
      "\(level.name(slotCount: slots)) \(layout) chunk \(chunk >> 10)K of \(slots)\(missing.map { ", slot \($0) missing" } ?? "")"
    }
  }

  /// The layout is found, and reads back what was written.
  private func check(_ test: Case, _ content: [UInt8], seed: UInt64) throws {
    let sample = try RecoverySample(
      test.level, layout: test.layout, chunk: test.chunk, slots: test.slots, content: content)
    let (devices, slots) = sample.shuffled(seed: seed)
    let given = zip(devices, slots).map { $1 == test.missing ? nil : $0 as any BlockDevice }
    let before = devices.map(\.contents)
    let result = try LayoutRecovery.search(given)
    let best = try #require(result.candidates.first, "\(test)")
    let found =
      "\(best.shape.levelName) \(best.shape.layout) \(best.shape.chunkByteCount) \(best.order)"
    #expect(result.isDecided, "\(test): \(found) \(best.evidence)")
    let read = try sample.content(of: best, given)
    #expect(read.count == content.count && read == content, "\(test): \(found)")
    // Nothing is ever written.
    #expect(devices.map(\.contents) == before)
    #expect(devices.allSatisfy { $0.flushCount == 0 && $0.unsafeWriteCount == 0 })
  }

  @Test(arguments: [
    Case(level: .striped, layout: 1, chunk: 64 << 10, slots: 3),
    Case(level: .mirrored, layout: 0, chunk: 0, slots: 3),
    Case(level: .singleParity, layout: 2, chunk: 64 << 10, slots: 4),
    Case(level: .singleParity, layout: 1, chunk: 128 << 10, slots: 3, missing: 1),
    Case(level: .doubleParity, layout: 2, chunk: 64 << 10, slots: 5),
    Case(level: .doubleParity, layout: 3, chunk: 32 << 10, slots: 5, missing: 0),
    Case(level: .mirroredStripes, layout: 0x102, chunk: 64 << 10, slots: 4),
    Case(level: .linear, layout: 0, chunk: 0, slots: 3),
    Case(level: .dedicatedParity, layout: 0, chunk: 512 << 10, slots: 3, missing: 0),
    Case(level: .dedicatedParity, layout: 0, chunk: 512 << 10, slots: 3, missing: 1),
  ])
  func `finds where an ext4 filesystem lies`(test: Case) throws {
    guard let content = try RecoveryContent.ext4(byteCount: 12 << 20) else { return }
    try check(test, content, seed: 7)
  }

  @Test(arguments: [
    Case(level: .striped, layout: 1, chunk: 16 << 10, slots: 4),
    Case(level: .dedicatedParity, layout: 0, chunk: 64 << 10, slots: 4),
    Case(level: .singleParity, layout: 0, chunk: 32 << 10, slots: 5),
    Case(level: .singleParity, layout: 3, chunk: 256 << 10, slots: 3),
    Case(level: .singleParity, layout: 2, chunk: 64 << 10, slots: 5, missing: 2),
    Case(level: .doubleParity, layout: 0, chunk: 16 << 10, slots: 4),
    Case(level: .doubleParity, layout: 18, chunk: 64 << 10, slots: 5),
    Case(level: .doubleParity, layout: 10, chunk: 64 << 10, slots: 6, missing: 3),
    Case(level: .mirroredStripes, layout: 0x201, chunk: 64 << 10, slots: 3),
    Case(level: .mirroredStripes, layout: 0x10201, chunk: 64 << 10, slots: 4),
    Case(level: .mirroredStripes, layout: 0x102, chunk: 64 << 10, slots: 3),
  ])
  func `finds where an archive lies`(test: Case) throws {
    try check(test, RecoveryContent.tar(byteCount: 10 << 20), seed: 11)
  }

  enum Harm: CaseIterable {
    case none, checksums, moved, stale, halfGone
  }

  @Test(arguments: Harm.allCases) func `believes what is left of superblocks`(harm: Harm) throws {
    // Nothing but noise, so that content tells no order.
    var random = SeededGenerator(seed: 9)
    let content = random.bytes(4 << 20)
    let sample = try RecoverySample(
      .singleParity, layout: 2, chunk: 64 << 10, slots: 4, content: content)
    let id = Identifier.random(using: &random)
    var given: [(any BlockDevice)?] = []
    for (slot, member) in sample.members.enumerated() {
      if harm != .halfGone || slot > 0 {
        var superblock = MDSuperblock(
          version: .v1_2, arrayID: id, level: 5, layout: 2, chunkSectors: 128, slotCount: 4)
        superblock.sizeSectors = UInt64(sample.shape.memberByteCounts[0] / 512)
        superblock.dataSizeSectors = superblock.sizeSectors
        superblock.dataOffsetSectors = 2048
        superblock.superOffsetSectors = 8
        superblock.deviceNumber = UInt32(slot)
        for slot in 0..<4 { superblock.roles[slot] = UInt16(slot) }
        superblock.events = harm == .stale && slot == 2 ? 5 : 20
        var block = AlignedBuffer(byteCount: 4096)
        var bytes = block.mutableBytes
        superblock.encode(into: &bytes)
        try member.write(bytes.bytes, range: 0..<4096, at: 4096)
        if harm == .checksums { member.corrupt(4096 + 216..<4096 + 217) }
      }
      if harm == .stale, slot == 2 { member.corrupt(2 << 20..<2 << 20 + 4096) }
      given.append(
        harm == .moved
          ? MemoryDevice([UInt8](repeating: 0, count: 1 << 20) + member.contents, name: member.name)
          : member)
    }
    given.reverse()
    let result = try LayoutRecovery.search(given)
    let best = try #require(result.candidates.first)
    #expect(result.isDecided)
    #expect(best.order == (harm == .stale ? [3, 2, nil, 0] : [3, 2, 1, 0]))
    #expect(best.dataOffsets == Array(repeating: harm == .moved ? 2 << 20 : 1 << 20, count: 4))
    #expect(try sample.content(of: best, given) == content)
  }

  @Test func `zeros tell nothing, and it says so`() throws {
    let devices = (0..<4).map { MemoryDevice(byteCount: 8 << 20, name: "zero\($0)") }
    let result = try LayoutRecovery.search(devices)
    #expect(!result.isDecided)
    #expect(!result.advice.isEmpty)
  }

  @Test func `noise without parity tells nothing, and it says so`() throws {
    var random = SeededGenerator(seed: 5)
    let devices = (0..<3).map { MemoryDevice(random.bytes(4 << 20), name: "noise\($0)") }
    let result = try LayoutRecovery.search(devices)
    #expect(!result.isDecided)
  }

  @Test func `a parity of noise tells the level but not the order`() throws {
    var random = SeededGenerator(seed: 6)
    let sample = try RecoverySample(
      .singleParity, layout: 2, chunk: 64 << 10, slots: 4, content: random.bytes(8 << 20))
    let result = try LayoutRecovery.search(sample.members)
    #expect(!result.isDecided)
    let best = try #require(result.candidates.first)
    #expect([.singleParity, .dedicatedParity].contains(best.shape.level))
  }

  @Test func `two parities of noise tell everything but the end`() throws {
    var random = SeededGenerator(seed: 8)
    let content = random.bytes(8 << 20)
    let sample = try RecoverySample(
      .doubleParity, layout: 2, chunk: 64 << 10, slots: 5, content: content)
    let (devices, _) = sample.shuffled(seed: 3)
    let result = try LayoutRecovery.search(devices)
    let best = try #require(result.candidates.first)
    #expect(best.shape.level == .doubleParity && best.shape.chunkByteCount == 64 << 10)
  }

  /// The header at a member's end tells where the data ends, also when its superblock is gone.
  @Test(arguments: [ArrayRecipe.raid6, .raid1])
  func `what lies behind the data need not agree`(_ recipe: ArrayRecipe) throws {
    let bench = try ArrayBench(
      recipe.with {
        $0.dataByteCount = 6 << 20
        $0.chunk = $0.chunk == 0 ? 0 : 65536
      })
    try bench.fill(seed: 5)
    for slot in bench.devices.indices {
      let place = Int(try bench.superblock(slot).superOffsetSectors) * 512
      try bench.devices[slot].write([UInt8](repeating: 0, count: 4096), at: place)
    }
    let result = try LayoutRecovery.search(bench.devices)
    let agreement = try #require(result.agreement)
    #expect(agreement.differingCount == 0 && agreement.comparedCount > 100)
  }

  @Test func `what the caller knows is believed`() throws {
    let content = RecoveryContent.tar(byteCount: 6 << 20)
    let sample = try RecoverySample(
      .singleParity, layout: 2, chunk: 64 << 10, slots: 3, content: content)
    var request = RecoveryRequest()
    request.level = 5
    request.layout = 2
    request.chunkByteCount = 64 << 10
    request.dataOffset = 1 << 20
    let (devices, _) = sample.shuffled(seed: 1)
    let result = try LayoutRecovery.search(devices, request: request)
    let best = try #require(result.candidates.first)
    #expect(
      result.isDecided && result.candidates.allSatisfy { $0.shape.chunkByteCount == 64 << 10 })
    #expect(try sample.content(of: best, devices) == content)
  }

  @Test func `can be stopped`() throws {
    let devices = (0..<3).map { MemoryDevice(byteCount: 4 << 20, name: "\($0)") }
    #expect(throws: RaidError.interrupted) {
      try LayoutRecovery.search(devices, progress: { _ in false })
    }
  }

  @Test(arguments: 0..<UInt64(12)) func `hostile members do no harm`(seed: UInt64) throws {
    // Marks of every kind with random numbers behind them.
    var random = SeededGenerator(seed: seed)
    let devices = (0..<3).map { number -> MemoryDevice in
      var bytes = random.bytes(1 << 20)
      let marks: [[UInt8]] = [
        [0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0], [0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0, 90, 0, 0, 0],
        Array("XFSB".utf8), Array("XAGF".utf8), Array("IN".utf8), Array("FILE".utf8),
        Array("EFI PART".utf8),
      ]
      for place in stride(from: 0, to: bytes.count - 4096, by: 4096) {
        let mark = marks[Int.random(in: 0..<marks.count, using: &random)]
        bytes.replaceSubrange(place..<place + mark.count, with: mark)
        if Bool.random(using: &random) {
          bytes.replaceSubrange(place + 1024 + 56..<place + 1024 + 58, with: [0x53, 0xef])
          for field in [20, 24, 32, 40] {
            bytes.replaceSubrange(
              place + 1024 + field..<place + 1024 + field + 4,
              with: [UInt8.random(in: 0...8, using: &random), 0, 0, 0])
          }
        }
      }
      return MemoryDevice(bytes, name: "hostile\(number)")
    }
    _ = try LayoutRecovery.search(devices)
    _ = try LayoutRecovery.search(devices + [nil])
  }

  @Test(arguments: [1, 511, 4096, 8192, 12_288, 100_000]) func `members may be tiny`(
    byteCount: Int
  ) throws {
    var random = SeededGenerator(seed: UInt64(byteCount))
    let devices = (0..<3).map { MemoryDevice(random.bytes(byteCount), name: "\($0)") }
    _ = try LayoutRecovery.search(devices)
    _ = try LayoutRecovery.search([devices[0]])
  }
}
