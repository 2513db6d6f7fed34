import BinaryCodec
import MDFormat
import Testing

/// A journal's ring in memory.
private struct Ring {
  let journal: MDJournal
  var bytes: [UInt8]

  init(arrayID: Identifier, sectors: Int) {
    journal = MDJournal(arrayID: arrayID, areaSectors: sectors)
    bytes = [UInt8](repeating: 0, count: 512 * sectors)
  }

  mutating func write(_ meta: MDJournalMetaBlock) {
    let block = [UInt8].block(of: 4096) { meta.encode(into: &$0, journal: journal) }
    bytes.replaceSubrange(512 * meta.sector..<512 * meta.sector + 4096, with: block)
  }

  /// Writes a block of one repeated byte, and says what it is.
  mutating func write(_ byte: UInt8, at sector: Int) -> MDJournalMetaBlock.Block {
    let block = [UInt8](repeating: byte, count: 4096)
    bytes.replaceSubrange(512 * sector..<512 * sector + 4096, with: block)
    return .init(sector: sector, checksum: journal.checksum(of: block.rawBytes))
  }

  /// Writes a meta block with one block of data behind it; returns the next position.
  mutating func write(sequence: UInt64, at sector: Int, byte: UInt8, arraySector: UInt64) -> Int {
    let block = write(byte, at: journal.advance(sector, by: 8))
    write(
      MDJournalMetaBlock(
        sequence: sequence, sector: sector,
        payloads: [.data(arraySector: arraySector, block: block, flags: 0)]))
    return journal.advance(sector, by: 16)
  }

  func walk(from tail: UInt64) -> (metas: [MDJournalMetaBlock], end: MDJournal.End, reads: Int) {
    var metas: [MDJournalMetaBlock] = []
    var reads = 0
    let end = journal.walk(from: tail) { (sector, span) in
      reads += 1
      span.copy(bytes.rawBytes.sub(512 * sector..<512 * sector + span.byteCount), at: 0)
    } body: { (meta) in
      metas.append(meta)
    }
    return (metas, end, reads)
  }
}

@Suite struct MDJournalTests {
  private let arrayID = Identifier("00112233445566778899aabbccddeeff")!

  /// The last four meta blocks of a log that a crash left, with their blocks.
  private func goldenRing() throws -> Ring {
    var ring = Ring(arrayID: Identifier("78ff10ce:6e19081d:caa363bc:e9fdb4fd")!, sectors: 30720)
    let slice = try Fixture.bytes("journal-raid5-3-journal-unclean-3")
    ring.bytes.replaceSubrange(512 * 13544..<512 * 13544 + slice.count, with: slice)
    return ring
  }

  @Test func `walks what Linux wrote`() throws {
    let (metas, end, _) = try goldenRing().walk(from: 13544)
    #expect(metas.map(\.sector) == [13544, 13568, 13592, 13616])
    #expect(metas.map(\.sequence) == (278_617_060...278_617_063).map { $0 })
    #expect(end.sector == 13640 && end.sequence == 278_617_064 && end.reason == .absent)
    #expect(end.metaBlockCount == 4 && end.damagedCount == 0)
    for meta in metas {
      guard case .data(_, let data, 0) = meta.payloads[0],
        case .parity(_, let parity, 0) = meta.payloads[1]
      else {
        Issue.record("\(meta)")
        continue
      }
      #expect(meta.payloads.count == 2)
      #expect(data.sector == meta.sector + 8)
      #expect(parity.map(\.sector) == [meta.sector + 16])
    }
  }

  @Test func `writes what Linux wrote`() throws {
    let ring = try goldenRing()
    for meta in ring.walk(from: 13544).metas {
      let block = [UInt8].block(of: 4096) { meta.encode(into: &$0, journal: ring.journal) }
      #expect(block[...] == ring.bytes[512 * meta.sector..<512 * meta.sector + 4096])
    }
  }

