/// The marks of Linux md: a92b4efc, where each version of its superblock stands.
enum MDSignature {
  private static let little: [UInt8] = [0xfc, 0x4e, 0x2b, 0xa9]
  private static let big: [UInt8] = [0xa9, 0x2b, 0x4e, 0xfc]

  static func find(in window: borrowing SignatureWindow, of byteCount: Int)
    -> [ContentSignature.Found]
  {
    var found: [ContentSignature.Found] = []
    // Version 0.90: the last whole 64 KiB, in the byte order of the machine that made it.
    let old = byteCount / 65536 * 65536 - 65536
    if old >= 0, window.has(little, at: old) || window.has(big, at: old) {
      found.append(.init("md 0.90", at: old))
    }
    // Version 1.0: at least 8 KiB before the end, on 4 KiB; 1.1: at the start; 1.2: 4 KiB from there.
    let late = (byteCount / 512 - 16) / 8 * 8 * 512
    for (minor, offset) in [(0, late), (1, 0), (2, 4096)] where offset >= 0 {
      if window.has(little, at: offset), window.little(offset + 4, UInt32.self) == 1 {
        found.append(.init("md 1.\(minor)", at: offset))
      }
    }
    return found
  }
}
