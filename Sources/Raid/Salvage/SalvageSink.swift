import LinuxSystem

/// Where goes what is left of an array. Called by one thread at a time.
package protocol SalvageSink: Sendable {
  /// What comes now goes from the array's beginning to its end.
  func beginPass()

  /// Takes bytes of the array that are there.
  ///
  /// - Parameters:
  ///   - place: where they start in `bytes`.
  ///   - isDoubtful: they come from a member that is out of date, or nothing says that they are right.
  func take(
    _ bytes: RawSpan, at place: Int, _ arrayRange: Range<Int>, isDoubtful: Bool
  ) throws(SystemCallError)

  /// These bytes of the array are lost.
  func lack(_ arrayRange: Range<Int>, _ reason: LossReason) throws(SystemCallError)
}
