import BinaryCodec

/// A partial parity log's header: the writes that may have been torn, and how to mend the parity.
///
/// The partial parity of a write is the XOR of the data chunks that the write does not change, so
/// that parity = partial parity XOR the written chunks, whatever of the write arrived. A stripe's
/// entry is in the area of its parity member (Linux: drivers/md/raid5-ppl.c, `struct ppl_header`).
///
/// | offset | type | field |
/// | --- | --- | --- |
/// | 0 | 512 bytes | 0xff |
/// | 512 | u32 | signature: CRC32C of the array identifier |
/// | 516 | u32 | 0 |
/// | 520 | u64 | generation |
/// | 528 | u32 | number of entries, at most 148 |
/// | 532 | u32 | CRC32C of the 4096 bytes with this field 0 |
/// | 536 | 24 bytes each | entries |
///
/// An entry is: u64 array sector, u32 bytes of partial parity, u32 bytes of data, u32 slot of the
/// parity, u32 CRC32C of the partial parity. The partial parities follow the header in order.
package struct MDPartialParityHeader: Equatable, Sendable {
  /// Grows with every header written; 0 in an empty log.
  package var generation: UInt64
  /// In the order of their partial parities behind the header; at most `entryLimit`.
  package var entries: [Entry]

  /// One write, or some that lie together in one stripe.
  package struct Entry: Equatable, Sendable {
    /// First array sector that the write changes.
    package var arraySector: Int
    /// 0 for a write of whole stripes.
    package var partialParityByteCount: Int
    /// Of the written data.
    package var dataByteCount: Int
    /// The slot that has P of the stripe, which is the one whose log this is.
    package var paritySlot: Int
    /// CRC32C of the partial parity.
    package var checksum: UInt32

    package init(
      arraySector: Int, partialParityByteCount: Int, dataByteCount: Int, paritySlot: Int,
      checksum: UInt32
    ) {
      self.arraySector = arraySector
      self.partialParityByteCount = partialParityByteCount
      self.dataByteCount = dataByteCount
      self.paritySlot = paritySlot
      self.checksum = checksum
    }
  }

  /// The header's own length; partial parities follow.
  package static let byteCount = 4096

  /// The most entries that a header has room for.
  package static let entryLimit = 148

  private enum Offset {
    static let reservedEnd = 512, signature = 512, zero = 516, generation = 520, entryCount = 528
    static let checksum = 532, entries = 536, end = 4096
    static let entryByteCount = 24, partialParity = 8, data = 12, paritySlot = 16
    static let entryChecksum = 20
  }

  /// An empty log's header is one without entries, of generation 0.
  package init(generation: UInt64 = 0, entries: [Entry] = []) {
    self.generation = generation
    self.entries = entries
  }

  /// What ties a log to its array.
  package static func signature(arrayID: Identifier) -> UInt32 { crc32c(arrayID.bytes.rawBytes) }

  /// Bytes of the header and all its partial parities.
  package var byteCountWithParities: Int {
    entries.reduce(Self.byteCount) { $0 + $1.partialParityByteCount }
  }

  /// Where an entry's partial parity is, in bytes from the header's start.
  package func partialParityRange(ofEntry index: Int) -> Range<Int> {
    let start = entries[..<index].reduce(Self.byteCount) { $0 + $1.partialParityByteCount }
    return start..<start + entries[index].partialParityByteCount
  }

  /// Writes all 4096 bytes of the header.
  package func encode(into block: inout MutableRawSpan, arrayID: Identifier) {
    precondition(block.byteCount == Offset.end && entries.count <= Self.entryLimit)
    block.zero()
    block.fill(0..<Offset.reservedEnd, with: 0xff)
    block.store(Self.signature(arrayID: arrayID), at: Offset.signature)
    block.store(generation, at: Offset.generation)
    block.store(UInt32(entries.count), at: Offset.entryCount)
    for (index, entry) in entries.enumerated() {
      let start = Offset.entries + Offset.entryByteCount * index
      block.store(UInt64(entry.arraySector), at: start)
      block.store(UInt32(entry.partialParityByteCount), at: start + Offset.partialParity)
      block.store(UInt32(entry.dataByteCount), at: start + Offset.data)
      block.store(UInt32(entry.paritySlot), at: start + Offset.paritySlot)
      block.store(entry.checksum, at: start + Offset.entryChecksum)
    }
    block.store(crc32c(block.bytes), at: Offset.checksum)
  }

  /// Reads the header of a log of array `arrayID` from 4096 bytes.
  package init(decoding block: RawSpan, arrayID: Identifier) throws(MDPartialParityError) {
    guard block.byteCount >= Offset.end else { throw .truncated(byteCount: block.byteCount) }
    let stored: UInt32 = block.integer(at: Offset.checksum)
    let computed = Self.checksum(of: block)
    guard stored == computed else { throw .damaged(stored: stored, computed: computed) }
    let signature: UInt32 = block.integer(at: Offset.signature)
    guard signature == Self.signature(arrayID: arrayID) else {
      throw .foreign(signature: signature)
    }
    generation = block.integer(at: Offset.generation)
    let count: UInt32 = block.integer(at: Offset.entryCount)
    guard count <= UInt32(Self.entryLimit) else { throw .tooManyEntries(count) }
    entries = try (0..<Int(count)).map { (index) throws(MDPartialParityError) in
      let start = Offset.entries + Offset.entryByteCount * index
      let part = block.sub(start..<start + Offset.entryByteCount)
      guard let entry = Self.entry(decoding: part) else { throw .invalid(entry: index) }
      return entry
    }
  }

  /// CRC32C of the header with the checksum's own field 0.
  private static func checksum(of block: RawSpan) -> UInt32 {
    let zeros: [UInt8] = [0, 0, 0, 0]
    var sum = CRC32C()
    sum.update(block.sub(0..<Offset.checksum))
    sum.update(zeros.rawBytes)
    sum.update(block.sub(Offset.entries..<Offset.end))
    return sum.value
  }

  private static func entry(decoding part: RawSpan) -> Entry? {
    let arraySector: UInt64 = part.integer(at: 0)
    let partialParity: UInt32 = part.integer(at: Offset.partialParity)
    let data: UInt32 = part.integer(at: Offset.data)
    let slot: UInt32 = part.integer(at: Offset.paritySlot)
    guard arraySector < 1 << 54, partialParity % 512 == 0, data % 512 == 0,
      slot < UInt32(MDRole.slotLimit)
    else { return nil }
    return Entry(
      arraySector: Int(arraySector), partialParityByteCount: Int(partialParity),
      dataByteCount: Int(data), paritySlot: Int(slot),
      checksum: part.integer(at: Offset.entryChecksum))
  }
}
