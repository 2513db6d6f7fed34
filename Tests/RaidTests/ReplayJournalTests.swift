import BinaryCodec
import BlockStorage
import FToolTestSupport
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

@Suite struct ReplayJournalTests {
  /// The array read from these devices.
  private func content(of devices: [any BlockDevice]) throws -> [UInt8] {
    let array = try RaidArray.open(devices)
    return try array.allBytes()
  }

  /// Every set of as many slots as may be lost, and fewer.
  private func losses(_ array: ReplayedArray) -> [Set<Int>] {
    let slots = array.members.indices
    var losses: [Set<Int>] = [[]] + slots.map { [$0] }
    if array.placement.parityCount > 1 {
      for first in slots {
        for second in slots where second > first { losses.append([first, second]) }
      }
    }
    return losses
  }

  private func check(_ array: ReplayedArray, _ note: Comment = "") throws {
    let expected = array.content
    for lost in losses(array) {
      let present = array.members.indices.filter { !lost.contains($0) }.map { array.members[$0] }
      let isRight = try content(of: present + [array.journal]) == expected
      #expect(isRight, "without \(lost.sorted()) \(note)")
    }
  }

  private static let levels: [(RaidLevel, Int)] = [
    (.dedicatedParity, 3), (.singleParity, 3), (.singleParity, 5), (.doubleParity, 4),
    (.doubleParity, 6),
  ]

  /// Chance writes through and back, lets stripes arrive or tears them, and stops anywhere.
  @Test(arguments: 0..<UInt64(40)) func `gives the newest content`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (level, slotCount) = Self.levels[Int(seed) % Self.levels.count]
    let array = ReplayedArray(level, slotCount: slotCount, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    var logged: [Int: Set<Int>] = [:]
    for _ in 0..<Int.random(in: 1...40, using: &random) {
      let block = Int.random(in: 0..<array.blockCount, using: &random)
      let data = array.pattern(block).dataSlots
      let slots = data.filter { _ in Bool.random(using: &random) }
      switch Int.random(in: 0..<3, using: &random) {
      case 0 where !slots.isEmpty:  // written back later: only the log has it
        for slot in slots { array.change(block, slot: slot, using: &random) }
        try array.append([(block, slots, false)])
        logged[block, default: []].formUnion(slots)
      case 1 where !slots.isEmpty:  // on its way: the log has all of it, the members anything
        for slot in slots { array.change(block, slot: slot, using: &random) }
        try array.append([(block, slots, false)])
        try array.append([(block, [], true)])
        logged[block, default: []].formUnion(slots)
        for slot in logged[block, default: []].union(array.pattern(block).paritySlots)
        where Bool.random(using: &random) {
          try array.scramble(block, slot: slot)
        }
      default:  // arrived
        for slot in array.members.indices { try array.store(block, slot: slot) }
        try array.append([], flushed: [block])
        logged[block] = nil
      }
    }
    try array.finish()
    try check(array)
  }

