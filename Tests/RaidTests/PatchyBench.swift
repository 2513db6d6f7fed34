import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// An array whose members have lost single blocks, and which of its bytes that costs: reckoned row by
/// row, from nothing but where md puts things.
final class PatchyBench {
  /// How a member can lack a block.
  enum Lack: CaseIterable, Sendable {
    /// md's log of the member says so.
    case listed
    /// Reading it fails.
    case unreadable
    /// It does not agree with its sum.
    case rotten
  }

  let bench: ArrayBench
  /// The bench's: looked up once, since they stay.
  private let geometry: SlowGeometry
  private let sizes: [Int]
  private(set) var devices: [PatchyDevice] = []
  /// By slot: numbers of the blocks of 4 KiB that the member can't give.
  private(set) var lost: [Set<Int>]
  /// Slots whose members are not there.
  private(set) var missing: Set<Int> = []
  private var listed: [Set<Int>]

  init(_ recipe: ArrayRecipe, seed: UInt64) throws {
    bench = try ArrayBench(recipe)
    try bench.fill(seed: seed)
    geometry = bench.geometry
    sizes = bench.sizes
    lost = [Set<Int>](repeating: [], count: recipe.slotCount)
    listed = lost
    devices = bench.devices.map { PatchyDevice($0) }
  }

  private init(copying other: PatchyBench) {
    bench = other.bench.copy()
    geometry = other.geometry
    sizes = other.sizes
    lost = other.lost
    missing = other.missing
    listed = other.listed
    devices = zip(other.devices, bench.devices).map { $0.copy(over: $1) }
  }

  /// The same array with the same losses once more, on devices of its own.
  func copy() -> PatchyBench { PatchyBench(copying: self) }

  /// The block can be had after all.
  func find(_ block: Int, of slot: Int) { lost[slot].remove(block) }

  var slotCount: Int { bench.recipe.slotCount }
  /// Blocks of each member that the array uses, whole ones.
  var blockCount: Int { sizes.min()! / 4096 }

  func lose(_ block: Int, of slot: Int, _ lack: Lack) throws {
    guard lost[slot].insert(block).inserted else { return }
    let start = try bench.dataOffset(slot) + block * 4096
    switch lack {
    case .unreadable: devices[slot].lose(start..<start + 4096)
    case .rotten: bench.devices[slot].corrupt(start + 9..<start + 10)
    case .listed:
      listed[slot].insert(block)
      // One sector of a block is enough.
      let sectors = try listed[slot].sorted().map { block in
        let sector = (try bench.dataOffset(slot) + block * 4096) / 512 + block % 8
        return sector..<sector + 1
      }
      try Self.list(sectors, on: bench.devices[slot])
    }
  }

  func remove(_ slot: Int) {
    missing.insert(slot)
    lost[slot] = Set(0..<(sizes.max()! + 4095) / 4096)
  }

  /// The member was not yet built from this block on.
  func cut(_ slot: Int, at block: Int) throws {
    try AssemblyTests.edit(bench.devices[slot]) {
      $0.features.insert(.recoveryOffset)
      $0.recoveryOffsetSectors = UInt64(block * 8 + 3)
    }
    lost[slot].formUnion(block..<(sizes.max()! + 4095) / 4096)
  }

  /// Loses blocks of members by chance, not only such as can be borne.
  func loseSome(_ count: Int, _ lacks: [Lack], using random: inout SeededGenerator) throws {
    for _ in 0..<count {
      let slot = Int.random(in: 0..<slotCount, using: &random)
      if missing.contains(slot) { continue }
      let first = Int.random(in: 0..<blockCount, using: &random)
      let lack = lacks.randomElement(using: &random)!
      for block in first..<min(blockCount, first + Int.random(in: 1...3, using: &random)) {
        try lose(block, of: slot, lack)
      }
    }
  }

  func open(writable: Bool = false, repairsOnRead: Bool = false) throws -> RaidArray {
    var options = RaidArray.Options()
    options.isWritable = writable
    options.allowsDegraded = true
    options.allowsDoubt = true
    options.repairsOnRead = repairsOnRead
    let given = bench.devices.indices.filter { !missing.contains($0) }
    return try RaidArray.open(given.map { devices[$0] }, options: options)
  }

