import FToolTestSupport
import SystemPackage
import Testing

@testable import BlockStorage

@Suite struct PartitionTableTests {
  private let linuxRAID: [UInt8] = [
    0x0f, 0x88, 0x9d, 0xa1, 0xfc, 0x05, 0x3b, 0x4d, 0xa0, 0x06, 0x74, 0x3f, 0x0f, 0x84, 0x91, 0x1e,
  ]

  /// A disk with these partitions, by slot: first sector, last sector, name.
  private func disk(
    _ entries: [Int: (Int, Int, String)], sector: Int = 512, sectorCount: Int = 256
  ) -> MemoryDevice {
    TableBuilder.guidTable(
      entries.mapValues { .init(type: linuxRAID, first: $0.0, last: $0.1, name: $0.2) },
      sector: sector, sectorCount: sectorCount)
  }

  @Test(arguments: [512, 4096]) func `reads a GPT`(sector: Int) throws {
    let device = disk([0: (40, 99, "first"), 4: (100, 110, "né \u{1F600}")], sector: sector)
    let partitions = try PartitionTable.partitions(on: device)
    #expect(
      partitions == [
        Partition(
          number: 1, range: 40 * sector..<100 * sector, typeName: "Linux RAID", name: "first"),
        Partition(
          number: 5, range: 100 * sector..<111 * sector, typeName: "Linux RAID",
          name: "né \u{1F600}"),
      ])
  }

  @Test func `reads the copy at the end when the first is damaged`() throws {
    for offset in [0, 512, 512 + 16, 1024 + 40] {
      let device = disk([0: (40, 99, "a")])
      device.corrupt(offset..<offset + 1)
      #expect(try PartitionTable.partitions(on: device).map(\.name) == ["a"])
    }
    let device = disk([0: (40, 99, "a")])
    try device.zero(0..<8192)  // the start of the disk is lost, protective record and all
    #expect(try PartitionTable.partitions(on: device).map(\.name) == ["a"])
    let faulty = FaultyDevice(disk([0: (40, 99, "a")]))
    faulty.plan(
      .init(.touching(512..<513, by: .read), .fail(.unreadable(offset: 512, errno: .ioError))))
    #expect(try PartitionTable.partitions(on: faulty).map(\.name) == ["a"])
  }

  @Test func `says so when both are damaged`() throws {
    let device = disk([0: (40, 99, "a")])
    device.corrupt(512 + 20..<512 + 21)
    device.corrupt(255 * 512 + 20..<255 * 512 + 21)
    #expect(throws: PartitionTableError.damaged) { try PartitionTable.partitions(on: device) }
    try device.zero(512..<256 * 512)
    #expect(throws: PartitionTableError.damaged) { try PartitionTable.partitions(on: device) }
  }

  @Test func `an ordinary MBR before a GPT counts`() throws {
    let device = disk([0: (40, 99, "a")])
    try device.write(TableBuilder.record([.init(type: 0x83, first: 8, count: 8)]), at: 0)
    #expect(
      try PartitionTable.partitions(on: device) == [
        Partition(number: 1, range: 4096..<8192, typeName: "Linux", name: "")
      ])
  }

  @Test func `reads an MBR with logical partitions`() throws {
    let device = MemoryDevice(byteCount: 1 << 20)
    try device.write(
      TableBuilder.record([
        .init(type: 0xfd, first: 63, count: 100), .init(type: 0, first: 0, count: 0),
        .init(type: 0x05, first: 200, count: 1000),
      ]), at: 0)
    try device.write(
      TableBuilder.record([
        .init(type: 0x83, first: 1, count: 50), .init(type: 0x05, first: 100, count: 90),
      ]),
      at: 200 * 512)
    try device.write(TableBuilder.record([.init(type: 0x82, first: 2, count: 60)]), at: 300 * 512)
    let partitions = try PartitionTable.partitions(on: device)
    #expect(partitions.map(\.number) == [1, 3, 5, 6])
    #expect(partitions.map(\.typeName) == ["Linux RAID", "extended", "Linux", "Linux swap"])
    #expect(partitions.map { $0.range.lowerBound / 512 } == [63, 200, 201, 302])
    #expect(partitions.map { $0.range.count / 512 } == [100, 1000, 50, 60])
  }

  @Test func `a chain that bites its tail ends`() throws {
    let device = MemoryDevice(byteCount: 1 << 20)
    let link = TableBuilder.Slot(type: 0x05, first: 200, count: 1000)
    try device.write(TableBuilder.record([link]), at: 0)
    let back = TableBuilder.Slot(type: 0x05, first: 0, count: 90)
    try device.write(
      TableBuilder.record([.init(type: 0x83, first: 1, count: 50), back]), at: 200 * 512)
    #expect(try PartitionTable.partitions(on: device).map(\.number) == [1, 5])
  }

  @Test func `a filesystem's boot sector is no table`() throws {
    let device = MemoryDevice(byteCount: 1 << 20)
    var boot = [UInt8](repeating: 0xcc, count: 512)
    boot[510] = 0x55
    boot[511] = 0xaa
    try device.write(boot, at: 0)
    #expect(throws: PartitionTableError.none) { try PartitionTable.partitions(on: device) }
    for byteCount in [0, 1, 511, 512, 1024, 4096] {
      let empty = MemoryDevice(byteCount: byteCount)
      #expect(throws: PartitionTableError.none) { try PartitionTable.partitions(on: empty) }
    }
  }

  @Test func `a partition past the end is told, and not opened`() throws {
    let scratch = try Scratch()
    var image = disk([0: (40, 99, "a"), 1: (100, 5000, "b")]).contents
    image.removeLast(100 * 512)
    let path = try scratch.directory.file("disk.img", image)
    #expect(try MemberPath(parsing: "\(path)#p1").open().byteCount == 60 * 512)
    #expect(throws: MemberPathError.outside(byteCount: 156 * 512)) {
      try MemberPath(parsing: "\(path)#p2").open()
    }
    #expect(throws: MemberPathError.noSuchPartition(3, present: [1, 2])) {
      try MemberPath(parsing: "\(path)#p3").open()
    }
  }

  /// Bytes of chance, in tables whose checksums are right, crash nobody and overflow nothing.
  @Test(arguments: 0..<UInt64(300)) func `survives any table`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var entries: [Int: TableBuilder.Entry] = [:]
    for index in 0..<Int.random(in: 0...8, using: &random) {
      let numbers = [0, 1, 40, 255, 1 << 54, 1 << 55, Int.max, -1, Int.min]
      entries[index] = .init(
        type: random.bytes(16), first: numbers.randomElement(using: &random)!,
        last: numbers.randomElement(using: &random)!, name: "x")
    }
    let device = TableBuilder.guidTable(entries, sector: 512, sectorCount: 256)
    for partition in try PartitionTable.partitions(on: device) {
      #expect(partition.range.lowerBound >= 0 && partition.range.upperBound % 512 == 0)
    }
    // And with any header field, and any record, whatever comes.
    var header = device.contents
    for _ in 0..<4 {
      let field = [84, 80, 72, 12, 24, 32].randomElement(using: &random)!
      header.replaceSubrange(512 + field..<512 + field + 4, with: random.bytes(4))
    }
    TableBuilder.sign(&header, headerAt: 512)
    let other = MemoryDevice(header)
    _ = try? PartitionTable.partitions(on: other)
    other.corrupt(446..<510) { _ in UInt8.random(in: 0...0x85, using: &random) }
    for slot in [446, 462, 478, 494] { other.corrupt(slot..<slot + 1) { _ in 0 } }
    _ = try? PartitionTable.partitions(on: other)
  }
}