  @Test(arguments: 0..<5) func `members may hold anything where the log has it all`(
    index: Int
  ) throws {
    var random = SeededGenerator(seed: UInt64(index))
    let (level, slotCount) = Self.levels[index]
    let array = ReplayedArray(level, slotCount: slotCount, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    let blocks = [0, 5, 6, array.blockCount - 1]
    for block in blocks {
      let slot = array.pattern(block).dataSlots[0]
      array.change(block, slot: slot, using: &random)
      try array.append([(block, [slot], true)])
      for slot in [slot] + array.pattern(block).paritySlots {
        try array.scramble(block, slot: slot)
      }
    }
    try array.finish()
    try check(array)
  }

  /// First on its way, torn, then changed again and not yet with parity: what is missing has to come
  /// from the stripe as it was on its way.
  @Test(arguments: 0..<5) func `new data goes on top of what was on its way`(index: Int) throws {
    var random = SeededGenerator(seed: UInt64(100 + index))
    let (level, slotCount) = Self.levels[index]
    let array = ReplayedArray(level, slotCount: slotCount, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    for block in 0..<array.blockCount {
      let data = array.pattern(block).dataSlots
      let slot = data[block % data.count]
      array.change(block, slot: slot, using: &random)
      try array.append([(block, [slot], true)])
      for slot in [slot] + array.pattern(block).paritySlots where Bool.random(using: &random) {
        try array.scramble(block, slot: slot)
      }
      let other = data[(block + 1) % data.count]
      array.change(block, slot: other, using: &random)
      try array.append([(block, [other], false)])
    }
    try array.finish()
    try check(array)
  }

  @Test func `a log goes on at the start of its ring`() throws {
    var random = SeededGenerator(seed: 3)
    let array = ReplayedArray(
      .singleParity, slotCount: 3, ringSectors: 8 * 40, tail: 8 * 35, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    for block in 0..<8 {
      let slot = array.pattern(block).dataSlots[1]
      array.change(block, slot: slot, using: &random)
      try array.append([(block, [slot], true)])
    }
    try array.finish()
    try check(array)
  }

  @Test func `a torn end of the log counts for nothing`() throws {
    var random = SeededGenerator(seed: 4)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    try array.append([(1, [array.pattern(1).dataSlots[0]], true)])
    try array.append([(2, [array.pattern(2).dataSlots[0]], true)], damages: true)
    try array.finish()
    try check(array)
  }

  @Test func `reads any bytes`() throws {
    var random = SeededGenerator(seed: 5)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    for block in stride(from: 0, to: array.blockCount, by: 3) {
      let slot = array.pattern(block).dataSlots[0]
      array.change(block, slot: slot, using: &random)
      try array.append([(block, [slot], false)])
    }
    try array.finish()
    let probes = try (array.members + [array.journal]).map { try MemberProbe($0) }
    let replayed = try Assembly(probes).replayed()
    for slot in array.members.indices {
      let device = replayed.members[slot].device
      #expect(device is OverlayDevice)
      #expect(device.byteCount == array.members[slot].byteCount)
      for _ in 0..<200 {
        let start = Int.random(in: 0..<array.truth[slot].count, using: &random)
        let end = min(array.truth[slot].count, start + Int.random(in: 0...9000, using: &random))
        let range = start + ReplayedArray.dataOffset..<end + ReplayedArray.dataOffset
        #expect(try device.bytes(range) == Array(array.truth[slot][start..<end]))
      }
    }
  }

  @Test func `members are left as they are`() throws {
    var random = SeededGenerator(seed: 6)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    try array.append([(0, [array.pattern(0).dataSlots[0]], true)])
    try array.finish()
    let before = (array.members + [array.journal]).map(\.contents)
    let probes = try (array.members + [array.journal]).map { try MemberProbe($0) }
    let replayed = try Assembly(probes).replayed()
    _ = try content(of: array.members + [array.journal])
    for probe in replayed.members where probe.device is OverlayDevice {
      #expect(throws: DeviceError.unwritable(offset: 0, errno: .readOnlyFileSystem)) {
        try probe.device.write([1], at: 0)
      }
      #expect(throws: DeviceError.unwritable(offset: 0, errno: .readOnlyFileSystem)) {
        try probe.device.zero(0..<4096)
      }
    }
    #expect((array.members + [array.journal]).map(\.contents) == before)
  }

  @Test func `without its journal an array is not read, unless doubt is allowed`() throws {
    var random = SeededGenerator(seed: 7)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    try array.finish(events: 9, journalEvents: 7)
    let cases: [([MemoryDevice], StartObstacle)] = [
      (array.members, .missingJournal),
      (
        array.members + [array.journal],
        .staleJournal(member: "journal", events: 7, newest: 9)
      ),
    ]
    for (devices, obstacle) in cases {
      #expect(throws: RaidError.notStartable(obstacle)) { try RaidArray.open(devices) }
      let assembly = try Assembly(devices: devices)
      #expect(assembly.journal == nil)
      if devices.count > array.members.count {
        #expect(assembly.standings.last == .stale(events: 7, newest: 9))
      }
      var options = RaidArray.Options()
      options.allowsDoubt = true
      #expect(try RaidArray.open(devices, options: options).allBytes() == array.content)
    }
  }

  @Test func `a log without a beginning is damaged`() throws {
    var random = SeededGenerator(seed: 8)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    try array.append([(0, [array.pattern(0).dataSlots[0]], true)])
    try array.finish()
    array.journal.corrupt(
      ReplayedArray.dataOffset + array.tail * 512 + 100..<ReplayedArray.dataOffset + array.tail
        * 512 + 101)
    #expect(throws: RaidError.notStartable(.damagedJournal(member: "journal"))) {
      try RaidArray.open(array.members + [array.journal])
    }
  }

  @Test func `an unreadable journal gives no old content`() throws {
    var random = SeededGenerator(seed: 9)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    let slot = array.pattern(0).dataSlots[0]
    array.change(0, slot: slot, using: &random)
    try array.append([(0, [slot], false)])
    try array.finish()
    // Follows the log, then fails.
    let faulty = FaultyDevice(array.journal)
    let opened = try RaidArray.open(array.members + [faulty])
    let ring = ReplayedArray.dataOffset..<array.journal.byteCount
    faulty.plan(
      .init(
        .touching(ring, by: .read),
        .fail(.unreadable(offset: ring.lowerBound, errno: .ioError))))
    #expect(throws: DeviceError.self) { try opened.bytes(0..<4096) }
    #expect(throws: Never.self) { try opened.bytes(16384..<opened.byteCount) }
  }

  @Test func `a log that is too long to keep track of is refused`() throws {
    var random = SeededGenerator(seed: 10)
    let array = ReplayedArray(.singleParity, slotCount: 3, using: &random)
    for slot in array.members.indices {
      for block in 0..<array.blockCount { try array.store(block, slot: slot) }
    }
    for block in 0..<array.blockCount {
      let slot = array.pattern(block).dataSlots[0]
      array.change(block, slot: slot, using: &random)
      try array.append([(block, [slot], true)])
    }
    try array.finish()
    let assembly = try Assembly(devices: array.members + [array.journal])
    let index = try #require(assembly.journal)
    #expect(throws: RaidError.notStartable(.journalTooLarge(member: "journal"))) {
      try JournalReplay(assembly, journal: index, array.placement, limit: 2 * array.blockCount - 1)
    }
    #expect(throws: Never.self) {
      try JournalReplay(assembly, journal: index, array.placement, limit: 2 * array.blockCount)
    }
  }
}
