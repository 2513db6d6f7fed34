import BinaryCodec
import MDFormat
import Testing

/// 100,000 damaged blocks: each must be refused or make sense, none may stop the program. Most have
/// the checksum that fits their bytes, as a person who means harm would see to. Longer runs: the
/// fuzzers of Tests/Fuzz, which begin with the same fixtures.
@Suite struct MutationTests {
  @Test(arguments: 0..<UInt64(16)) func `refuses superblocks or makes sense of them`(seed: UInt64)
    throws
  {
    var random = SplitMix64(seed: seed)
    let goldens = try GoldenSuperblock.version1.map { ($0, try $0.bytes()) }
    var accepted = 0
    for _ in 0..<3000 {
      let (golden, bytes) = goldens.randomElement(using: &random)!
      var block = Mutation.mutated(bytes, in: 4..<272, using: &random)
      if Int.random(in: 0..<10, using: &random) > 0 { block = Checksum.corrected(block) }
      guard
        let superblock = try? MDSuperblock(
          decoding: block.rawBytes, version: golden.version, memberSectors: golden.memberSectors)
      else { continue }
      accepted += 1
      expectSense(superblock, memberSectors: golden.memberSectors)
      let count = superblock.encodedByteCount
      let again = [UInt8].block(of: 4096) { superblock.encode(into: &$0) }
      #expect(again[..<count] == block[..<count])
    }
    #expect(accepted > 100)  // or the damage does not get behind the first check
  }

  @Test(arguments: 0..<UInt64(4)) func `refuses superblocks of 0.90 or makes sense of them`(
    seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    let goldens = try GoldenSuperblock.version0.map { ($0, try $0.bytes()) }
    var accepted = 0
    for _ in 0..<1000 {
      let (golden, bytes) = goldens.randomElement(using: &random)!
      let fields = [0..<16, 20..<60, 128..<200, 256..<264, 512..<900, 3968..<3988]
        .randomElement(using: &random)!
      let block = Checksum.legacyCorrected(Mutation.mutated(bytes, in: fields, using: &random))
      guard
        let superblock = try? MDSuperblock(
          decoding: block.rawBytes, version: .v0_90, memberSectors: golden.memberSectors)
      else { continue }
      accepted += 1
      expectSense(superblock, memberSectors: golden.memberSectors)
    }
    #expect(accepted > 50)
  }

