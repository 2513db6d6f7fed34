import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import BlockStorage

@Suite struct ContentSignatureTests {
  struct Mark: Sendable, CustomTestStringConvertible {
    let kind: String
    let offset: Int
    /// What stands where.
    let bytes: [Int: [UInt8]]
    let byteCount: Int?

    init(_ kind: String, at offset: Int, _ bytes: [Int: [UInt8]], byteCount: Int? = nil) {
      self.kind = kind
      self.offset = offset
      self.bytes = bytes
      self.byteCount = byteCount
    }

    var testDescription: String { "\(kind) at \(offset)" }
  }

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
  private static let size = 2 << 20

  @Test(arguments: [
    Mark("XFS", at: 0, [0: text("XFSB"), 4: [0, 0, 0x10, 0], 14: [1, 0]], byteCount: 1 << 20),
    Mark(
      "Btrfs", at: 65600, [65600: text("_BHRfS_M"), 65536 + 209: [0, 0, 0, 1]], byteCount: 1 << 24),
    Mark("SquashFS", at: 0, [0: text("hsqs"), 40: [0, 0x10]], byteCount: 4096),
    Mark(
      "F2FS", at: 1024, [1024: [0x10, 0x20, 0xf5, 0xf2], 1040: [12], 1060: [0, 1]],
      byteCount: 1 << 20),
    Mark(
      "EROFS", at: 1024, [1024: [0xe2, 0xe1, 0xf5, 0xe0], 1036: [12], 1060: [16]],
      byteCount: 1 << 16),
    Mark(
      "HFS+", at: 1024, [1024: [0x48, 0x2b, 0, 4], 1066: [0x10, 0], 1071: [16]], byteCount: 1 << 16),
    Mark("APFS", at: 32, [32: text("NXSB"), 36: [0, 0x10], 40: [16]], byteCount: 1 << 16),
    Mark(
      "NTFS", at: 3, [3: text("NTFS    "), 11: [0, 2], 40: [0xff, 0x0f]], byteCount: 4096 * 512),
    Mark("exFAT", at: 3, [3: text("EXFAT   "), 72: [0, 1], 108: [9]], byteCount: 256 * 512),
    Mark("BitLocker", at: 3, [3: text("-FVE-FS-")]),
    Mark(
      "FAT", at: 82,
      [11: [0, 2, 8], 16: [2], 32: [0, 0x10], 82: text("FAT32   "), 510: [0x55, 0xaa]],
      byteCount: 4096 * 512),
    Mark(
      "FAT", at: 54,
      [11: [0, 2, 1], 16: [2], 19: [0x40, 0x0b], 54: text("FAT12   "), 510: [0x55, 0xaa]],
      byteCount: 1_474_560),
    Mark(
      "ISO 9660", at: 32769, [32769: text("CD001"), 32848: [100], 32896: [0, 8]], byteCount: 204_800
    ),
    Mark("UDF", at: 34817, [34817: text("NSR02")]),
    Mark("LUKS", at: 0, [0: text("LUKS") + [0xba, 0xbe]]),
    Mark("LUKS", at: 16384, [16384: text("SKUL") + [0xba, 0xbe]]),
    Mark(
      "LVM2 physical volume", at: 512,
      [512: text("LABELONE"), 532: [32], 536: text("LVM2 001"), 512 + 64: [0, 0, 0x20]],
      byteCount: 2 << 20),
    Mark("swap", at: 4086, [4086: text("SWAPSPACE2"), 1028: [9]], byteCount: 40960),
    Mark("swap", at: 4086, [4086: text("SWAP-SPACE")]),
    Mark(
      "bcache", at: 4120,
      [
        4120: [
          0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d,
          0x81,
        ]
      ]),
    Mark("ZFS", at: 131_072 + 4096, [131_072 + 4096: [0x0c, 0xb1, 0xba]]),
    Mark("ZFS", at: size - (128 << 10), [size - (128 << 10): [0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c]]),
    Mark("md 0.90", at: size - 65536, [size - 65536: [0xfc, 0x4e, 0x2b, 0xa9]]),
    Mark("md 0.90", at: size - 65536, [size - 65536: [0xa9, 0x2b, 0x4e, 0xfc]]),
    Mark("md 1.0", at: size - 8192, [size - 8192: [0xfc, 0x4e, 0x2b, 0xa9, 1]]),
    Mark("md 1.1", at: 0, [0: [0xfc, 0x4e, 0x2b, 0xa9, 1]]),
    Mark("md 1.2", at: 4096, [4096: [0xfc, 0x4e, 0x2b, 0xa9, 1]]),
    Mark("Intel RAID", at: size - 1024, [size - 1024: text("Intel Raid ISM Cfg Sig. 1.1")]),
    Mark("DDF RAID", at: size - 512, [size - 512: [0xde, 0x11, 0xde, 0x11]]),
    Mark("GPT", at: 512, [512: text("EFI PART"), 544: [0xff, 0x0f]], byteCount: size),
    Mark("GPT backup", at: size - 512, [size - 512: text("EFI PART")]),
    Mark("MBR", at: 510, [450: [0x83], 458: [1], 510: [0x55, 0xaa]]),
    Mark("qcow2 image", at: 0, [0: [0x51, 0x46, 0x49, 0xfb]]),
  ])
  func `knows the marks`(mark: Mark) throws {
    let device = MemoryDevice(byteCount: Self.size)
    for (offset, bytes) in mark.bytes { try device.write(bytes, at: offset) }
    #expect(
      try ContentSignature.find(on: device)
        == [.init(mark.kind, at: mark.offset, byteCount: mark.byteCount)])
  }

  @Test(.needs("mkfs.ext4"), arguments: ["ext2", "ext3", "ext4"])
  func `knows what mkfs makes, and its size`(kind: String) throws {
    let scratch = try Scratch()
    let path = try scratch.directory.sparseFile("fs", byteCount: 9_000_000)
    let outcome = try BuiltTool.run(
      program: Programs.require("mkfs.\(kind)"), ["-q", "-F", "-b", "1024", path, "8000"])
    #expect(outcome.status == 0)
    let device = try FileDevice.open(path, access: .readOnly)
    #expect(
      try ContentSignature.find(on: device) == [.init(kind, at: 1080, byteCount: 8000 * 1024)])
  }

  @Test(.needs("mkswap")) func `knows what mkswap makes`() throws {
    let scratch = try Scratch()
    let path = try scratch.directory.sparseFile("swap", byteCount: 1 << 20)
    #expect(try BuiltTool.run(program: Programs.require("mkswap"), [path]).status == 0)
    let device = try FileDevice.open(path, access: .readOnly)
    #expect(try ContentSignature.find(on: device) == [.init("swap", at: 4086, byteCount: 1 << 20)])
  }

  @Test(arguments: [0, 1, 511, 512, 1024, 4096, 65_536, 131_072, 300_000])
  func `an empty device holds nothing`(byteCount: Int) throws {
    #expect(try ContentSignature.find(on: MemoryDevice(byteCount: byteCount)) == [])
  }

  @Test func `several marks are told in order, each once`() throws {
    let device = MemoryDevice(byteCount: 131_072)
    try device.write([0xfc, 0x4e, 0x2b, 0xa9, 1], at: 4096)
    try device.write(Array("hsqs".utf8), at: 0)
    try device.write(Array("EFI PART".utf8), at: 131_072 - 512)
    #expect(
      try ContentSignature.find(on: device).map(\.kind) == ["SquashFS", "md 1.2", "GPT backup"])
  }

  @Test func `an unreadable stretch hides only itself`() throws {
    let memory = MemoryDevice(byteCount: Self.size)
    try memory.write(Array("EFI PART".utf8), at: Self.size - 512)
    try memory.write(Array("hsqs".utf8), at: 0)
    let error = DeviceError.unreadable(offset: 0, errno: .ioError)
    let device = FaultyDevice(
      memory, plan: [.init(.touching(100_000..<100_001, by: .read), .fail(error))])
    #expect(try ContentSignature.find(on: device).map(\.kind) == ["SquashFS", "GPT backup"])
    let dead = FaultyDevice(memory, plan: [.init(.fromOperation(0, of: .read), .fail(error))])
    #expect(throws: error) { try ContentSignature.find(on: dead) }
  }

  /// Marks with any numbers beside them crash nobody and promise no size that is none.
  @Test(arguments: 0..<UInt64(100)) func `survives any header`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let device = MemoryDevice(random.bytes(300_000))
    for (offset, mark) in [
      (0, "XFSB"), (0, "hsqs"), (3, "NTFS    "), (3, "EXFAT   "), (32769, "CD001"),
      (512, "EFI PART"),
      (65600, "_BHRfS_M"), (4086, "SWAPSPACE2"), (32, "NXSB"),
    ] where Bool.random(using: &random) {
      try device.write(Array(mark.utf8), at: offset)
    }
    if Bool.random(using: &random) {
      try device.write(Array("LABELONE".utf8), at: 0)
      try device.write(Array("LVM2 001".utf8), at: 24)
    }
    if Bool.random(using: &random) { try device.write([0x53, 0xef], at: 1080) }
    for found in try ContentSignature.find(on: device) { #expect(found.byteCount ?? 0 >= 0) }
  }
}
