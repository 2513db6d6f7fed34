import BinaryCodec
import MDFormat
import Testing

@Suite struct MDSuperblockTests {
  private let sectors = MDSuperblock.arbitraryMemberSectors

  private func decode(_ block: [UInt8], _ version: MDMetadataVersion = .v1_2) throws
    -> MDSuperblock
  {
    try MDSuperblock(decoding: block.rawBytes, version: version, memberSectors: sectors)
  }

  private func encoded(_ superblock: MDSuperblock) -> [UInt8] {
    .block(of: 4096) { superblock.encode(into: &$0) }
  }

  /// A sound raid5 of three, on a member of `sectors`.
  private func raid5() -> MDSuperblock {
    var superblock = MDSuperblock(
      version: .v1_2, arrayID: Identifier("00112233445566778899aabbccddeeff")!,
      level: MDLevel.raid5, layout: 2, chunkSectors: 128, slotCount: 3)
    superblock.name = "host:name"
    superblock.superOffsetSectors = 8
    superblock.dataOffsetSectors = 2048
    superblock.dataSizeSectors = 100_000
    superblock.sizeSectors = 99_968
    superblock.roles.replaceSubrange(0..<3, with: [0, 1, 2])
    superblock.deviceNumber = 1
    return superblock
  }

  @Test(arguments: 0..<UInt64(200)) func `decodes what it encoded`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let superblock = MDSuperblock.arbitrary(using: &random)
    let decoded = try decode(encoded(superblock), superblock.version)
    #expect(decoded == superblock)
    #expect(encoded(decoded) == encoded(superblock))
  }

  @Test(arguments: GoldenSuperblock.version1.prefix(6)) func `detects every flipped bit`(
    golden: GoldenSuperblock
  ) throws {
    let bytes = try golden.bytes()
    for bit in 0..<8 * 512 {
      #expect(throws: MDSuperblockError.self) {
        let flipped = bytes.flipping(bit: bit)
        return try MDSuperblock(
          decoding: flipped.rawBytes, version: golden.version,
          memberSectors: golden.memberSectors)
      }
    }
  }

  @Test func `does not look at bytes behind the roles`() throws {
    let superblock = raid5()
    let block = [UInt8].block(of: 4096, filler: 0xc3) { superblock.encode(into: &$0) }
    #expect(try decode(block) == superblock)
    #expect(block[512...].allSatisfy { $0 == 0xc3 })
  }

  @Test(arguments: MDMetadataVersion.allCases) func `refuses every cut`(
    version: MDMetadataVersion
  ) throws {
    let block = encoded(raid5())
    for count in [0, 1, 3, 4, 255, 256, 511, 512, 4095] {
      #expect(throws: MDSuperblockError.truncated(byteCount: count)) {
        try decode([UInt8](block[..<count]), version)
      }
    }
  }

  @Test func `says when there is none`() {
    #expect(throws: MDSuperblockError.absent) { try decode([UInt8](repeating: 0, count: 4096)) }
    #expect(throws: MDSuperblockError.absent) { try decode([UInt8](repeating: 0xff, count: 4096)) }
    let block = encoded(raid5())
    #expect(throws: MDSuperblockError.absent) {
      try MDSuperblock(decoding: block.rawBytes, version: .v1_2, memberSectors: 23)
    }
  }

  @Test func `says that a copy is at the wrong place`() {
    let block = encoded(raid5())
    #expect(throws: MDSuperblockError.wrongPlace(statedSector: 8, foundSector: 0)) {
      try decode(block, .v1_1)
    }
    #expect(throws: MDSuperblockError.wrongPlace(statedSector: 8, foundSector: 1_048_560)) {
      try decode(block, .v1_0)
    }
  }

  @Test func `says which checksum it found and which it wanted`() throws {
    var block = encoded(raid5())
    let stored: UInt32 = block.rawBytes.integer(at: 216)
    block[100] = 1
    #expect(throws: MDSuperblockError.damaged(stored: stored, computed: stored + 1)) {
      try decode(block)
    }
  }

  @Test func `refuses other versions by number`() {
    var block = encoded(raid5())
    block[4] = 2
    #expect(throws: MDSuperblockError.unsupportedVersion(major: 2, minor: 0)) {
      try decode(block)
    }
  }

  @Test(arguments: (0..<32).map { UInt32(1) << $0 }) func `refuses each unknown feature`(
    bit: UInt32
  ) {
    guard !MDFeatures.known.contains(MDFeatures(rawValue: bit)) else { return }
    var superblock = raid5()
    superblock.features = MDFeatures(rawValue: bit)
    #expect(throws: MDSuperblockError.unsupportedFeatures(bit)) {
      try decode(encoded(superblock))
    }
  }

  @Test(arguments: [-6, -3, -2, 2, 3, 7, 11, 25955, .max, .min] as [Int32])
  func `refuses each unknown level`(level: Int32) {
    var superblock = raid5()
    superblock.level = level
    #expect(throws: MDSuperblockError.unsupportedLevel(level)) { try decode(encoded(superblock)) }
  }

  @Test func `takes an erasure-coded array with both its marks`() throws {
    var superblock = raid5()
    superblock.level = 25955
    superblock.features = MDFeatures(rawValue: 0x4000_0000)
    superblock.layout = 2
    let decoded = try decode(encoded(superblock))
    #expect(decoded.isErasureCoded)
    #expect(decoded.erasureParityCount == 2)
    superblock.level = MDLevel.raid5
    #expect(throws: MDSuperblockError.invalid(field: .features)) {
      try decode(encoded(superblock))
    }
  }

  @Test(arguments: [0, 3, 7, 255] as [UInt32]) func `refuses parity that leaves no data`(
    layout: UInt32
  ) {
    var superblock = raid5()
    superblock.level = MDLevel.erasureCoded
    superblock.features = .erasureCoded
    superblock.layout = layout
    #expect(throws: MDSuperblockError.invalid(field: .layout)) { try decode(encoded(superblock)) }
  }

  struct Fault: CustomTestStringConvertible, Sendable {
    var field: MDSuperblockError.Field
    var change: @Sendable (inout MDSuperblock) -> Void
    var testDescription: String { field.rawValue }

    init(
      _ field: MDSuperblockError.Field, _ change: @escaping @Sendable (inout MDSuperblock) -> Void
    ) {
      self.field = field
      self.change = change
    }
  }

  static let faults: [Fault] = [
    Fault(.slotCount) { $0.slotCount = 0 },
    Fault(.slotCount) { $0.slotCount = 1921 },
    Fault(.slotCount) { $0.slotCount = Int(UInt32.max) },
    Fault(.chunkSectors) { $0.chunkSectors = 0 },
    Fault(.chunkSectors) { $0.chunkSectors = 4 },
    Fault(.chunkSectors) { $0.chunkSectors = 24 },
    Fault(.chunkSectors) { ($0.level, $0.chunkSectors) = (0, 0) },
    Fault(.sizeSectors) { $0.sizeSectors = 0 },
    Fault(.sizeSectors) { $0.sizeSectors = 100_001 },
    Fault(.sizeSectors) { $0.sizeSectors = .max },
    Fault(.sizeSectors) { ($0.deviceNumber, $0.sizeSectors) = (5, .max) },  // a spare
    Fault(.dataOffset) { $0.dataOffsetSectors = 0 },
    Fault(.dataOffset) { $0.dataOffsetSectors = 8 },
    Fault(.dataOffset) { $0.dataOffsetSectors = .max },
    Fault(.dataSize) { $0.dataSizeSectors = 9 },
    Fault(.dataSize) { $0.dataSizeSectors = 1 << 55 },
    Fault(.dataSize) { $0.dataSizeSectors = .max },
    Fault(.role) { $0.roles[1] = 3 },
    Fault(.role) { $0.roles[127] = 0xff00 },
    Fault(.role) { $0.roles[1] = MDSuperblock.journal },
    Fault(.logicalBlockSize) { $0.logicalBlockSize = 1000 },
    Fault(.logicalBlockSize) { $0.logicalBlockSize = 1 << 31 },
    Fault(.features) { $0.features = [.bitmap, .partialParityLog] },
    Fault(.features) { $0.features = [.journal, .multiplePartialParityLogs] },
    Fault(.bitmapOffset) { ($0.features, $0.bitmapOffsetSectors) = (.bitmap, 0) },
    Fault(.bitmapOffset) { ($0.features, $0.bitmapOffsetSectors) = (.bitmap, 2040) },
    Fault(.bitmapOffset) { ($0.features, $0.bitmapOffsetSectors) = (.bitmap, -9) },
    Fault(.bitmapOffset) { ($0.features, $0.bitmapOffsetSectors) = (.bitmap, .max) },
    Fault(.bitmapOffset) { ($0.features, $0.bitmapOffsetSectors) = (.bitmap, .min) },
    Fault(.partialParityLog) {
      $0.features = .partialParityLog
      $0.partialParityOffsetSectors = 8
      $0.partialParitySectors = 8
    },
    Fault(.partialParityLog) {
      $0.features = .partialParityLog
      $0.partialParityOffsetSectors = 8
      $0.partialParitySectors = 2033
    },
    Fault(.badBlockLog) { $0.features = .badBlocks },
    Fault(.badBlockLog) {
      $0.features = .badBlocks
      $0.badBlockLog = .init(sizeSectors: 9, offsetSectors: 16)
    },
    Fault(.badBlockLog) {
      $0.features = .badBlocks
      $0.badBlockLog = .init(sizeSectors: 8, offsetSectors: -8)
      $0.version = .v1_2
      $0.badBlockLog.offsetSectors = .min
    },
    Fault(.deltaSlots) {
      $0.features = .reshape
      $0.reshape = MDReshape(newLevel: 5, deltaSlots: 3, newChunkSectors: 128)
    },
    Fault(.deltaSlots) {
      $0.features = .reshape
      $0.reshape = MDReshape(newLevel: 5, deltaSlots: Int(Int32.min), newChunkSectors: 128)
    },
    Fault(.newLevel) {
      $0.features = .reshape
      $0.reshape = MDReshape(newLevel: 7, newChunkSectors: 128)
    },
    Fault(.newChunkSectors) {
      $0.features = .reshape
      $0.reshape = MDReshape(newLevel: 5, newChunkSectors: 3)
    },
    Fault(.newOffset) {
      $0.features = [.reshape, .newOffset]
      $0.reshape = MDReshape(newLevel: 5, newChunkSectors: 128, newOffsetSectors: -2048)
    },
  ]

  @Test(arguments: faults) func `refuses numbers that make no sense`(fault: Fault) {
    var superblock = raid5()
    fault.change(&superblock)
    #expect(throws: MDSuperblockError.invalid(field: fault.field)) {
      try decode(encoded(superblock))
    }
  }

  @Test func `tells a member that is cut short from one that makes no sense`() {
    var superblock = raid5()
    superblock.dataSizeSectors = 1 << 20
    #expect(
      throws: MDSuperblockError.cutShort(
        arrayID: superblock.arrayID, sectors: 1 << 20,
        neededSectors: Int(superblock.dataOffsetSectors) + (1 << 20))
    ) {
      try decode(encoded(superblock))
    }
  }

  @Test func `refuses what the kernel keeps zero`() {
    #expect(throws: MDSuperblockError.invalid(field: .reservedWord)) {
      try decode(Checksum.corrected(encoded(raid5()).flipping(bit: 12 * 8)))
    }
    #expect(throws: MDSuperblockError.invalid(field: .reservedBytes)) {
      try decode(Checksum.corrected(encoded(raid5()).flipping(bit: 255 * 8)))
    }
    var block = encoded(raid5())
    block.withMutableRawBytes { $0.store(1921 as UInt32, at: 220) }
    #expect(throws: MDSuperblockError.invalid(field: .maxDevices)) { try decode(block) }
  }

  @Test func `takes what looks odd and is right`() throws {
    var superblock = raid5()
    superblock.deviceNumber = 500  // beyond the table
    #expect(try decode(encoded(superblock)).role == .spare)
    superblock = raid5()
    superblock.roles = []
    #expect(try decode(encoded(superblock)).role == .spare)
    superblock = raid5()
    superblock.roles[1] = MDSuperblock.journal
    superblock.features = .journal
    superblock.dataSizeSectors = 500  // smaller than the members' size
    #expect(try decode(encoded(superblock)).role == .journal)
    superblock = raid5()
    superblock.bitmapOffsetSectors = 2
    superblock.features = .bitmap  // where early versions of mdadm put it
    #expect(try decode(encoded(superblock)).bitmapSector == 10)
    superblock.bitmapOffsetSectors = 2040 + 99_968  // behind what is used of the data
    #expect(try decode(encoded(superblock)).bitmapSector == 2048 + 99_968)
    superblock = raid5()
    superblock.level = MDLevel.raid0
    superblock.chunkSectors = 24
    superblock.sizeSectors = 0
    #expect(try decode(encoded(superblock)).chunkSectors == 24)
  }
}