  @Test func `reads a meta block with parity only`() throws {
    let journal = MDJournal(
      arrayID: Identifier("ca90a866:95aafc49:bd17237e:50586494")!, areaSectors: 30720)
    let block = try Fixture.bytes("journal-raid5-3-journal-writeback-3")
    var meta = try MDJournalMetaBlock(
      decoding: block.rawBytes, at: 6656, expectedSequence: nil, journal: journal)
    try meta.decodePayloads(from: block.rawBytes, journal: journal)
    #expect(meta.sequence == 511_810_624)
    #expect(meta.payloads.count == 8)
    #expect(meta.blocks.map(\.sector) == (1...8).map { 6656 + 8 * $0 })
  }

  @Test func `goes round the ring`() {
    var ring = Ring(arrayID: arrayID, sectors: 80)
    var sector = 56
    for sequence in 1...4 as ClosedRange<UInt64> {
      sector = ring.write(
        sequence: sequence, at: sector, byte: UInt8(sequence), arraySector: 8 * sequence)
    }
    #expect(sector == 40)
    let (metas, end, _) = ring.walk(from: 56)
    #expect(metas.map(\.sector) == [56, 72, 8, 24])
    #expect(metas[1].blocks.map(\.sector) == [0])
    #expect(end.sector == 40 && end.sequence == 5 && end.reason == .absent)
  }

  @Test func `ends at a block of another time or place`() {
    var ring = Ring(arrayID: arrayID, sectors: 80)
    _ = ring.write(sequence: 1, at: 0, byte: 1, arraySector: 0)
    _ = ring.write(sequence: 9, at: 16, byte: 2, arraySector: 8)
    #expect(ring.walk(from: 0).end.reason == .wrongSequence(stated: 9, expected: 2))
    var copied = Ring(arrayID: arrayID, sectors: 80)
    _ = copied.write(sequence: 1, at: 0, byte: 1, arraySector: 0)
    copied.bytes.replaceSubrange(512 * 16..<512 * 24, with: copied.bytes[0..<4096])
    #expect(copied.walk(from: 0).end.reason == .wrongPlace(statedSector: 0, foundSector: 16))
  }

  @Test func `is empty when there is no first meta block`() {
    let ring = Ring(arrayID: arrayID, sectors: 80)
    let (metas, end, reads) = ring.walk(from: 16)
    #expect(metas.isEmpty && reads == 1)
    #expect(end.sector == 16 && end.sequence == nil && end.reason == .absent)
    #expect(Ring(arrayID: arrayID, sectors: 7).walk(from: 0).end.reason == .noRoom)
  }

  @Test(arguments: [80, 4, .max, 1 << 63] as [UInt64]) func `begins at the start for a bad tail`(
    tail: UInt64
  ) {
    var ring = Ring(arrayID: arrayID, sectors: 80)
    _ = ring.write(sequence: 1, at: 0, byte: 1, arraySector: 0)
    #expect(ring.walk(from: tail).metas.count == 1)
  }

  @Test func `passes damaged content over and looks right behind the meta block`() {
    var ring = Ring(arrayID: arrayID, sectors: 80)
    let next = ring.write(sequence: 1, at: 0, byte: 1, arraySector: 0)
    _ = ring.write(sequence: 2, at: next, byte: 2, arraySector: 8)
    ring.bytes[512 * 8 + 77] ^= 1
    let (metas, end, _) = ring.walk(from: 0)
    #expect(metas.isEmpty)
    #expect(end.damagedCount == 1 && end.sector == 8 && end.sequence == 2)
    // A flush directly behind is found.
    ring.write(
      MDJournalMetaBlock(
        sequence: 2, sector: 8, payloads: [.flush(memberSectors: [16], flags: 1)]))
    #expect(ring.walk(from: 0).metas.map(\.sequence) == [2])
  }

