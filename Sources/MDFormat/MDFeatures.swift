/// The superblock's `feature_map`: what a reader must understand before it may touch the array
/// (Linux: `MD_FEATURE_*` in include/uapi/linux/raid/md_p.h). The kernel works the word out anew at
/// every update and refuses bits that it does not know.
package struct MDFeatures: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `bitmapOffsetSectors` is valid: there is an internal write-intent bitmap.
  package static let bitmap = MDFeatures(rawValue: 1)
  /// `recoveryOffsetSectors` is valid: this member is being rebuilt.
  package static let recoveryOffset = MDFeatures(rawValue: 2)
  /// A reshape is running and the fields of `reshape` are valid.
  package static let reshape = MDFeatures(rawValue: 4)
  /// The bad block log is not empty.
  package static let badBlocks = MDFeatures(rawValue: 8)
  /// This member is the replacement for the member with the same role.
  package static let replacement = MDFeatures(rawValue: 16)
  /// The reshape runs from the end, although the number of slots stays.
  package static let reshapeBackwards = MDFeatures(rawValue: 32)
  /// `reshape.newOffsetSectors` is valid.
  package static let newOffset = MDFeatures(rawValue: 64)
  /// The rebuild of this member is guided by the bitmap.
  package static let recoveryBitmap = MDFeatures(rawValue: 128)
  /// The array is shared by the nodes of a cluster.
  package static let clustered = MDFeatures(rawValue: 256)
  /// One member is a journal (raid5-cache).
  package static let journal = MDFeatures(rawValue: 512)
  /// Each member has a partial parity log.
  package static let partialParityLog = MDFeatures(rawValue: 1024)
  /// Each member has a partial parity log with several logs in its space.
  package static let multiplePartialParityLogs = MDFeatures(rawValue: 2048)
  /// `layout` of a raid0 is valid.
  package static let raid0Layout = MDFeatures(rawValue: 4096)

  /// The array is one of `ftool`'s own, with K data and M parity members. No kernel knows this bit,
  /// which is its purpose: with an unknown feature, unlike with an unknown level, md leaves the
  /// members alone.
  package static let erasureCoded = MDFeatures(rawValue: 0x4000_0000)

  /// What was written last is in `ftool`'s own journal, and not all of it in its place: a kernel, which does
  /// not know the bit, must not use the members before that has been mended. Set while the array is written,
  /// and cleared at a clean close.
  package static let writeJournal = MDFeatures(rawValue: 0x2000_0000)

  /// Members that were out of date are being taken back: the others call them current already, while their own
  /// superblocks are still old. Set and cleared by the command that does so; a kernel must not use the members
  /// before it has ended.
  package static let takingBack = MDFeatures(rawValue: 0x1000_0000)

  /// All bits of Linux's, and ours.
  package static let known = MDFeatures(rawValue: 0x1fff).union([
    erasureCoded, writeJournal, takingBack,
  ])

  /// Sets a bit, or clears it.
  package mutating func set(_ feature: MDFeatures, _ isSet: Bool) {
    if isSet { insert(feature) } else { remove(feature) }
  }

  /// Either kind of partial parity log.
  package static let anyPartialParityLog: MDFeatures = [
    .partialParityLog, .multiplePartialParityLogs,
  ]
}
