import RaidGeometry

// What an order that was found by continuity says for its candidate.

extension RecoverySearch {
  /// Findings of continuity come from pairs that resemble each other for the same reasons: they count less.
  private static let continuityShare = 0.25

  func noteContinuity(
    _ candidate: inout RecoveryCandidate, _ found: OrderSearch.Found, _ weight: Double
  ) {
    let share = Self.continuityShare * weight
    let isGood = share > 0
    candidate.note(
      .continuity, max(-1000, min(1000, share)),
      found.linkCount == 0
        ? "content goes on along the members"
        : isGood
          ? "content goes on from chunk to chunk (\(found.linkCount) edges)"
          : "content hardly goes on from chunk to chunk (\(found.linkCount) edges)")
  }

  func noteRedundancy(_ candidate: inout RecoveryCandidate, _ found: OrderSearch.Found) {
    switch candidate.shape.level {
    case .mirroredStripes where found.other != 0:
      let weight = max(-200, min(80, found.other / 2))
      candidate.note(
        .copies, weight,
        weight > 0
          ? "chunks that are to be copies are equal" : "chunks that are to be copies differ")
    case .singleParity, .dedicatedParity:
      if found.other < 0 {
        candidate.note(
          .parity, max(-60, found.other * Self.continuityShare),
          "chunks that are to be parity are zero where others are not")
      }
      if images.present.count == images.count, census.sumsToZeroOften {
        candidate.note(
          .parity,
          census.sumsToZero ? 60 : census.sumsToZeroMostly ? 20 : CandidateJudge.contradiction,
          "the sum of all members is zero at \(census.zeroSumCount) of \(census.placeCount) places")
      }
    case .striped where census.sumsToZeroOften:
      candidate.note(
        .parity, -30,
        "the sum of all members is zero at \(census.zeroSumCount) of \(census.placeCount) places, "
          + "which without parity is no chance")
    default: break
    }
  }
}
