import BinaryCodec
import MDFormat
import Testing

/// A partial parity log: header, choice of the newest, and what an entry asks for.
@Suite struct MDPartialParityTests {
  private let arrayID = Identifier("00112233445566778899aabbccddeeff")!
  private let goldenID = Identifier("3787a4b3:7012d6be:d6279fc1:f2998909")!
  private let uncleanID = Identifier("3edf3938:fa8b8b4e:89f48545:660b13c0")!

  private func entry(
    sector: Int = 0, parity: Int = 4096, data: Int = 4096, slot: Int = 0
  ) -> MDPartialParityHeader.Entry {
    .init(
      arraySector: sector, partialParityByteCount: parity, dataByteCount: data, paritySlot: slot,
      checksum: 0)
  }

  private func encoded(_ header: MDPartialParityHeader) -> [UInt8] {
    .block(of: 4096, filler: 0xa5) { header.encode(into: &$0, arrayID: arrayID) }
  }

  private func decode(_ block: [UInt8]) throws -> MDPartialParityHeader {
    try MDPartialParityHeader(decoding: block.rawBytes, arrayID: arrayID)
  }

  private func newest(in area: [UInt8], arrayID: Identifier) -> MDPartialParityLog.Finding {
    MDPartialParityLog(arrayID: arrayID, areaByteCount: area.count).findNewest { offset, span in
      span.copy(area.rawBytes.sub(offset..<offset + span.byteCount), at: 0)
    }
  }

  @Test func `reads and writes what Linux wrote`() throws {
    let block = try Fixture.bytes("ppl-raid5-3-ppl-1")
    let header = try MDPartialParityHeader(decoding: block.rawBytes, arrayID: goldenID)
    #expect(header.generation == 125)
    #expect(header.entries.map(\.arraySector) == [84864, 88648, 89344, 88704])
    #expect(header.entries.map(\.partialParityByteCount) == [49152, 0, 0, 36864])
    #expect(header.entries.map(\.dataByteCount) == [49152, 57344, 131072, 36864])
    #expect(header.entries.allSatisfy { $0.paritySlot == 1 })
    #expect(header.byteCountWithParities == 4096 + 49152 + 36864)
    #expect(header.partialParityRange(ofEntry: 3) == 53248..<90112)
    let again = [UInt8].block(of: 4096) { header.encode(into: &$0, arrayID: goldenID) }
    #expect(again == block)
  }

  @Test func `finds the newest header that a crash left`() throws {
    let area = try Fixture.bytes("ppl-raid5-3-ppl-unclean-2")
    guard case .newest(let header, 40960) = newest(in: area, arrayID: uncleanID) else {
      Issue.record("\(newest(in: area, arrayID: uncleanID))")
      return
    }
    #expect(header.generation == 493)
    let entry = try #require(header.entries.first)
    #expect(header.entries.count == 1)
    let range = header.partialParityRange(ofEntry: 0)
    let parity = [UInt8](area[40960 + range.lowerBound..<40960 + range.upperBound])
    #expect(crc32c(parity.rawBytes) == entry.checksum)
    #expect(entry.paritySlot == 2)
  }

  @Test func `says when a log is another array's`() throws {
    let area = try Fixture.bytes("ppl-raid5-3-ppl-unclean-2")
    let signature = MDPartialParityHeader.signature(arrayID: uncleanID)
    #expect(newest(in: area, arrayID: arrayID) == .none(.foreign(signature: signature)))
  }