  private static func list(_ sectors: [Range<Int>], on device: MemoryDevice) throws {
    try AssemblyTests.edit(device) { $0.features.insert(.badBlocks) }
    let superblock = try MemberProbe(device).superblock
    let place = superblock.badBlockLog
    var area = [UInt8](repeating: 0xff, count: Int(place.sizeSectors) * 512)
    var entries: [UInt64] = sectors.map { UInt64($0.lowerBound) << 10 | UInt64($0.count) }
    entries.append(.max)
    for (index, entry) in entries.enumerated() {
      for byte in 0..<8 { area[8 * index + byte] = UInt8(truncatingIfNeeded: entry >> (8 * byte)) }
    }
    let start = (Int(superblock.superOffsetSectors) + Int(place.offsetSectors)) * 512
    try device.write(area, at: start)
    try device.flush()
  }
}

// MARK: - What that costs

extension PatchyBench {
  /// Where the block at an array byte lies: slot and block number of its copies.
  private func places(of offset: Int) -> [(slot: Int, block: Int)] {
    geometry.places(of: offset).map { ($0.slot, $0.offset / 4096) }
  }

  /// Whether a member's block can be known: from itself, or from others.
  func isKnown(_ block: Int, of slot: Int) -> Bool {
    if !lost[slot].contains(block) { return true }
    if geometry.parityCount > 0 {
      return lost.count { $0.contains(block) } <= geometry.parityCount
    }
    return bench.model.isEmpty
      || arrayBlocks(on: slot, block).allSatisfy { isKnown($0) }
  }

  /// Whether the block at an array byte can be given.
  func isKnown(_ offset: Int) -> Bool {
    let places = places(of: offset)
    if geometry.parityCount > 0 { return isKnown(places[0].block, of: places[0].slot) }
    return places.contains { !lost[$0.slot].contains($0.block) }
  }

  /// Array bytes at which the blocks start that lie in a member's block; none where it is not used.
  func arrayBlocks(on slot: Int, _ block: Int) -> [Int] {
    stride(from: 0, to: bench.model.count, by: 4096).filter { offset in
      places(of: offset).contains { $0.slot == slot && $0.block == block }
    }
  }

  /// Whether the block at an array byte can be written and everything else stay what it is.
  func isWritable(_ offset: Int) -> Bool {
    guard geometry.parityCount > 0 else { return true }
    let (slot, block) = places(of: offset)[0]
    let lacking = Set(lost.indices.filter { lost[$0].contains(block) })
    if lacking.count <= geometry.parityCount { return true }
    let roles = geometry.roles(ofRow: block * 4096 / bench.recipe.chunk)
    let others = lacking.filter {
      if case .data = roles[$0] { return $0 != slot }
      return false
    }
    let parities = lacking.filter {
      if case .parity = roles[$0] { return !missing.contains($0) }
      return false
    }
    return others.isEmpty || !lacking.contains(slot) && parities.isEmpty
  }

  var lostOffsets: [Int] {
    stride(from: 0, to: bench.model.count, by: 4096).filter { !isKnown($0) }
  }

  /// Looks at the array block by block, and at all of it: everything that can be known is given, and
  /// what can't is named.
  func check(_ array: RaidArray, _ story: Comment) throws {
    let lost = Set(lostOffsets)
    for offset in stride(from: 0, to: bench.model.count, by: 4096) {
      let range = offset..<min(bench.model.count, offset + 4096)
      let (bytes, error) = read(array, range)
      if lost.contains(offset) {
        #expect(bytes.isEmpty && error == range, "array byte \(offset); \(story)")
      } else {
        // A difference of thousands of bytes would be no use to anybody.
        let isRight = bytes == Array(bench.model[range])
        #expect(error == nil && isRight, "array byte \(offset); \(story)")
      }
    }
    // From each loss to the next one, whatever else is in the way.
    var start = 0
    while start < bench.model.count {
      let (bytes, error) = read(array, start..<bench.model.count)
      let end = lost.filter { $0 >= start }.min() ?? bench.model.count
      let isRight = bytes == Array(bench.model[start..<end])
      #expect(isRight, "from \(start) to \(end), came \(bytes.count); \(story)")
      if end == bench.model.count {
        #expect(error == nil, story)
        break
      }
      let range = try #require(error, story)
      #expect(range.lowerBound == end, story)
      #expect(
        stride(from: end, to: range.upperBound, by: 4096).allSatisfy { lost.contains($0) }, story)
      start = range.upperBound
    }
  }

  /// What comes of a range, and which bytes the error names.
  private func read(_ array: RaidArray, _ range: Range<Int>) -> ([UInt8], Range<Int>?) {
    var got: [UInt8] = []
    do throws(RaidReadFailure<Never>) {
      try array.read(range) { (bytes, place, part) throws(Never) in
        got += bytes.withUnsafeBytes { Array($0[place..<place + part.count]) }
      }
      return (got, nil)
    } catch {
      guard case .array(.lost(let named, _)) = error else { return (got, -1..<0) }
      return (got, named)
    }
  }
}
