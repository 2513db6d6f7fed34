/// The numbers of md's levels, as they are on disk.
package enum MDLevel {
  package static let multipath: Int32 = -4
  package static let faulty: Int32 = -5
  package static let linear: Int32 = -1
  package static let raid0: Int32 = 0
  package static let raid1: Int32 = 1
  package static let raid4: Int32 = 4
  package static let raid5: Int32 = 5
  package static let raid6: Int32 = 6
  package static let raid10: Int32 = 10
  /// `ftool`'s own: K data members and M parity members. The letters "ec".
  package static let erasureCoded: Int32 = 0x6563

  /// Levels that Linux has, or had.
  package static let linux: Set<Int32> = [
    linear, raid0, raid1, raid4, raid5, raid6, raid10, multipath, faulty,
  ]

  /// Levels whose stripes hold one chunk of every member, with parity among them.
  package static let withParity: Set<Int32> = [raid4, raid5, raid6, erasureCoded]

  /// Whether the chunk size means something to this level, so that zero would be an error.
  package static func needsChunk(_ level: Int32) -> Bool {
    withParity.contains(level) || level == raid0 || level == raid10
  }

  /// Whether the chunk size must be a power of two and a multiple of 4 KiB: the kernel's rule for
  /// raid4/5/6 and raid10. A raid0's may be any number of sectors.
  package static func needsRoundChunk(_ level: Int32) -> Bool {
    withParity.contains(level) || level == raid10
  }

  /// Whether `sizeSectors` counts: linear and raid0 use all of each member instead.
  package static func usesSize(_ level: Int32) -> Bool { level >= raid1 }
}
