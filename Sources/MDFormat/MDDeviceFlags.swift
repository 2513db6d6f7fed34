/// What was asked of one member (Linux: `devflags` of `struct mdp_superblock_1`).
package struct MDDeviceFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Read from it only when nothing else has the data.
  package static let writeMostly = MDDeviceFlags(rawValue: 1)
  /// Do not retry when it fails: drop it.
  package static let failFast = MDDeviceFlags(rawValue: 2)
}
