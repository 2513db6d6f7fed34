import BinaryCodec
import MDFormat
import Testing

@Suite struct MDSuperblockMeaningTests {
  private var superblock = MDSuperblock(
    version: .v1_2, arrayID: .zero, level: MDLevel.raid1, slotCount: 2)

  @Test mutating func `keeps seconds and marker apart`() {
    superblock.updateSeconds = 0xff_ffff_ffff
    superblock.marker = 0xabcdef
    #expect(superblock.updateTime == 0xabcd_efff_ffff_ffff)
    superblock.updateSeconds = 5
    #expect(superblock.marker == 0xabcdef)
    superblock.marker = 0
    #expect(superblock.updateTime == 5)
  }

  @Test mutating func `splits the creation time`() {
    superblock.creationTime = 77 << 40 | 1_700_000_000
    #expect(superblock.creationSeconds == 1_700_000_000)
    #expect(superblock.creationMicroseconds == 77)
  }

  @Test mutating func `shares the bitmap's offset with the partial parity log`() {
    superblock.partialParityOffsetSectors = -3
    superblock.partialParitySectors = 0xfedc
    #expect(superblock.bitmapOffsetSectors == Int32(bitPattern: 0xfedc_fffd))
    #expect(superblock.partialParityOffsetSectors == -3)
    #expect(superblock.partialParitySectors == 0xfedc)
  }

  @Test mutating func `has names of up to 32 bytes`() {
    superblock.name = "host:name"
    #expect(superblock.name == "host:name")
    #expect(superblock.nameBytes.count == 32)
    superblock.name = String(repeating: "n", count: 32)
    #expect(superblock.name.count == 32)
    superblock.name = ""
    #expect(superblock.nameBytes == [UInt8](repeating: 0, count: 32))
    superblock.nameBytes[0] = 0xff
    #expect(superblock.name == "\u{fffd}")
  }

  @Test mutating func `is clean or dirty`() {
    #expect(superblock.isClean)
    superblock.isClean = false
    #expect(superblock.resyncOffsetSectors == 0)
    superblock.isClean = true
    #expect(superblock.resyncOffsetSectors == .max)
  }

  @Test mutating func `finds the new data offset only while it counts`() {
    superblock.dataOffsetSectors = 4096
    superblock.reshape.newOffsetSectors = -1024
    #expect(superblock.newDataOffsetSectors == 4096)
    superblock.features = [.reshape, .newOffset]
    #expect(superblock.newDataOffsetSectors == 3072)
  }

  @Test mutating func `goes backwards when shrinking or when told`() {
    superblock.reshape.deltaSlots = -1
    #expect(!superblock.reshapesBackwards)
    superblock.features = .reshape
    #expect(superblock.reshapesBackwards)
    superblock.reshape.deltaSlots = 0
    #expect(!superblock.reshapesBackwards)
    superblock.features = [.reshape, .reshapeBackwards]
    #expect(superblock.reshapesBackwards)
    superblock.reshape.deltaSlots = 1
    #expect(!superblock.reshapesBackwards)
  }
}
