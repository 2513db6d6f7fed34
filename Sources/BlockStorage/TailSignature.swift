/// Marks at the end of a device.
enum TailSignature {
  static func find(
    in window: borrowing SignatureWindow, of byteCount: Int
  ) -> [ContentSignature.Found] {
    var found: [ContentSignature.Found] = []
    for sector in [512, 4096] where byteCount >= 3 * sector {
      let offset = (byteCount / sector - 1) * sector
      if window.has("EFI PART", at: offset) { found.append(.init("GPT backup", at: offset)) }
    }
    // RAID of firmware: Intel's in the last sector but one, SNIA's DDF in the last, either byte order.
    let last = byteCount / 512 * 512
    if window.has("Intel Raid ISM Cfg Sig. ", at: last - 1024) {
      found.append(.init("Intel RAID", at: last - 1024))
    }
    if window.has([0xde, 0x11, 0xde, 0x11], at: last - 512)
      || window.has([0x11, 0xde, 0x11, 0xde], at: last - 512)
    {
      found.append(.init("DDF RAID", at: last - 512))
    }
    // ZFS keeps two of its four labels here, each of 256 KiB, on a multiple of that.
    let labels = byteCount / (256 << 10) * (256 << 10)
    for label in [labels - (512 << 10), labels - (256 << 10)] {
      if let offset = ZFSSignature.uberblock(in: window, label: label) {
        found.append(.init("ZFS", at: offset))
      }
    }
    return found
  }
}

/// Uberblocks of ZFS: a ring of them fills the second half of a label.
enum ZFSSignature {
  private static let little: [UInt8] = [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]
  private static let big: [UInt8] = [0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c]

  /// Where the label's first uberblock lies.
  static func uberblock(in window: borrowing SignatureWindow, label: Int) -> Int? {
    if label < 0 { return nil }
    var offset = label + (128 << 10)
    while offset < label + (256 << 10) {
      if window.has(little, at: offset) || window.has(big, at: offset) { return offset }
      offset += 1024
    }
    return nil
  }
}
