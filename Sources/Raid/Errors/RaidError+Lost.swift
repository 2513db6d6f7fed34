extension RaidError {
  /// The error that names the first array bytes of those that are lost, up to the next that are not.
  ///
  /// - Precondition: something is lost.
  static func lost(firstOf losses: [(arrayRange: Range<Int>, reason: LossReason)]) -> RaidError {
    let sorted = losses.sorted { $0.arrayRange.lowerBound < $1.arrayRange.lowerBound }
    var first = sorted[0].arrayRange
    for (range, _) in sorted where range.lowerBound <= first.upperBound {
      first = first.lowerBound..<max(first.upperBound, range.upperBound)
    }
    return .lost(arrayRange: first, sorted[0].reason)
  }
}

extension RaidError {
  /// Bytes could not be had.
  var isLoss: Bool { if case .lost = self { true } else { false } }
}