  /// Every number that comes out can be used.
  private func expectSense(_ superblock: MDSuperblock, memberSectors: Int) {
    let member = 0..<memberSectors
    #expect(superblock.dataArea.upperBound <= memberSectors && !superblock.dataArea.isEmpty)
    #expect(member.contains(superblock.superblockArea))
    if let sector = superblock.bitmapSector {
      #expect(member.contains(sector) && !superblock.usedDataArea.contains(sector))
      #expect(superblock.freeSectors(from: sector, memberSectors: memberSectors) <= memberSectors)
    }
    if let area = superblock.partialParityArea { #expect(member.contains(area)) }
    if superblock.features.contains(.badBlocks), let area = superblock.badBlockLogArea {
      #expect(member.contains(area) && area.count <= 8)
    }
    #expect(superblock.previousSlotCount >= 1)
    #expect(superblock.newDataOffsetSectors < UInt64(memberSectors))
    if case .slot(let slot) = superblock.role {
      #expect(slot < max(superblock.slotCount, superblock.previousSlotCount))
    }
    _ = (superblock.name, superblock.marker, superblock.isClean, superblock.reshapesBackwards)
  }

  @Test(arguments: 0..<UInt64(4)) func `refuses bitmaps or makes sense of them`(seed: UInt64) throws
  {
    var random = SplitMix64(seed: seed)
    let blocks = try Fixture.bitmaps.map { try Fixture.bytes($0) }
    var accepted = 0
    for _ in 0..<8000 {
      let golden = blocks.randomElement(using: &random)!
      let block = Mutation.mutated(golden, in: 4..<140, using: &random)
      guard let header = try? MDBitmapHeader(decoding: block.rawBytes) else { continue }
      accepted += 1
      #expect(header.bitCount > 0 && header.byteCountOnDisk % 4096 == 0)
      #expect(header.byteCountOnDisk >= 256 + header.bitCount / 8)
      #expect(header.sectors(ofBit: header.bitCount - 1).upperBound == Int(header.syncSizeSectors))
      #expect(header.bits(forSectors: 0..<Int(header.syncSizeSectors)) == 0..<header.bitCount)
      if accepted % 50 == 0 { _ = header.setBitCount(in: block.rawBytes) }
    }
    #expect(accepted > 1000)
  }

  @Test func `refuses bad block logs or makes sense of them`() throws {
    var random = SplitMix64(seed: 1)
    let golden = [UInt8](try Fixture.bytes("badblocks-raid5-3-badblocks-1")[..<64])
    for _ in 0..<15_000 {
      let area = Mutation.mutated(golden, in: 0..<64, using: &random)
      let shift = UInt8.random(in: 0...40, using: &random)
      guard let log = try? MDBadBlockLog(decoding: area.rawBytes, shift: shift) else { continue }
      let again = try [UInt8].block(of: 512) { span in try log.encode(into: &span, shift: shift) }
      let decoded = try MDBadBlockLog(decoding: again.rawBytes, shift: shift)
      #expect(log.ranges.allSatisfy(decoded.overlaps))
    }
  }

  @Test func `refuses partial parity logs or makes sense of them`() throws {
    var random = SplitMix64(seed: 2)
    let id = try #require(Identifier("3787a4b3:7012d6be:d6279fc1:f2998909"))
    let golden = try Fixture.bytes("ppl-raid5-3-ppl-1")
    for _ in 0..<500 {
      var block = Mutation.mutated(golden, in: 512..<660, using: &random)
      block.withMutableRawBytes { $0.store(0 as UInt32, at: 532) }
      let checksum = crc32c(block.rawBytes)
      block.withMutableRawBytes { $0.store(checksum, at: 532) }
      guard let header = try? MDPartialParityHeader(decoding: block.rawBytes, arrayID: id) else {
        continue
      }
      #expect(header.byteCountWithParities >= 4096)
      for entry in header.entries {
        guard let work = entry.recovery(chunkSectors: 128, slotCount: 3) else { continue }
        #expect((1...128).contains(work.stripSectors))
        #expect(work.dataSectors(atRow: work.stripSectors - 1).count <= 2)
      }
      let area = block + [UInt8](repeating: 0, count: 90_000)
      _ = MDPartialParityLog(arrayID: id, areaByteCount: area.count).findNewest { offset, span in
        span.copy(area.rawBytes.sub(offset..<offset + 4096), at: 0)
      }
    }
  }

  @Test func `refuses journals or makes sense of them`() throws {
    var random = SplitMix64(seed: 3)
    let id = try #require(Identifier("ca90a866:95aafc49:bd17237e:50586494"))
    let journal = MDJournal(arrayID: id, areaSectors: 80)
    var golden = try Fixture.bytes("journal-raid5-3-journal-writeback-3")
    golden.withMutableRawBytes { $0.store(0 as UInt64, at: 24) }  // as if at the ring's start
    for _ in 0..<500 {
      var block = Mutation.mutated(golden, in: 8..<200, using: &random)
      block.withMutableRawBytes { $0.store(0 as UInt32, at: 4) }
      let checksum = journal.checksum(of: block.rawBytes)
      block.withMutableRawBytes { $0.store(checksum, at: 4) }
      guard
        var meta = try? MDJournalMetaBlock(
          decoding: block.rawBytes, at: 0, expectedSequence: nil, journal: journal),
        (try? meta.decodePayloads(from: block.rawBytes, journal: journal)) != nil
      else { continue }
      #expect(meta.blocks.allSatisfy { (0..<80).contains($0.sector) && $0.sector % 8 == 0 })
      var replay = MDJournalReplay()
      try? replay.add(meta) { ($0 &* 3, Int($0 % 3)) }
      replay.finish()
    }
  }
}
