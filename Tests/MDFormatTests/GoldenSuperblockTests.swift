import BinaryCodec
import MDFormat
import Testing

@Suite struct GoldenSuperblockTests {
  @Test(arguments: GoldenSuperblock.all) func `reads what mdadm wrote`(
    golden: GoldenSuperblock
  ) throws {
    let superblock = try golden.superblock()
    #expect(superblock.version == golden.version)
    #expect(superblock.arrayID.description == golden.arrayID)
    #expect(superblock.deviceID == golden.deviceID.map { Identifier($0) ?? .zero } ?? .zero)
    #expect(superblock.name == golden.name)
    #expect(superblock.level == golden.level)
    #expect(superblock.layout == golden.layout)
    #expect(superblock.chunkSectors == golden.chunkSectors)
    #expect(superblock.slotCount == golden.slotCount)
    #expect(superblock.role == golden.role)
    #expect(superblock.deviceNumber == golden.deviceNumber)
    #expect(superblock.events == golden.events)
    #expect(superblock.sizeSectors == golden.size)
    #expect(superblock.dataOffsetSectors == golden.dataOffset)
    #expect(superblock.recoveryOffsetSectors == golden.recoveryOffset)
    #expect(superblock.deviceFlags.rawValue == golden.deviceFlags)
    #expect(
      superblock.superOffsetSectors
        == golden.version.superblockSector(memberSectors: golden.memberSectors).map(UInt64.init))
  }

  @Test(arguments: GoldenSuperblock.version1) func `reads what only version 1 has`(
    golden: GoldenSuperblock
  ) throws {
    let superblock = try golden.superblock()
    #expect(superblock.features.rawValue == golden.features)
    #expect(superblock.resyncOffsetSectors == golden.resyncOffset)
    #expect(superblock.dataSizeSectors == golden.dataSize)
    #expect(superblock.bitmapOffsetSectors == golden.bitmapOffset)
    #expect(superblock.badBlockLog.offsetSectors == golden.badBlockOffset)
    #expect(superblock.maxDevices == 128)
    #expect(superblock.reshape == golden.reshape ?? MDReshape())
    #expect(superblock.legacy == nil)
    #expect(superblock.marker == 0)
  }

  @Test(arguments: GoldenSuperblock.version1) func `writes the same bytes again`(
    golden: GoldenSuperblock
  ) throws {
    let superblock = try golden.superblock()
    let count = superblock.encodedByteCount
    #expect(count == 512)
    let block = [UInt8].block(of: 4096, filler: 0xa5) { superblock.encode(into: &$0) }
    #expect(try block[..<count] == golden.bytes()[..<count])
    #expect(block[count...].allSatisfy { $0 == 0xa5 })
  }

  @Test(arguments: GoldenSuperblock.all) func `is found at one place only`(
    golden: GoldenSuperblock
  ) throws {
    let bytes = try golden.bytes()
    for version in MDMetadataVersion.allCases where version != golden.version {
      #expect(throws: MDSuperblockError.self) {
        try MDSuperblock(
          decoding: bytes.rawBytes, version: version, memberSectors: golden.memberSectors)
      }
    }
  }

  @Test func `knows a journal, its tail and its array's members`() throws {
    let journal = try GoldenSuperblock.named("raid5-3-journal-unclean-3").superblock()
    #expect(journal.role == .journal)
    #expect(journal.journalTailSectors == 11816)
    #expect(journal.features == .journal)
    #expect(journal.dataSizeSectors < journal.sizeSectors)  // a journal may be smaller
  }

  @Test func `knows a replacement and a rebuild by their features`() throws {
    let replacing = try GoldenSuperblock.named("raid5-3-replacing-3").superblock()
    #expect(replacing.features.isSuperset(of: [.recoveryOffset, .replacement]))
    let rebuilding = try GoldenSuperblock.named("raid5-3-rebuilding-3").superblock()
    #expect(rebuilding.features == .recoveryOffset)
  }

  @Test func `knows both shapes of a reshape`() throws {
    let shrinking = try GoldenSuperblock.named("raid5-4to3-reshape-1").superblock()
    #expect(shrinking.slotCount == 3)
    #expect(shrinking.previousSlotCount == 4)
    #expect(shrinking.reshapesBackwards)
    let growing = try GoldenSuperblock.named("raid10-n2-4to5-reshape-4").superblock()
    #expect(growing.slotCount == 5)
    #expect(growing.previousSlotCount == 4)
    #expect(!growing.reshapesBackwards)
  }

  @Test func `finds the areas around the data`() throws {
    let log = try GoldenSuperblock.named("raid5-3-ppl-0").superblock()
    #expect(log.partialParityArea == 16..<2064)
    #expect(log.bitmapSector == nil)
    #expect(log.badBlockLogArea == 2064..<2072)
    #expect(log.superblockArea == 8..<16)
    let bitmap = try GoldenSuperblock.named("raid1-3-bitmap-2").superblock()
    #expect(bitmap.bitmapSector == 16)
    #expect(bitmap.freeSectors(from: 16, memberSectors: 49152) == 8)
    #expect(bitmap.freeSectors(from: 32, memberSectors: 49152) == 2048 - 32)
    #expect(bitmap.freeSectors(from: 3000, memberSectors: 49152) == 0)
    #expect(bitmap.freeSectors(from: 49152, memberSectors: 49152) == 0)
    let behind = try GoldenSuperblock.named("raid5-3-bitmap-v1.0-0").superblock()
    #expect(behind.bitmapSector.map { $0 < behind.superblockArea.lowerBound } == true)
    #expect(behind.freeSectors(from: behind.bitmapSector ?? 0, memberSectors: 49152) == 8)
  }
}
