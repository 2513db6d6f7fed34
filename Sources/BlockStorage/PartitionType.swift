/// Names for what partition tables say their partitions are for.
enum PartitionType {
  /// The kind in a slot of an MBR.
  static func name(ofByte byte: UInt8) -> String {
    switch byte {
    case 0x01: "FAT12"
    case 0x04, 0x06, 0x0e: "FAT16"
    case 0x05, 0x0f, 0x85: "extended"
    case 0x07: "NTFS or exFAT"
    case 0x0b, 0x0c: "FAT32"
    case 0x27: "Windows recovery"
    case 0x42: "Windows dynamic disk"
    case 0x82: "Linux swap"
    case 0x83: "Linux"
    case 0x8e: "Linux LVM"
    case 0xa5: "FreeBSD"
    case 0xa6: "OpenBSD"
    case 0xa8: "macOS"
    case 0xa9: "NetBSD"
    case 0xaf: "HFS+"
    case 0xbf: "Solaris"
    case 0xda: "non-filesystem data"
    case 0xee: "GPT protective"
    case 0xef: "EFI system"
    case 0xfb: "VMware VMFS"
    case 0xfd: "Linux RAID"
    default: "0x" + hex(byte).lowercased()
    }
  }

  /// The kind in a GPT, from the sixteen bytes as they lie on the disk.
  static func name(ofGUID bytes: [UInt8]) -> String {
    let text = guid(bytes)
    return names[text] ?? text
  }

  /// The first three groups of a GUID lie with their last byte first.
  private static func guid(_ bytes: [UInt8]) -> String {
    let groups = [[3, 2, 1, 0], [5, 4], [7, 6], [8, 9], [10, 11, 12, 13, 14, 15]]
    return groups.map { $0.map { hex(bytes[$0]) }.joined() }.joined(separator: "-")
  }

  private static func hex(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }

  private static let names = [
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI system",
    "21686148-6449-6E6F-744E-656564454649": "BIOS boot",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux",
    "A19D880F-05FC-4D3B-A006-743F0F84911E": "Linux RAID",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "Linux swap",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": "Linux LVM",
    "933AC7E1-2EB4-4F13-B844-0E14E2AEF915": "Linux home",
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709": "Linux root (x86-64)",
    "B921B045-1DF0-41C3-AF44-4C6F280D3FAE": "Linux root (ARM64)",
    "3B8F8425-20E0-4F3B-907F-1A25A76F98E8": "Linux server data",
    "BC13C2FF-59E6-4262-A352-B275FD6F7172": "Linux extended boot",
    "CA7D7CCB-63ED-4C53-861C-1742536059CC": "Linux LUKS",
    "8DA63339-0007-60C0-C436-083AC8230908": "Linux reserved",
    "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "Microsoft basic data",
    "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": "Microsoft reserved",
    "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC": "Windows recovery",
    "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3": "Windows dynamic disk metadata",
    "AF9B60A0-1431-4F62-BC68-3311714A69AD": "Windows dynamic disk",
    "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D": "Windows storage spaces",
    "48465300-0000-11AA-AA11-00306543ECAC": "HFS+",
    "7C3457EF-0000-11AA-AA11-00306543ECAC": "APFS",
    "516E7CB6-6ECF-11D6-8FF8-00022D09712B": "FreeBSD UFS",
    "516E7CBA-6ECF-11D6-8FF8-00022D09712B": "FreeBSD ZFS",
    "6A898CC3-1DD2-11B2-99A6-080020736631": "ZFS",
  ]
}
