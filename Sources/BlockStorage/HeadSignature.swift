/// Marks at the start of a device: filesystems, volume managers, encryption, partition tables, images.
enum HeadSignature {
  typealias Found = ContentSignature.Found

  static func find(in window: borrowing SignatureWindow, of byteCount: Int) -> [Found] {
    var found: [Found] = []
    found += filesystems(window)
    found += microsoft(window)
    found += discs(window)
    found += volumes(window)
    found += tables(window)
    return found
  }

  // MARK: Filesystems of Unix

  private static func filesystems(_ window: borrowing SignatureWindow) -> [Found] {
    var found: [Found] = []
    if window.has([0x53, 0xef], at: 1024 + 56) { found.append(ext(window)) }
    if window.has("XFSB", at: 0) {
      let size = product(window.big(8, UInt64.self), window.big(4, UInt32.self))
      found.append(Found("XFS", at: 0, byteCount: size))
    }
    if window.has("_BHRfS_M", at: 65536 + 64) {
      // The total of this device, not of the filesystem, which may have several.
      found.append(Found("Btrfs", at: 65600, byteCount: window.little(65536 + 209, UInt64.self)))
    }
    if window.has([0x10, 0x20, 0xf5, 0xf2], at: 1024) {
      let blocks = window.little(1024 + 36, UInt64.self)
      let size = shifted(blocks, by: window.little(1024 + 16, UInt32.self))
      found.append(Found("F2FS", at: 1024, byteCount: size))
    }
    if window.has([0xe2, 0xe1, 0xf5, 0xe0], at: 1024) {
      let blocks = window.little(1024 + 36, UInt32.self)
      let size = shifted(blocks, by: window.little(1024 + 12, UInt8.self))
      found.append(Found("EROFS", at: 1024, byteCount: size))
    }
    if window.has("hsqs", at: 0) {
      found.append(Found("SquashFS", at: 0, byteCount: window.little(40, UInt64.self)))
    }
    if window.has("H+\u{0}\u{4}", at: 1024) || window.has("HX\u{0}\u{5}", at: 1024) {
      let size = product(window.big(1024 + 44, UInt32.self), window.big(1024 + 40, UInt32.self))
      found.append(Found("HFS+", at: 1024, byteCount: size))
    }
    if window.has("NXSB", at: 32) {
      let size = product(window.little(40, UInt64.self), window.little(36, UInt32.self))
      found.append(Found("APFS", at: 32, byteCount: size))
    }
    return found
  }

  private static func ext(_ window: borrowing SignatureWindow) -> Found {
    let start = 1024
    let compatible = window.little(start + 92, UInt32.self) ?? 0
    let incompatible = window.little(start + 96, UInt32.self) ?? 0
    let readOnly = window.little(start + 100, UInt32.self) ?? 0
    var blocks = window.little(start + 4, UInt32.self)
    if incompatible & 0x80 != 0, let low = blocks,
      let high = window.little(start + 336, UInt32.self)
    {
      blocks = high < 1 << 30 ? high << 32 | low : nil
    }
    let exponent = window.little(start + 24, UInt32.self).map { min($0, 64) + 10 }
    // What only ext4 has: extents, 64 bits, flexible groups; huge files, checksums and such.
    let isFourth = incompatible & 0x2c0 != 0 || readOnly & 0x478 != 0
    let kind = isFourth ? "ext4" : compatible & 4 != 0 ? "ext3" : "ext2"
    return Found(kind, at: start + 56, byteCount: shifted(blocks, by: exponent))
  }

  // MARK: Filesystems of DOS and Windows

  private static func microsoft(_ window: borrowing SignatureWindow) -> [Found] {
    if window.has("NTFS    ", at: 3) {
      // The last sector, a copy of the first, is not counted.
      let sectors = window.little(40, UInt64.self).flatMap { $0 < Int.max ? $0 + 1 : nil }
      return [Found("NTFS", at: 3, byteCount: product(sectors, window.little(11, UInt16.self)))]
    }
    if window.has("EXFAT   ", at: 3) {
      let size = shifted(window.little(72, UInt64.self), by: window.little(108, UInt8.self))
      return [Found("exFAT", at: 3, byteCount: size)]
    }
    if window.has("-FVE-FS-", at: 3) { return [Found("BitLocker", at: 3)] }
    if window.has("ReFS\u{0}\u{0}\u{0}\u{0}", at: 3) {
      let size = product(window.little(24, UInt64.self), window.little(32, UInt32.self))
      return [Found("ReFS", at: 3, byteCount: size)]
    }
    return fat(window).map { [$0] } ?? []
  }