  @Test(arguments: 0..<UInt64(10)) func `decodes what it encoded`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let header = MDPartialParityHeader(
      generation: random.next(),
      entries: (0..<[0, 1, 20, 148].randomElement(using: &random)!).map { _ in
        MDPartialParityHeader.Entry(
          arraySector: Int.random(in: 0..<1 << 54, using: &random),
          partialParityByteCount: 512 * Int.random(in: 0..<1 << 23, using: &random),
          dataByteCount: 512 * Int.random(in: 0..<1 << 23, using: &random),
          paritySlot: Int.random(in: 0..<0xff00, using: &random),
          checksum: UInt32.random(in: .min ... .max, using: &random))
      })
    #expect(try decode(encoded(header)) == header)
  }

  @Test func `detects flipped bits everywhere`() {
    let block = encoded(MDPartialParityHeader(generation: 3, entries: [entry(), entry()]))
    for byte in stride(from: 0, to: 4096, by: _isDebugAssertConfiguration() ? 13 : 1) {
      let flipped = block.flipping(bit: 8 * byte + byte % 8)
      #expect(throws: MDPartialParityError.self) { try decode(flipped) }
    }
    for bit in 8 * 512..<8 * 600 {
      let flipped = block.flipping(bit: bit)
      #expect(throws: MDPartialParityError.self) { try decode(flipped) }
    }
  }

  @Test func `refuses cuts and counts that make no sense`() {
    let block = encoded(MDPartialParityHeader())
    #expect(throws: MDPartialParityError.truncated(byteCount: 4095)) {
      try decode([UInt8](block.dropLast()))
    }
    var many = block
    many.withMutableRawBytes { span in
      span.store(149 as UInt32, at: 528)
      span.store(0 as UInt32, at: 532)
    }
    let checksum = crc32c(many.rawBytes)
    many.withMutableRawBytes { $0.store(checksum, at: 532) }
    #expect(throws: MDPartialParityError.tooManyEntries(149)) { try decode(many) }
    let odd = encoded(MDPartialParityHeader(entries: [entry(), entry(parity: 100)]))
    #expect(throws: MDPartialParityError.invalid(entry: 1)) { try decode(odd) }
    let far = encoded(MDPartialParityHeader(entries: [entry(sector: 1 << 54)]))
    #expect(throws: MDPartialParityError.invalid(entry: 0)) { try decode(far) }
  }

  /// An area with headers in a row; each has one entry of one page.
  private func area(generations: [UInt64], byteCount: Int = 65536) -> [UInt8] {
    .block(of: byteCount) { span in
      for (index, generation) in generations.enumerated() {
        let header = MDPartialParityHeader(generation: generation, entries: [entry()])
        span.copy(encoded(header), at: 8192 * index)
      }
    }
  }

  @Test func `takes the last header before an older or a bad one`() {
    func offset(_ generations: [UInt64]) -> Int? {
      guard
        case .newest(_, let offset) = newest(in: area(generations: generations), arrayID: arrayID)
      else { return nil }
      return offset / 8192
    }
    #expect(offset([1]) == 0)
    #expect(offset([1, 2, 3]) == 2)
    #expect(offset([9, 3, 4, 5]) == 0)
    #expect(offset([9, 10, 3]) == 1)
    #expect(offset([7, 7]) == 1)  // not older
    #expect(offset([0, 5, .max]) == 2)
    #expect(offset([]) == nil)
  }

  @Test func `says why there is no newest`() {
    #expect(newest(in: [], arrayID: arrayID) == .none(.truncated(byteCount: 0)))
    guard case .none(.damaged) = newest(in: area(generations: []), arrayID: arrayID) else {
      Issue.record("zeros are no header")
      return
    }
  }

  @Test func `stops at the area's end`() {
    let full = area(generations: [1, 2, 3, 4], byteCount: 4 * 8192)
    guard case .newest(let header, 3 * 8192) = newest(in: full, arrayID: arrayID) else {
      Issue.record("not the last one")
      return
    }
    #expect(header.generation == 4)
    // A header whose partial parity would be outside is not believed.
    let cut = [UInt8](full.dropLast(512))
    guard case .newest(let last, 2 * 8192) = newest(in: cut, arrayID: arrayID) else {
      Issue.record("not the last whole one")
      return
    }
    #expect(last.generation == 3)
  }

  @Test func `passes a read error on`() {
    struct Unreadable: Error {}
    let log = MDPartialParityLog(arrayID: arrayID, areaByteCount: 8192)
    #expect(throws: Unreadable.self) {
      try log.findNewest { (_, _) throws(Unreadable) in throw Unreadable() }
    }
  }

  @Test func `says which blocks mend the parity`() throws {
    // A page in one chunk.
    let page = try #require(entry(sector: 4176).recovery(chunkSectors: 128, slotCount: 4))
    #expect(page.blockSectors == 8 && page.stripSectors == 8)
    #expect(page.dataSectors(atRow: 0) == [4176])
    // Part of the same rows of two chunks, of three.
    let two = try #require(
      entry(sector: 8, parity: 8192, data: 16384).recovery(chunkSectors: 128, slotCount: 4))
    #expect(two.stripSectors == 16)
    #expect(two.dataSectors(atRow: 8) == [16, 144])
    // All rows, but not all data: from the last page of a chunk to the first of the next.
    let all = try #require(
      entry(sector: 120, parity: 65536, data: 8192).recovery(chunkSectors: 128, slotCount: 4))
    #expect(all.stripSectors == 128)
    #expect(all.dataSectors(atRow: 0) == [120])
    #expect(all.dataSectors(atRow: 8) == [128])
    #expect(all.dataSectors(atRow: 16) == [])
    // A whole stripe: there is no partial parity.
    let whole = try #require(
      entry(sector: 384, parity: 0, data: 3 * 65536).recovery(chunkSectors: 128, slotCount: 4))
    #expect(whole.dataSectors(atRow: 120) == [504, 632, 760])
    #expect(whole.stripSectors == 128)
  }

  @Test func `refuses entries that do not fit the array`() {
    #expect(entry(parity: 65536 + 512).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry(data: 0).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry(data: 3 * 65536).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry(parity: 512, data: 4096).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry(parity: 8192, data: 4096).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry(parity: 0, data: 512).recovery(chunkSectors: 128, slotCount: 3) == nil)
    #expect(entry().recovery(chunkSectors: 0, slotCount: 3) == nil)
    #expect(entry().recovery(chunkSectors: 128, slotCount: 1) == nil)
  }
}
