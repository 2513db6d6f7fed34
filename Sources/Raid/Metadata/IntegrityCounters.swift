/// What reads and scrubs have found on one member since the array was made, and the last scrub.
package struct IntegrityCounters: Sendable, Equatable {
  /// 4 KiB blocks whose content did not agree with their sum, or were found wrong by parity.
  package var damagedBlocks: UInt64 = 0
  /// 4 KiB blocks that could not be read.
  package var unreadableBlocks: UInt64 = 0
  /// 4 KiB blocks rewritten with what they should hold.
  package var repairedBlocks: UInt64 = 0
  /// Sums that were damaged or stale and have been renewed.
  package var renewedSums: UInt64 = 0
  /// Blocks that a scrub could not put right, as of the last scrub.
  package var unrepairedBlocks: UInt64 = 0
  /// When the last whole scrub ended; seconds since 1970, 0 for never.
  package var lastScrubAt: UInt64 = 0

  package init() {}
}