  private static func fat(_ window: borrowing SignatureWindow) -> Found? {
    let isLarge = window.has("FAT32   ", at: 82)
    guard window.has([0x55, 0xaa], at: 510),
      isLarge || window.has("FAT", at: 54),
      let sector = window.little(11, UInt16.self), [512, 1024, 2048, 4096].contains(sector),
      let cluster = window.little(13, UInt8.self), cluster.nonzeroBitCount == 1,
      let copies = window.little(16, UInt8.self), copies == 1 || copies == 2
    else { return nil }
    let few = window.little(19, UInt16.self) ?? 0
    let sectors = few != 0 ? few : window.little(32, UInt32.self)
    return Found("FAT", at: isLarge ? 82 : 54, byteCount: product(sectors, sector))
  }

  // MARK: Discs

  private static func discs(_ window: borrowing SignatureWindow) -> [Found] {
    var found: [Found] = []
    if window.has("CD001", at: 32769) {
      let size = product(
        window.little(32768 + 80, UInt32.self), window.little(32768 + 128, UInt16.self))
      found.append(Found("ISO 9660", at: 32769, byteCount: size))
    }
    for offset in stride(from: 32769, through: 32769 + 16 * 2048, by: 2048)
    where window.has("NSR02", at: offset) || window.has("NSR03", at: offset) {
      found.append(Found("UDF", at: offset))
      break
    }
    return found
  }

  // MARK: Volume managers, encryption, swap

  private static func volumes(_ window: borrowing SignatureWindow) -> [Found] {
    var found: [Found] = []
    for offset in [0, 16384] {  // LUKS2 keeps a second header, at 16 KiB at the least
      if window.has(luks, at: offset) || window.has(luksBackup, at: offset) {
        found.append(Found("LUKS", at: offset))
      }
    }
    for offset in [0, 512, 1024, 1536]
    where window.has("LABELONE", at: offset) && window.has("LVM2 001", at: offset + 24) {
      let header = window.little(offset + 20, UInt32.self).map { offset + $0 }
      let size = header.flatMap { window.little($0 + 32, UInt64.self) }
      found.append(Found("LVM2 physical volume", at: offset, byteCount: size))
    }
    for page in [4096, 8192, 16384, 65536] {
      if window.has("SWAPSPACE2", at: page - 10) {
        let last = window.little(1024 + 4, UInt32.self)
        found.append(Found("swap", at: page - 10, byteCount: product(last.map { $0 + 1 }, page)))
      } else if window.has("SWAP-SPACE", at: page - 10) {
        found.append(Found("swap", at: page - 10))
      }
    }
    if window.has(bcache, at: 4096 + 24) { found.append(Found("bcache", at: 4120)) }
    if window.has(bcachefs, at: 4096 + 24) { found.append(Found("bcachefs", at: 4120)) }
    if let offset = ZFSSignature.uberblock(in: window, label: 0) {
      found.append(Found("ZFS", at: offset))
    }
    if window.has([0x51, 0x46, 0x49, 0xfb], at: 0) {
      found.append(Found("qcow2 image", at: 0))
    }
    return found
  }

  private static let luks: [UInt8] = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]
  private static let luksBackup: [UInt8] = [0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe]
  private static let bcache: [UInt8] = [
    0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
  ]
  private static let bcachefs: [UInt8] = [
    0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
  ]

  // MARK: Partition tables

  private static func tables(_ window: borrowing SignatureWindow) -> [Found] {
    var found: [Found] = []
    for sector in [512, 4096] where window.has("EFI PART", at: sector) {
      // The backup stands in the disk's last sector.
      let sectors = window.little(sector + 32, UInt64.self).flatMap { $0 < Int.max ? $0 + 1 : nil }
      found.append(Found("GPT", at: sector, byteCount: product(sectors, sector)))
    }
    if hasRecord(window) { found.append(Found("MBR", at: 510)) }
    return found
  }

  /// A boot sector of a filesystem ends like one of a disk; only the four slots tell them apart.
  private static func hasRecord(_ window: borrowing SignatureWindow) -> Bool {
    guard window.has([0x55, 0xaa], at: 510), fat(window) == nil else { return false }
    var used = 0
    for slot in stride(from: 446, to: 510, by: 16) {
      guard let status = window.little(slot, UInt8.self), status & 0x7f == 0 else { return false }
      let count = window.little(slot + 12, UInt32.self) ?? 0
      if window.little(slot + 4, UInt8.self) != 0 && count > 0 { used += 1 }
    }
    return used > 0
  }

  // MARK: Arithmetic that does not believe its numbers

  private static func product(_ count: Int?, _ unit: Int?) -> Int? {
    guard let count, let unit, count > 0, unit > 0 else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow ? nil : product
  }

  private static func shifted(_ count: Int?, by exponent: Int?) -> Int? {
    guard let exponent, (0..<62).contains(exponent) else { return nil }
    return product(count, 1 << exponent)
  }
}