/// Makes partition tables as other programs would.
enum TableBuilder {
  struct Entry {
    let type: [UInt8]
    let first: Int
    let last: Int
    let name: String
  }

  struct Slot {
    let type: UInt8
    let first: Int
    let count: Int
  }

  static func record(_ slots: [Slot]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512)
    for (index, slot) in slots.enumerated() {
      bytes[446 + 16 * index + 4] = slot.type
      store(UInt32(slot.first), at: 446 + 16 * index + 8, in: &bytes)
      store(UInt32(slot.count), at: 446 + 16 * index + 12, in: &bytes)
    }
    bytes[510] = 0x55
    bytes[511] = 0xaa
    return bytes
  }

  static func guidTable(_ entries: [Int: Entry], sector: Int, sectorCount: Int) -> MemoryDevice {
    var bytes = [UInt8](repeating: 0, count: sector * sectorCount)
    bytes.replaceSubrange(
      0..<512, with: record([Slot(type: 0xee, first: 1, count: sectorCount - 1)]))
    let arraySectors = 128 * 128 / sector
    let last = sectorCount - 1
    for (own, other, array) in [(1, last, 2), (last, 1, last - arraySectors)] {
      for (index, entry) in entries {
        let start = array * sector + 128 * index
        bytes.replaceSubrange(start..<start + 16, with: entry.type)
        store(UInt64(bitPattern: Int64(entry.first)), at: start + 32, in: &bytes)
        store(UInt64(bitPattern: Int64(entry.last)), at: start + 40, in: &bytes)
        for (position, unit) in entry.name.utf16.enumerated() {
          store(unit, at: start + 56 + 2 * position, in: &bytes)
        }
      }
      let header = own * sector
      bytes.replaceSubrange(header..<header + 8, with: Array("EFI PART".utf8))
      store(UInt32(0x0001_0000), at: header + 8, in: &bytes)
      store(UInt32(92), at: header + 12, in: &bytes)
      store(UInt64(own), at: header + 24, in: &bytes)
      store(UInt64(other), at: header + 32, in: &bytes)
      store(UInt64(array), at: header + 72, in: &bytes)
      store(UInt32(128), at: header + 80, in: &bytes)
      store(UInt32(128), at: header + 84, in: &bytes)
      let start = array * sector
      store(checksum(bytes[start..<start + 128 * 128]), at: header + 88, in: &bytes)
      sign(&bytes, headerAt: header)
    }
    return MemoryDevice(bytes)
  }

  /// Makes the checksum of a header right.
  static func sign(_ bytes: inout [UInt8], headerAt header: Int) {
    store(UInt32(0), at: header + 16, in: &bytes)
    store(checksum(bytes[header..<header + 92]), at: header + 16, in: &bytes)
  }

  static func store(_ value: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) {
      bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
    }
  }

  /// CRC-32 of Ethernet by table, unlike the code under test.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 0xff)] ^ $0 >> 8 }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { state, _ in
      state & 1 == 1 ? 0xedb8_8320 ^ state >> 1 : state >> 1
    }
  }

  @Test static func `checksums are the published ones`() {
    #expect(checksum(Array("123456789".utf8)[...]) == 0xcbf4_3926)
  }
}
