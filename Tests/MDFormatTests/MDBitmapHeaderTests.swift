import BinaryCodec
import MDFormat
import Testing

@Suite struct MDBitmapHeaderTests {
  private func decode(_ block: [UInt8]) throws -> MDBitmapHeader {
    try MDBitmapHeader(decoding: block.rawBytes)
  }

  private func header(
    syncSizeSectors: UInt64 = 47104, chunkByteCount: UInt32 = 65536
  ) -> MDBitmapHeader {
    MDBitmapHeader(
      arrayID: Identifier("00112233445566778899aabbccddeeff")!, syncSizeSectors: syncSizeSectors,
      chunkByteCount: chunkByteCount, events: 7)
  }

  private func encoded(_ header: MDBitmapHeader) -> [UInt8] {
    .block(of: 256, filler: 0xa5) { header.encode(into: &$0) }
  }

  @Test(arguments: Fixture.bitmaps) func `writes what Linux wrote`(fixture: String) throws {
    let block = try Fixture.bytes(fixture)
    let header = try decode(block)
    #expect(header.version == 4)
    #expect(header.state == [])
    #expect(header.daemonSleepSeconds == 5)
    #expect(header.byteCountOnDisk == 4096)
    #expect(encoded(header) == [UInt8](block[..<256]))
  }

  @Test func `finds the bits that a crash left`() throws {
    let block = try Fixture.bytes("bitmap-raid5-3-bitmap-unclean-0")
    let header = try decode(block)
    #expect(header.arrayID.bytes.prefix(4) == [0xd2, 0xfb, 0x7f, 0x01])
    #expect(header.events == 19 && header.eventsCleared == 19)
    #expect(header.syncSizeSectors == 47104)
    #expect(header.chunkByteCount == 65536)
    #expect(header.bitCount == 368)
    var runs: [Range<Int>] = []
    while let run = header.nextSetRun(in: block.rawBytes, from: runs.last?.upperBound ?? 0) {
      runs.append(run)
    }
    // Bits behind the last in use are set, by the kernel; they count for nothing.
    #expect(runs.count == 31)
    #expect(runs.prefix(4) == [5..<7, 18..<20, 31..<33, 73..<74])
    #expect(runs.suffix(3) == [345..<346, 347..<349, 356..<357])
    #expect(header.setBitCount(in: block.rawBytes) == 42)
    #expect(header.sectors(ofBits: 5..<7) == 640..<896)
  }

