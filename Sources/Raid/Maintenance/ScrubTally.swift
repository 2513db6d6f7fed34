/// How many blocks a scrub has found wrong; kept with its progress, so that an interrupted pass that goes
/// on reports all of it.
package struct ScrubTally: Sendable, Equatable {
  /// Blocks that are right now.
  package var repairedCount = 0
  /// Blocks that are still wrong.
  package var unrepairedCount = 0

  /// Nothing, unless said otherwise.
  package init(repairedCount: Int = 0, unrepairedCount: Int = 0) {
    self.repairedCount = repairedCount
    self.unrepairedCount = unrepairedCount
  }

  static func + (one: ScrubTally, other: ScrubTally) -> ScrubTally {
    ScrubTally(
      repairedCount: one.repairedCount + other.repairedCount,
      unrepairedCount: one.unrepairedCount + other.unrepairedCount)
  }
}
