/// Where an md superblock lies, and of which shape it is.
///
/// The minor number of 1.x is not stored anywhere: it is known only from the place where the
/// superblock was found (Linux: `super_1_load` and `super_90_load` in drivers/md/md.c).
///
/// | version | superblock at sector (D: the member's sectors) | data |
/// | --- | --- | --- |
/// | 0.90 | (D rounded down to 128) - 128 | before it, from sector 0 |
/// | 1.0 | (D - 16) rounded down to 8 | before it |
/// | 1.1 | 0 | behind it |
/// | 1.2 | 8 | behind it |
package enum MDMetadataVersion: String, CaseIterable, Sendable {
  case v0_90 = "0.90"
  case v1_0 = "1.0"
  case v1_1 = "1.1"
  case v1_2 = "1.2"

  /// The order in which to look for a superblock on a member of unknown version.
  package static let searchOrder: [MDMetadataVersion] = [.v1_2, .v1_1, .v1_0, .v0_90]

  /// The bytes that a superblock's place has, all versions alike.
  package static let superblockByteCount = 4096

  /// The same in sectors of 512 bytes.
  package static let superblockSectors = 8

  /// The bytes that a superblock's place has.
  package var superblockByteCount: Int { Self.superblockByteCount }

  /// The sector at which the superblock of a member of `memberSectors` sectors begins; nil when the
  /// member is too small to have one (mdadm wants 24 sectors, and 0.90 its reserved 64 KiB).
  package func superblockSector(memberSectors: Int) -> Int? {
    switch self {
    case .v0_90: memberSectors < 256 ? nil : (memberSectors & ~127) - 128
    case .v1_0: memberSectors < 24 ? nil : (memberSectors - 16) & ~7
    case .v1_1: memberSectors < 24 ? nil : 0
    case .v1_2: memberSectors < 24 ? nil : 8
    }
  }

  /// Whether the superblock lies behind the data, so that the end of the member is not free.
  package var isBehindData: Bool { self == .v0_90 || self == .v1_0 }
}
