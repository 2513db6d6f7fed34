import LinuxSystem

/// The GUID partition table of UEFI (specification 2.10, chapter 5): a header in the second sector, another
/// in the last, each with a checksum over itself and one over the array of entries.
enum GUIDTable {
  private enum Header {
    static let signature = 0, byteCount = 12, checksum = 16, ownSector = 24, backupSector = 32
    static let entriesSector = 72, entryCount = 80, entryByteCount = 84, entriesChecksum = 88,
      end = 92
  }

  private enum Entry {
    static let type = 0, first = 32, last = 40, name = 56, end = 128
  }

  /// More than any disk has, and little enough to read.
  private static let entryCountLimit = 16384, arrayLimit = 4 << 20

  /// The partitions, from the first copy that is whole; nil when there is no such table with sectors of
  /// this size.
  static func partitions(
    on device: any BlockDevice, _ sectorByteCount: Int
  ) throws(PartitionTableError) -> [Partition]? {
    var firstError: PartitionTableError?
    for sector in [1, device.byteCount / sectorByteCount - 1] {
      do throws(PartitionTableError) {
        return try read(device, sector, sectorByteCount)
      } catch {
        if error != .none { firstError = firstError ?? error }
      }
    }
    if let firstError { throw firstError }
    return nil
  }

  /// The table whose header is in this sector: `none` when there is none, `damaged` when it lies.
  private static func read(
    _ device: any BlockDevice, _ sector: Int, _ sectorByteCount: Int
  ) throws(PartitionTableError) -> [Partition] {
    var buffer = AlignedBuffer(byteCount: sectorByteCount)
    let start = sector * sectorByteCount
    try PartitionTable.read(device, &buffer, start..<start + sectorByteCount)
    let header = buffer.bytes
    guard header.has("EFI PART", at: Header.signature) else { throw .none }
    let byteCount = header.little(Header.byteCount, as: UInt32.self)
    guard byteCount >= Header.end, byteCount <= sectorByteCount,
      checksum(header, 0..<byteCount, skipping: Header.checksum)
        == header.raw(Header.checksum, as: UInt32.self).littleEndian,
      header.count(Header.ownSector) == sector
    else { throw .damaged }
    return try entries(header, device, sectorByteCount)
  }

  private static func entries(
    _ header: RawSpan, _ device: any BlockDevice, _ sectorByteCount: Int
  ) throws(PartitionTableError) -> [Partition] {
    let count = header.little(Header.entryCount, as: UInt32.self)
    let size = header.little(Header.entryByteCount, as: UInt32.self)
    guard count <= entryCountLimit, size >= Entry.end, size <= 4096, size % 8 == 0,
      let sector = header.count(Header.entriesSector), sector > 1,
      sector <= device.byteCount / sectorByteCount,
      count * size <= min(arrayLimit, device.byteCount - sector * sectorByteCount)
    else { throw .damaged }
    var buffer = AlignedBuffer(byteCount: count * size)
    let start = sector * sectorByteCount
    try PartitionTable.read(device, &buffer, start..<start + count * size)
    let bytes = buffer.bytes
    guard
      checksum(bytes, 0..<count * size)
        == header.raw(Header.entriesChecksum, as: UInt32.self).littleEndian
    else { throw .damaged }
    var partitions: [Partition] = []
    for index in 0..<count {
      let entry = bytes.extracting(index * size..<(index + 1) * size)
      let type = (0..<16).map { entry.raw(Entry.type + $0, as: UInt8.self) }
      guard type.contains(where: { $0 != 0 }), let first = entry.count(Entry.first),
        let last = entry.count(Entry.last),
        let range = PartitionTable.bytes(first: first, last: last, sectorByteCount)
      else { continue }
      partitions.append(
        Partition(
          number: index + 1, range: range, typeName: PartitionType.name(ofGUID: type),
          name: name(entry)))
    }
    return partitions
  }

  /// Up to 36 units of UTF-16, ended by a zero.
  private static func name(_ entry: RawSpan) -> String {
    let units = (0..<36).map { entry.raw(Entry.name + 2 * $0, as: UInt16.self).littleEndian }
    return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
  }

  /// CRC-32 as in Ethernet; the four bytes at `skipping` count as zero. Tables are small and rare: bit by
  /// bit is quick enough.
  private static func checksum(
    _ bytes: RawSpan, _ range: Range<Int>, skipping: Int? = nil
  ) -> UInt32 {
    var state = UInt32.max
    for offset in range {
      var byte = bytes.raw(offset, as: UInt8.self)
      if let skipping, skipping..<skipping + 4 ~= offset { byte = 0 }
      state ^= UInt32(byte)
      for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 0 ? 0 : 0xedb8_8320) }
    }
    return ~state
  }
}