  @Test(arguments: 0..<UInt64(100)) func `decodes what it encoded`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var header = header(
      syncSizeSectors: UInt64.random(in: 1...1 << 54, using: &random),
      chunkByteCount: 512 << UInt32.random(in: 0...22, using: &random))
    header.version = Bool.random(using: &random) ? 3 : 4
    header.arrayID = .random(using: &random)
    (header.events, header.eventsCleared) = (random.next(), random.next())
    header.state = .init(rawValue: UInt32.random(in: .min ... .max, using: &random))
    header.writeBehindCount = UInt32.random(in: 0...16383, using: &random)
    header.sectorsReserved = UInt32.random(in: .min ... .max, using: &random)
    header.nodeCount = UInt32.random(in: .min ... .max, using: &random)
    header.clusterName = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    #expect(try decode(encoded(header)) == header)
  }

  @Test func `refuses every cut, and what is no bitmap`() throws {
    let block = encoded(header())
    for count in 0..<256 {
      let cut = [UInt8](block[..<count])
      #expect(throws: MDBitmapError.truncated(byteCount: count)) { try decode(cut) }
    }
    #expect(throws: MDBitmapError.absent) { try decode([UInt8](repeating: 0, count: 256)) }
  }

  @Test func `refuses other kinds by name`() {
    for (version, error) in [
      (2, .unsupportedVersion(2)), (5, .clustered), (6, .lockless), (7, .unsupportedVersion(7)),
    ] as [(UInt32, MDBitmapError)] {
      var header = header()
      header.version = version
      #expect(throws: error) { try decode(encoded(header)) }
    }
  }

  @Test func `refuses numbers that make no sense`() {
    for chunk in [0, 1, 256, 768, 65537, .max] as [UInt32] {
      let block = encoded(header(chunkByteCount: chunk))
      #expect(throws: MDBitmapError.invalid(field: .chunkSize)) { try decode(block) }
    }
    for size in [0, 1 << 54 + 1, .max] as [UInt64] {
      let block = encoded(header(syncSizeSectors: size))
      #expect(throws: MDBitmapError.invalid(field: .syncSize)) { try decode(block) }
    }
    var lagging = header()
    lagging.writeBehindCount = 16384
    #expect(throws: MDBitmapError.invalid(field: .writeBehind)) { try decode(encoded(lagging)) }
    for seconds in [0, .max] as [UInt32] {
      var sleeping = header()
      sleeping.daemonSleepSeconds = seconds
      #expect(throws: MDBitmapError.invalid(field: .daemonSleep)) { try decode(encoded(sleeping)) }
    }
  }

  @Test func `counts bits and bytes`() {
    #expect(header(syncSizeSectors: 128).bitCount == 1)
    #expect(header(syncSizeSectors: 129).bitCount == 2)
    #expect(header(syncSizeSectors: 128 * 8 * (4096 - 256)).byteCountOnDisk == 4096)
    #expect(header(syncSizeSectors: 128 * 8 * (4096 - 256) + 1).byteCountOnDisk == 8192)
    let largest = header(syncSizeSectors: 1 << 54, chunkByteCount: 512)
    #expect(largest.bitCount == 1 << 54)
    #expect(largest.byteCountOnDisk == 1 << 51 + 4096)
  }

  @Test func `maps sectors to bits and back`() {
    let header = header(syncSizeSectors: 1000)  // 7 whole chunks of 128 and a part
    #expect(header.bits(forSectors: 0..<1) == 0..<1)
    #expect(header.bits(forSectors: 127..<129) == 0..<2)
    #expect(header.bits(forSectors: 128..<256) == 1..<2)
    #expect(header.bits(forSectors: 0..<1000) == 0..<8)
    #expect(header.bits(forSectors: 300..<300).isEmpty)
    #expect(header.sectors(ofBit: 7) == 896..<1000)
    #expect(header.sectors(ofBit: 0) == 0..<128)
  }

  @Test(arguments: 0..<UInt64(20)) func `finds the runs that were set`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let count = Int.random(in: 1...2000, using: &random)
    let header = header(syncSizeSectors: UInt64(count), chunkByteCount: 512)
    let density = [1, 10, 50, 99].randomElement(using: &random)!
    let bits = (0..<count).map { _ in Int.random(in: 0..<100, using: &random) < density }
    let area = [UInt8].block(of: header.byteCountOnDisk) { span in
      for bit in bits.indices { MDBitmapHeader.set(bit: bit, to: bits[bit], in: &span) }
    }
    var found = [Bool](repeating: false, count: count)
    var start = 0
    while let run = header.nextSetRun(in: area.rawBytes, from: start) {
      #expect(run.lowerBound >= start && !run.isEmpty)
      for bit in run { found[bit] = true }
      start = run.upperBound
    }
    #expect(found == bits)
    #expect(header.setBitCount(in: area.rawBytes) == bits.count { $0 })
    #expect(
      bits.indices.allSatisfy { MDBitmapHeader.isSet(bit: $0, in: area.rawBytes) == bits[$0] })
  }

  @Test func `sets and clears one bit at a time`() {
    var area = [UInt8](repeating: 0xa5, count: 300)
    for bit in 0..<8 * 44 {
      let before = area
      let changed = area.withMutableRawBytes { MDBitmapHeader.set(bit: bit, to: true, in: &$0) }
      #expect(changed == (before != area))
      area.withMutableRawBytes { _ = MDBitmapHeader.set(bit: bit, to: false, in: &$0) }
      #expect(area[256 + bit / 8] & 1 << UInt8(bit % 8) == 0)
      area = before
    }
  }

  @Test func `does not look behind a short area`() {
    let header = header(syncSizeSectors: 1 << 40, chunkByteCount: 512)
    let area = [UInt8](repeating: 0xff, count: 300)
    #expect(header.nextSetRun(in: area.rawBytes) == 0..<8 * 44)
    #expect(header.nextSetRun(in: area.rawBytes, from: 8 * 44) == nil)
    #expect(header.nextSetRun(in: [UInt8](repeating: 0xff, count: 10).rawBytes) == nil)
  }

  @Test func `is trusted when as new as the superblock`() {
    var header = header()
    #expect(header.isTrustworthy(superblockEvents: 7))
    #expect(header.isTrustworthy(superblockEvents: 6))
    #expect(!header.isTrustworthy(superblockEvents: 8))
    header.state = .stale
    #expect(!header.isTrustworthy(superblockEvents: 7))
  }
}