  @Test func `detects flipped bits everywhere in a meta block`() {
    let journal = MDJournal(arrayID: arrayID, areaSectors: 800)
    let meta = MDJournalMetaBlock(
      sequence: 5, sector: 8, payloads: [.flush(memberSectors: [1, 2, 3], flags: 0)])
    let block = [UInt8].block(of: 4096) { meta.encode(into: &$0, journal: journal) }
    for byte in 0..<4096 where byte < 64 || !_isDebugAssertConfiguration() || byte % 13 == 0 {
      let flipped = block.flipping(bit: 8 * byte + byte % 8)
      #expect(throws: MDJournalError.self) {
        try MDJournalMetaBlock(
          decoding: flipped.rawBytes, at: 8, expectedSequence: 5, journal: journal)
      }
    }
  }

  @Test(arguments: 0..<UInt64(20)) func `decodes what it encoded`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let journal = MDJournal(arrayID: .random(using: &random), areaSectors: 8000)
    var meta = MDJournalMetaBlock(
      sequence: random.next(), sector: 8 * Int.random(in: 0..<1000, using: &random))
    var next = journal.advance(meta.sector, by: 8)
    func block() -> MDJournalMetaBlock.Block {
      defer { next = journal.advance(next, by: 8) }
      return .init(sector: next, checksum: UInt32.random(in: .min ... .max, using: &random))
    }
    for _ in 0..<Int.random(in: 0...40, using: &random) {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: meta.payloads.append(.data(arraySector: random.next(), block: block(), flags: 3))
      case 1:
        meta.payloads.append(.parity(memberSector: random.next(), blocks: [block()], flags: 0))
      case 2:
        meta.payloads.append(
          .parity(memberSector: random.next(), blocks: [block(), block()], flags: 0))
      default: meta.payloads.append(.flush(memberSectors: [random.next()], flags: 1))
      }
    }
    let bytes = [UInt8].block(of: 4096) { meta.encode(into: &$0, journal: journal) }
    var decoded = try MDJournalMetaBlock(
      decoding: bytes.rawBytes, at: meta.sector, expectedSequence: meta.sequence,
      journal: journal)
    try decoded.decodePayloads(from: bytes.rawBytes, journal: journal)
    #expect(decoded == meta)
  }

  /// A ring in which each meta block follows on the one before it for ever.
  @Test func `ends after one lap`() {
    var ring = Ring(arrayID: arrayID, sectors: 80)
    for index in 0..<10 {
      ring.write(MDJournalMetaBlock(sequence: UInt64(index), sector: 8 * index))
    }
    let (metas, end, reads) = ring.walk(from: 0)
    #expect(metas.count == 10 && reads == 10)
    #expect(end.reason == .wholeLap && end.sector == 0)
  }

  @Test func `does not believe blocks that would overtake the log's own start`() {
    var ring = Ring(arrayID: arrayID, sectors: 16)
    let block = ring.write(1, at: 8)
    ring.write(
      MDJournalMetaBlock(
        sequence: 1, sector: 0,
        payloads: [
          .data(arraySector: 0, block: block, flags: 0),
          .data(arraySector: 8, block: .init(sector: 0, checksum: 0), flags: 0),
        ]))
    #expect(ring.walk(from: 0).end.damagedCount == 1)
  }
}

@Suite struct MDJournalReplayTests {
  private typealias Payload = MDJournalMetaBlock.Payload

  /// Stripes, by sector, of an array with two data members and chunks of 8 sectors.
  private func replay(
    _ payloads: [Payload], limit: Int = 1000
  ) throws -> [UInt64: MDJournalReplay.Stripe] {
    var replay = MDJournalReplay(limit: limit)
    for (index, payload) in payloads.enumerated() {
      try replay.add(
        MDJournalMetaBlock(sequence: UInt64(index), sector: 0, payloads: [payload])
      ) { $0 < 1000 ? ($0 / 16 * 8, Int($0 / 8 % 2)) : nil }
    }
    replay.finish()
    var stripes: [UInt64: MDJournalReplay.Stripe] = [:]
    replay.forEachStripe { stripes[$0.sector] = $0 }
    return stripes
  }

