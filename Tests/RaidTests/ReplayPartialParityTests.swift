import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Raid
import RaidGeometry
import SystemPackage
import Testing

/// A RAID 5 of four members with a partial parity log each, all in memory: what the members hold, and
/// what the parity has to be after the recovery.
private final class LoggedArray {
  static let dataOffset = 256 << 10
  static let areaOffset = 8192
  static let areaByteCount = 128 << 10
  static let chunk = 16384
  static let rows = 4

  let placement = ParityPlacement(
    slotCount: 4, parityCount: 1, chunkByteCount: chunk, rowCount: rows, rotation: .leftSymmetric)
  let members: [MemoryDevice]
  let arrayID: Identifier
  private(set) var disk: [[UInt8]]
  private var headers: [[(MDPartialParityHeader.Entry, [UInt8])]] = [[], [], [], []]

  init(using random: inout some RandomNumberGenerator) {
    arrayID = .random(using: &random)
    let count = Self.rows * Self.chunk
    members = (0..<4).map {
      MemoryDevice(byteCount: Self.dataOffset + count, name: "m\($0)")
    }
    disk = (0..<4).map { _ in (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
    for row in 0..<Self.rows {
      let bytes = row * Self.chunk..<(row + 1) * Self.chunk
      disk[paritySlot(row)].replaceSubrange(bytes, with: sum(row, bytes))
    }
  }

  func paritySlot(_ row: Int) -> Int { placement.pattern(ofRow: row).paritySlots[0] }
  func dataSlot(_ row: Int, _ column: Int) -> Int {
    placement.pattern(ofRow: row).dataSlots[column]
  }

  /// The sum of the row's data, without some slots.
  private func sum(_ row: Int, _ bytes: Range<Int>, without: Set<Int> = []) -> [UInt8] {
    var sum = [UInt8](repeating: 0, count: bytes.count)
    for slot in placement.pattern(ofRow: row).dataSlots where !without.contains(slot) {
      for (index, at) in bytes.enumerated() { sum[index] ^= disk[slot][at] }
    }
    return sum
  }

  /// The partial parity of a write to these columns of a row, before it happens.
  func partialParity(_ row: Int, _ columns: Range<Int>, _ bytes: Range<Int>) -> [UInt8] {
    let start = row * Self.chunk
    let range = start + bytes.lowerBound..<start + bytes.upperBound
    return sum(row, range, without: Set(columns.map { dataSlot(row, $0) }))
  }

  /// Data that arrives, with parity that does not.
  func tear(_ row: Int, _ column: Int, _ bytes: Range<Int>) {
    let slot = dataSlot(row, column)
    for at in bytes { disk[slot][row * Self.chunk + at] ^= 0x5a }
  }

  func log(
    _ row: Int, at arrayByte: Int, dataByteCount: Int, _ partialParity: [UInt8],
    checksumIsRight: Bool = true
  ) {
    let slot = paritySlot(row)
    let checksum = crc32c(partialParity.rawBytes)
    headers[slot].append(
      (
        .init(
          arraySector: (row * placement.rowByteCount + arrayByte) / 512,
          partialParityByteCount: partialParity.count, dataByteCount: dataByteCount,
          paritySlot: slot, checksum: checksumIsRight ? checksum : ~checksum), partialParity
      ))
  }

  func finish(isClean: Bool = false) throws {
    for slot in 0..<4 {
      let entries = headers[slot]
      // An older header comes first: the one before the last write that was completed.
      let old = MDPartialParityHeader(generation: 6)
      let new = MDPartialParityHeader(generation: 7, entries: entries.map(\.0))
      var area: [UInt8] = []
      for (header, content) in [(old, []), (new, entries.flatMap(\.1))] {
        var buffer = AlignedBuffer(byteCount: 4096)
        var block = buffer.mutableBytes
        header.encode(into: &block, arrayID: arrayID)
        area += block.bytes.array() + content
      }
      try members[slot].write(area, at: Self.areaOffset)
      try members[slot].write(disk[slot], at: Self.dataOffset)
      try writeSuperblock(slot, isClean: isClean)
    }
  }

  private func writeSuperblock(_ slot: Int, isClean: Bool) throws {
    var superblock = MDSuperblock(
      version: .v1_2, arrayID: arrayID, level: 5, layout: 2,
      chunkSectors: UInt32(Self.chunk / 512), slotCount: 4)
    superblock.features = .multiplePartialParityLogs
    superblock.partialParityOffsetSectors = 8
    superblock.partialParitySectors = UInt16(Self.areaByteCount / 512)
    superblock.sizeSectors = UInt64(Self.rows * Self.chunk / 512)
    superblock.dataOffsetSectors = UInt64(Self.dataOffset / 512)
    superblock.dataSizeSectors = superblock.sizeSectors
    superblock.superOffsetSectors = 8
    superblock.deviceNumber = UInt32(slot)
    superblock.events = 5
    superblock.isClean = isClean
    for slot in 0..<4 { superblock.roles[slot] = UInt16(slot) }
    var buffer = AlignedBuffer(byteCount: 4096)
    var page = buffer.mutableBytes
    superblock.encode(into: &page)
    try members[slot].write(page.bytes.array(), at: 4096)
  }

  /// The array's bytes with these members; nil for none missing.
  func content(without lost: Int?, allowsDoubt: Bool = false) throws -> [UInt8] {
    let devices = members.indices.filter { $0 != lost }.map { members[$0] }
    var options = RaidArray.Options()
    options.allowsDoubt = allowsDoubt
    return try RaidArray.open(devices, options: options).allBytes()
  }

  /// What they hold, where the lost member's data is taken for `slot`'s given content.
  func expected(lost: Int? = nil, as content: [UInt8] = []) -> [UInt8] {
    var result: [UInt8] = []
    for row in 0..<Self.rows {
      for slot in placement.pattern(ofRow: row).dataSlots {
        let bytes = slot == lost ? content : disk[slot]
        result += bytes[row * Self.chunk..<(row + 1) * Self.chunk]
      }
    }
    return result
  }

  /// What the lost member's data is according to the others as they are on the disks.
  func unrecovered(_ lost: Int) -> [UInt8] {
    disk[lost].indices.map { at in
      members.indices.filter { $0 != lost }.reduce(0) { $0 ^ disk[$1][at] }
    }
  }
}

@Suite struct ReplayPartialParityTests {
  /// All that is there reads as it is, and what is lost as it was on its member: but for the slots that
  /// the torn write changed, whose parity nobody can mend.
  private func check(_ array: LoggedArray, torn: Set<Int>, allowsDoubt: Bool = false) throws {
    #expect(try array.content(without: nil) == array.expected())
    for lost in 0..<4 {
      let content = torn.contains(lost) ? array.unrecovered(lost) : array.disk[lost]
      #expect(
        try array.content(without: lost, allowsDoubt: allowsDoubt)
          == array.expected(lost: lost, as: content), "\(lost)")
    }
  }

  @Test(arguments: 0..<4) func `mends the parity of a small write`(row: Int) throws {
    var random = SeededGenerator(seed: UInt64(row))
    let array = LoggedArray(using: &random)
    let bytes = 4096..<12288
    array.log(
      row, at: LoggedArray.chunk + 4096, dataByteCount: 8192,
      array.partialParity(row, 1..<2, bytes))
    array.tear(row, 1, bytes)
    try array.finish()
    try check(array, torn: [array.dataSlot(row, 1)])
  }

  @Test func `mends the parity of a write to several members`() throws {
    var random = SeededGenerator(seed: 10)
    let array = LoggedArray(using: &random)
    let bytes = 8192..<12288
    array.log(2, at: 8192, dataByteCount: 8192, array.partialParity(2, 0..<2, bytes))
    array.tear(2, 0, bytes)
    try array.finish()
    try check(array, torn: [array.dataSlot(2, 0), array.dataSlot(2, 1)])
  }

  @Test func `mends the parity of a whole stripe`() throws {
    var random = SeededGenerator(seed: 11)
    let array = LoggedArray(using: &random)
    array.log(1, at: 4096, dataByteCount: 3 * 4096, [])
    array.tear(1, 2, 4096..<8192)
    try array.finish()
    // Every member's data was being written: without one of them nothing is mended.
    try check(array, torn: Set((0..<3).map { array.dataSlot(1, $0) }))
  }

  @Test func `mends single sectors`() throws {
    var random = SeededGenerator(seed: 12)
    let array = LoggedArray(using: &random)
    let bytes = 512 * 3..<512 * 10
    array.log(
      0, at: 2 * LoggedArray.chunk + bytes.lowerBound, dataByteCount: bytes.count,
      array.partialParity(0, 2..<3, bytes))
    array.tear(0, 2, bytes)
    try array.finish()
    try check(array, torn: [array.dataSlot(0, 2)])
  }

  /// The end of one chunk and the start of the next: the partial parity is of a whole chunk, which
  /// begins where the write does.
  @Test func `mends a write across two chunks`() throws {
    var random = SeededGenerator(seed: 13)
    let array = LoggedArray(using: &random)
    let chunk = LoggedArray.chunk
    let parity =
      array.partialParity(3, 0..<1, 12288..<chunk) + array.partialParity(3, 1..<2, 0..<4096)
      + [UInt8](repeating: 0, count: chunk - 8192)
    array.log(3, at: 12288, dataByteCount: 8192, parity)
    array.tear(3, 0, 12288..<chunk)
    array.tear(3, 1, 0..<4096)
    try array.finish()
    // Each of the two is mended in the rows that the other has no part in.
    #expect(try array.content(without: nil) == array.expected())
    let others = [array.dataSlot(3, 2)]
    for lost in others {
      #expect(try array.content(without: lost) == array.expected(lost: lost, as: array.disk[lost]))
    }
    for (column, torn) in [(0, 12288..<chunk), (1, 0..<4096)] {
      let lost = array.dataSlot(3, column)
      var content = array.disk[lost]
      // Mended where the other chunk was written, as it was before where this one was.
      let before = array.unrecovered(lost)
      for at in torn { content[3 * chunk + at] = before[3 * chunk + at] }
      let result = try array.content(without: lost)
      #expect(result == array.expected(lost: lost, as: content), "column \(column)")
    }
  }

  @Test(arguments: [true, false]) func `is in sync afterwards, if the logs are whole`(
    isWhole: Bool
  ) throws {
    var random = SeededGenerator(seed: 20)
    let array = LoggedArray(using: &random)
    array.log(0, at: 0, dataByteCount: 4096, array.partialParity(0, 0..<1, 0..<4096))
    array.tear(0, 0, 0..<4096)
    try array.finish()
    if !isWhole { array.members[1].corrupt(LoggedArray.areaOffset..<LoggedArray.areaOffset + 1) }
    #expect(try RaidArray.open(array.members).wasUnclean == !isWhole)
  }

  @Test func `leaves alone what has a wrong checksum`() throws {
    var random = SeededGenerator(seed: 14)
    let array = LoggedArray(using: &random)
    let bytes = 0..<4096
    array.log(
      0, at: 0, dataByteCount: 4096, array.partialParity(0, 0..<1, bytes), checksumIsRight: false)
    try array.finish()
    // With a log that does not tell all, what is lost is in doubt.
    #expect(throws: DeviceError.self) { try array.content(without: array.dataSlot(0, 0)) }
    try check(array, torn: [], allowsDoubt: true)
  }

  @Test func `leaves a clean array alone`() throws {
    var random = SeededGenerator(seed: 15)
    let array = LoggedArray(using: &random)
    array.log(0, at: 0, dataByteCount: 4096, [UInt8](repeating: 7, count: 4096))
    try array.finish(isClean: true)
    try check(array, torn: [])
  }

  @Test func `an unreadable log stops it`() throws {
    var random = SeededGenerator(seed: 16)
    let array = LoggedArray(using: &random)
    try array.finish()
    let area = LoggedArray.areaOffset..<LoggedArray.areaOffset + 4096
    let faulty = FaultyDevice(array.members[2])
    faulty.plan(
      .init(
        .touching(area, by: .read),
        .fail(.unreadable(offset: area.lowerBound, errno: .ioError))))
    #expect(
      throws: RaidError.notStartable(
        .device(
          member: "m2", .unreadable(offset: area.lowerBound, errno: .ioError)))
    ) {
      try RaidArray.open([array.members[0], array.members[1], faulty, array.members[3]])
    }
  }

  @Test func `members are left as they are`() throws {
    var random = SeededGenerator(seed: 17)
    let array = LoggedArray(using: &random)
    array.log(0, at: 0, dataByteCount: 4096, array.partialParity(0, 0..<1, 0..<4096))
    array.tear(0, 0, 0..<4096)
    try array.finish()
    let before = array.members.map(\.contents)
    _ = try array.content(without: 1)
    #expect(array.members.map(\.contents) == before)
  }
}
