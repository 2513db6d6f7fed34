import BinaryCodec
import MDFormat
import Testing

/// Superblocks of version 0.90, which are only read.
@Suite struct MDSuperblockLegacyTests {
  private let sectors = 49152

  private func decode(_ block: [UInt8]) throws -> MDSuperblock {
    try MDSuperblock(decoding: block.rawBytes, version: .v0_90, memberSectors: sectors)
  }

  /// A golden block with words changed, by index, and a right checksum.
  private func changed(
    _ words: [Int: UInt32], of name: String = "raid4-3-v0.90-2"
  ) throws -> [UInt8] {
    var block = try GoldenSuperblock.named(name).bytes()
    block.withMutableRawBytes { span in
      for (index, word) in words { span.store(word, at: 4 * index) }
    }
    return Checksum.legacyCorrected(block)
  }

  @Test func `reads what mdadm --examine shows`() throws {
    let superblock = try GoldenSuperblock.named("raid4-3-v0.90-2").superblock()
    let legacy = try #require(superblock.legacy)
    #expect(superblock.arrayID.description == "87fa6f38:008bfffa:c7ad30ec:0049739e")
    #expect(superblock.level == 4)
    #expect(superblock.sizeSectors == 2 * 24512)
    #expect(superblock.chunkSectors == 128)
    #expect(superblock.dataSizeSectors == 49024)
    #expect(superblock.isClean)
    #expect(superblock.events == 22)
    #expect(legacy.minorVersion == 90 && legacy.patchVersion == 0)
    #expect(legacy.preferredMinor == 0)
    #expect(legacy.deviceCount == 3)
    #expect(legacy.activeCount == 3 && legacy.workingCount == 3)
    #expect(legacy.failedCount == 0 && legacy.spareCount == 0)
    #expect(legacy.checksum == 0xcfab_9cc8)
    #expect(legacy.thisDevice == legacy.devices[2])
    #expect(legacy.devices.count == 27)
    #expect(legacy.devices[1].major == 98 && legacy.devices[1].minor == 16)
    #expect(legacy.devices[1].state == [.active, .inSync])
    #expect(legacy.devices[3].isEmpty)
    #expect(superblock.roles.prefix(4) == [0, 1, 2, 0xffff])
  }

  @Test func `knows an internal bitmap and its identifier`() throws {
    let superblock = try GoldenSuperblock.named("raid1-2-bitmap-v0.90-1").superblock()
    #expect(superblock.features == .bitmap)
    #expect(superblock.bitmapSector == 49024 + 8)
    #expect(superblock.freeSectors(from: 49032, memberSectors: sectors) == 120)
    let block = try Fixture.bytes("bitmap-raid1-2-bitmap-v0.90-1")
    let bitmap = try MDBitmapHeader(decoding: block.rawBytes)
    #expect(bitmap.arrayID == superblock.bitmapArrayID)
    #expect(bitmap.arrayID != superblock.arrayID)
  }

  /// A bit of each byte in a debug build, where adding 1024 words takes its time; all otherwise.
  @Test func `detects flipped bits everywhere`() throws {
    let block = try GoldenSuperblock.named("raid4-3-v0.90-2").bytes()
    for bit in 0..<8 * 4096 where !_isDebugAssertConfiguration() || bit / 8 % 8 == bit % 8 {
      let flipped = block.flipping(bit: bit)
      #expect(throws: MDSuperblockError.self) { try decode(flipped) }
    }
  }

  @Test func `takes a checksum that was folded to 16 bits`() throws {
    var block = try GoldenSuperblock.named("raid4-3-v0.90-2").bytes()
    let sum: UInt32 = block.rawBytes.integer(at: 152)
    let once = (sum & 0xffff) + sum >> 16
    block.withMutableRawBytes { $0.store((once & 0xffff) + once >> 16, at: 152) }
    #expect(try decode(block).slotCount == 3)
  }

  @Test func `names the other order of bytes`() throws {
    let block = try GoldenSuperblock.named("raid4-3-v0.90-2").bytes()
    let turned = stride(from: 0, to: 4096, by: 4).flatMap { block[$0..<$0 + 4].reversed() }
    #expect(throws: MDSuperblockError.bigEndian) { try decode(turned) }
  }

  @Test func `refuses other versions`() throws {
    #expect(throws: MDSuperblockError.unsupportedVersion(major: 0, minor: 92)) {
      try decode(changed([2: 92]))
    }
    #expect(throws: MDSuperblockError.unsupportedVersion(major: 1, minor: 90)) {
      try decode(changed([1: 1]))
    }
  }

  @Test func `is dirty from the start, or from the checkpoint if that is current`() throws {
    #expect(try decode(changed([33: 0, 41: 0, 43: 777])).resyncOffsetSectors == 0)
    #expect(try decode(changed([33: 0, 41: 22, 43: 777])).resyncOffsetSectors == 777)
    #expect(try decode(changed([33: 0, 41: 22, 42: 1, 43: 777])).resyncOffsetSectors == 0)
  }

  @Test func `turns device states into roles`() throws {
    // Device 1 failed, device 2 (this one) in sync at slot 1, device 3 a spare.
    let device = 128 + 32
    let words: [Int: UInt32] = [
      device + 4: 1, device + 32 + 3: 1, device + 32 + 4: 6, device + 64 + 4: 0,
    ]
    let superblock = try decode(changed(words))
    #expect(superblock.roles.prefix(4) == [0, 0xfffe, 1, 0xffff])
    #expect(superblock.role == .slot(1))
    let active = try decode(changed([device + 32 + 4: 2]))
    #expect(active.role == .spare)  // not in sync, and nothing that would bring it in
  }

  @Test func `takes the member's flags from the table`() throws {
    let superblock = try decode(changed([128 + 64 + 4: 6 | 1 << 9 | 1 << 10]))
    #expect(superblock.deviceFlags == [.writeMostly, .failFast])
  }

  @Test func `reads a reshape`() throws {
    let superblock = try decode(
      changed([2: 91, 44: 8000, 45: 1, 46: 4, 47: 1, 48: 0, 49: 32768, 128 + 64 + 4: 2]))
    #expect(superblock.isReshaping)
    #expect(superblock.previousSlotCount == 2)
    #expect(superblock.reshape.positionSectors == 1 << 32 + 8000)
    #expect(superblock.reshape.newChunkSectors == 64)
    #expect(superblock.features.contains(.recoveryOffset))  // it joins by the reshape
    #expect(superblock.role == .slot(2))
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    var words: [Int: UInt32]
    var error: MDSuperblockError
    var testDescription: String { "\(words): \(error)" }
  }

  @Test(arguments: [
    Fault(words: [10: 0], error: .invalid(field: .slotCount)),
    Fault(words: [10: 28], error: .invalid(field: .slotCount)),
    Fault(words: [10: .max], error: .invalid(field: .slotCount)),
    Fault(words: [65: 513], error: .invalid(field: .chunkSectors)),
    Fault(words: [65: 0], error: .invalid(field: .chunkSectors)),
    Fault(words: [7: 99], error: .unsupportedLevel(99)),
    Fault(words: [8: .max], error: .invalid(field: .sizeSectors)),
    Fault(words: [992: 27], error: .invalid(field: .deviceNumber)),
    Fault(words: [992: .max], error: .invalid(field: .deviceNumber)),
    Fault(words: [128 + 3: 3], error: .invalid(field: .role)),
    Fault(words: [128 + 3: .max], error: .invalid(field: .role)),
  ]) func `refuses numbers that make no sense`(fault: Fault) throws {
    let block = try changed(fault.words)
    #expect(throws: fault.error) { try decode(block) }
  }
}