  private func data(_ arraySector: UInt64, _ sector: Int) -> Payload {
    .data(arraySector: arraySector, block: .init(sector: sector, checksum: 0), flags: 0)
  }

  private func parity(_ memberSector: UInt64, _ sectors: [Int]) -> Payload {
    .parity(
      memberSector: memberSector, blocks: sectors.map { .init(sector: $0, checksum: 0) }, flags: 0)
  }

  private func at(_ column: Int, _ sector: Int) -> MDJournalReplay.Place {
    .init(column: column, sector: sector)
  }

  @Test func `settles data that has its parity`() throws {
    let stripes = try replay([data(16, 96), data(24, 104), parity(8, [112, 120]), data(32, 128)])
    #expect(stripes.count == 2)
    #expect(stripes[8]?.settledData == [at(0, 96), at(1, 104)])
    #expect(stripes[8]?.settledParity == [112, 120])
    #expect(stripes[8]?.data == [])
    #expect(stripes[16]?.data == [at(0, 128)])
    #expect(stripes[16]?.settledData == [])
  }

  @Test func `lets newer data win, and keeps it apart from older parity`() throws {
    let stripes = try replay([data(16, 96), parity(8, [104]), data(16, 112), data(24, 120)])
    #expect(stripes[8]?.settledData == [at(0, 96)])
    #expect(stripes[8]?.settledParity == [104])
    #expect(stripes[8]?.data == [at(0, 112), at(1, 120)])
  }

  @Test func `merges what was settled twice`() throws {
    let stripes = try replay([data(16, 96), parity(8, [104]), data(24, 112), parity(8, [120])])
    #expect(stripes[8]?.settledData == [at(0, 96), at(1, 112)])
    #expect(stripes[8]?.settledParity == [120])
  }

  @Test func `forgets stripes that were flushed`() throws {
    let flush = Payload.flush(memberSectors: [8, 8, 4096], flags: 1)
    #expect(try replay([data(16, 96), parity(8, [104]), flush]).isEmpty)
    let later = try replay([data(16, 96), parity(8, [104]), flush, data(24, 200)])
    #expect(later[8]?.data == [at(1, 200)])
    #expect(later[8]?.settledData == [])
  }

  @Test func `takes parity alone for nothing`() throws {
    #expect(try replay([parity(8, [96])]).isEmpty)
    let followed = try replay([parity(8, [96]), data(16, 104)])
    #expect(followed[8]?.settledParity == [])
    #expect(followed[8]?.data == [at(0, 104)])
  }

  @Test func `leaves data beyond the array out`() throws {
    #expect(try replay([data(1000, 96)]).isEmpty)
  }

  /// However little is kept at a time, what counts is the same.
  @Test(arguments: 0..<UInt64(30)) func `drops only what counts no more`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let payloads = (1...400).map { index -> Payload in
      let stripe = UInt64.random(in: 0..<4, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0: return .flush(memberSectors: [stripe * 8], flags: 0)
      case 1, 2, 3: return parity(stripe * 8, [index * 16, index * 16 + 8])
      default: return data(stripe * 16 + UInt64(index % 2) * 8, index * 16)
      }
    }
    for count in [1, 2, 3, 50, 399, 400] {
      let part = Array(payloads.prefix(count))
      // Four stripes have at most two blocks of data and two of parity, twice.
      #expect(try replay(part, limit: 40) == replay(part))
    }
  }

  @Test func `does not keep more than its limit`() throws {
    #expect(throws: MDJournalReplay.TooLarge()) {
      try replay((0..<124).map { data(UInt64($0 * 8), $0 * 8) }, limit: 100)
    }
    // The same block a hundred times is one block.
    #expect(try replay((0..<1000).map { data(16, $0 * 8) }, limit: 100)[8]?.data == [at(0, 7992)])
  }
}
