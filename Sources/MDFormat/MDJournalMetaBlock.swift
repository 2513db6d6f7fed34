import BinaryCodec

/// A meta block of a journal (Linux: `struct r5l_meta_block` and `r5l_payload_*`).
///
/// | offset | type | field |
/// | --- | --- | --- |
/// | 0 | u32 | magic 0x6433c509 |
/// | 4 | u32 | checksum of the 4096 bytes with this field 0 |
/// | 8 | u8 | version 1 |
/// | 12 | u32 | bytes in use, these 32 included |
/// | 16 | u64 | sequence number |
/// | 24 | u64 | the block's own position, sectors |
/// | 32 | | payloads |
///
/// A payload of data (type 0) or parity (1) is: u16 type, u16 flags, u32 sectors, u64 sector in the
/// array or, of parity, in its member, u32 checksum of each block. A flush (2): u16 type, u16 flags,
/// u32 bytes, u64 stripe each.
package struct MDJournalMetaBlock: Equatable, Sendable {
  /// One more than that of the meta block before it; another number ends the log.
  package var sequence: UInt64
  /// Its own position in the ring.
  package var sector: Int
  /// In the order in which their blocks lie behind this one.
  package var payloads: [Payload]

  /// What some of the blocks behind it are, or that stripes have arrived.
  package enum Payload: Equatable, Sendable {
    /// A block of data: where it belongs in the array, and where it is in the ring.
    case data(arraySector: UInt64, block: Block, flags: UInt16)
    /// P, or P and Q, of the stripe at a sector of the members' data areas.
    case parity(memberSector: UInt64, blocks: [Block], flags: UInt16)
    /// These stripes, by their sector in the members' data areas, have arrived on the members.
    case flush(memberSectors: [UInt64], flags: UInt16)

    /// The blocks that belong to it.
    package var blocks: [Block] {
      switch self {
      case .data(_, let block, _): [block]
      case .parity(_, let blocks, _): blocks
      case .flush: []
      }
    }
  }

  /// One of the 4 KiB blocks behind a meta block.
  package struct Block: Equatable, Sendable {
    /// Position in the ring.
    package var sector: Int
    /// Of its 4096 bytes, as `MDJournal.checksum(of:)` counts it.
    package var checksum: UInt32

    package init(sector: Int, checksum: UInt32) {
      self.sector = sector
      self.checksum = checksum
    }
  }

  package init(sequence: UInt64, sector: Int, payloads: [Payload] = []) {
    self.sequence = sequence
    self.sector = sector
    self.payloads = payloads
  }

  /// All blocks behind this one that belong to it.
  package var blocks: [Block] { payloads.flatMap(\.blocks) }

  private static let magic: UInt32 = 0x6433_c509

  private enum Offset {
    static let magic = 0, checksum = 4, version = 8, byteCount = 12, sequence = 16, sector = 24
    static let payloads = 32, end = 4096
  }

  private enum PayloadOffset {
    static let type = 0, flags = 2, size = 4, content = 8, checksums = 16
  }

  private enum PayloadType {
    static let data: UInt16 = 0, parity: UInt16 = 1, flush: UInt16 = 2
  }

  /// Writes all 4096 bytes. The payloads must fit.
  package func encode(into block: inout MutableRawSpan, journal: MDJournal) {
    precondition(block.byteCount == Offset.end)
    block.zero()
    block.store(Self.magic, at: Offset.magic)
    block.store(1 as UInt8, at: Offset.version)
    block.store(sequence, at: Offset.sequence)
    block.store(UInt64(sector), at: Offset.sector)
    var offset = Offset.payloads
    for payload in payloads { offset += Self.encode(payload, into: &block, at: offset) }
    block.store(UInt32(offset), at: Offset.byteCount)
    block.store(journal.checksum(of: block.bytes), at: Offset.checksum)
  }

  /// Returns the payload's bytes.
  private static func encode(
    _ payload: Payload, into block: inout MutableRawSpan, at offset: Int
  ) -> Int {
    switch payload {
    case .data(let sector, let content, let flags):
      return encode(
        PayloadType.data, flags, sector, [content.checksum], into: &block, at: offset)
    case .parity(let sector, let blocks, let flags):
      return encode(
        PayloadType.parity, flags, sector, blocks.map(\.checksum), into: &block, at: offset)
    case .flush(let sectors, let flags):
      block.store(PayloadType.flush, at: offset + PayloadOffset.type)
      block.store(flags, at: offset + PayloadOffset.flags)
      block.store(UInt32(8 * sectors.count), at: offset + PayloadOffset.size)
      for (index, sector) in sectors.enumerated() {
        block.store(sector, at: offset + PayloadOffset.content + 8 * index)
      }
      return PayloadOffset.content + 8 * sectors.count
    }
  }

  private static func encode(
    _ type: UInt16, _ flags: UInt16, _ sector: UInt64, _ checksums: [UInt32],
    into block: inout MutableRawSpan, at offset: Int
  ) -> Int {
    block.store(type, at: offset + PayloadOffset.type)
    block.store(flags, at: offset + PayloadOffset.flags)
    block.store(
      UInt32(MDJournal.blockSectors * checksums.count), at: offset + PayloadOffset.size)
    block.store(sector, at: offset + PayloadOffset.content)
    for (index, checksum) in checksums.enumerated() {
      block.store(checksum, at: offset + PayloadOffset.checksums + 4 * index)
    }
    return PayloadOffset.checksums + 4 * checksums.count
  }

  /// Reads the meta block that `block`, from position `sector` of the ring, should be. Without an
  /// expected sequence number, any will do. Payloads are `decodePayloads(from:journal:)`'s.
  package init(
    decoding block: RawSpan, at sector: Int, expectedSequence: UInt64?, journal: MDJournal
  ) throws(MDJournalError) {
    precondition(block.byteCount == Offset.end)
    guard block.integer(at: Offset.magic) == Self.magic else { throw .absent }
    let version: UInt8 = block.integer(at: Offset.version)
    guard version == 1 else { throw .unsupportedVersion(version) }
    let stored: UInt32 = block.integer(at: Offset.checksum)
    let computed = Self.checksum(of: block, seed: journal.seed)
    guard stored == computed else { throw .damaged(stored: stored, computed: computed) }
    let stated: UInt64 = block.integer(at: Offset.sector)
    guard stated == UInt64(sector) else {
      throw .wrongPlace(statedSector: stated, foundSector: sector)
    }
    self.init(sequence: block.integer(at: Offset.sequence), sector: sector)
    if let expectedSequence, sequence != expectedSequence {
      throw .wrongSequence(stated: sequence, expected: expectedSequence)
    }
    let byteCount: UInt32 = block.integer(at: Offset.byteCount)
    guard byteCount <= UInt32(Offset.end) else { throw .invalidPayload(offset: Offset.payloads) }
  }

  private static func checksum(of block: RawSpan, seed: UInt32) -> UInt32 {
    let zeros: [UInt8] = [0, 0, 0, 0]
    var sum = CRC32C(register: seed)
    sum.update(block.sub(0..<Offset.checksum))
    sum.update(zeros.rawBytes)
    sum.update(block.sub(Offset.version..<Offset.end))
    return sum.register
  }

  /// Takes the payloads over from the block that this was decoded from. Throws without them all when
  /// one makes no sense.
  package mutating func decodePayloads(
    from block: RawSpan, journal: MDJournal
  ) throws(MDJournalError) {
    var payloads: [Payload] = []
    let end = Int(block.integer(at: Offset.byteCount, as: UInt32.self))
    var offset = Offset.payloads
    var next = journal.advance(sector, by: MDJournal.blockSectors)
    while offset < end {
      guard
        let (payload, byteCount) = Self.payload(
          decoding: block.sub(offset..<end), blocksAt: next, journal: journal)
      else { throw .invalidPayload(offset: offset) }
      payloads.append(payload)
      next = journal.advance(next, by: payload.blocks.count * MDJournal.blockSectors)
      offset += byteCount
    }
    self.payloads = payloads
  }

  /// The payload at the start of `part`, and its bytes; nil for what makes no sense.
  private static func payload(
    decoding part: RawSpan, blocksAt sector: Int, journal: MDJournal
  ) -> (Payload, byteCount: Int)? {
    guard part.byteCount >= PayloadOffset.content else { return nil }
    let type: UInt16 = part.integer(at: PayloadOffset.type)
    let flags: UInt16 = part.integer(at: PayloadOffset.flags)
    let size = Int(part.integer(at: PayloadOffset.size, as: UInt32.self))
    if type == PayloadType.flush {
      guard let sectors = flushedSectors(of: part, byteCount: size) else { return nil }
      return (.flush(memberSectors: sectors, flags: flags), PayloadOffset.content + size)
    }
    let count = size / MDJournal.blockSectors
    let byteCount = PayloadOffset.checksums + 4 * count
    guard size % MDJournal.blockSectors == 0, (1...2).contains(count),
      part.byteCount >= byteCount
    else { return nil }
    let location: UInt64 = part.integer(at: PayloadOffset.content)
    let blocks = (0..<count).map { index in
      Block(
        sector: journal.advance(sector, by: index * MDJournal.blockSectors),
        checksum: part.integer(at: PayloadOffset.checksums + 4 * index))
    }
    switch type {
    case PayloadType.data where count == 1:
      return (.data(arraySector: location, block: blocks[0], flags: flags), byteCount)
    case PayloadType.parity:
      return (.parity(memberSector: location, blocks: blocks, flags: flags), byteCount)
    default: return nil
    }
  }

  private static func flushedSectors(of part: RawSpan, byteCount: Int) -> [UInt64]? {
    guard byteCount % 8 == 0, byteCount <= part.byteCount - PayloadOffset.content else {
      return nil
    }
    return (0..<byteCount / 8).map { part.integer(at: PayloadOffset.content + 8 * $0) }
  }
}
