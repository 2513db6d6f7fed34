import LinuxSystem

/// Shared and exclusive holds on ranges of numbers: rows of an array, or its bytes.
///
/// A writer holds what it changes, a reader what it may have to put together from several members, a
/// scrub the part it is at; so all of them go on at once and none sees another's half-done work.
final class RangeLock: Sendable {
  private struct Hold {
    var range: Range<Int>
    var isExclusive: Bool
    var ticket: UInt64
  }

  private struct State {
    var holds: [Hold] = []
    var nextTicket: UInt64 = 0
  }

  private let monitor = Monitor(State())

  func withLock<Result, Failure: Error>(
    _ range: Range<Int>, exclusive: Bool, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result where Result: ~Copyable {
    let ticket = take(range, exclusive: exclusive)
    defer { release(ticket) }
    return try body()
  }

  private func take(_ range: Range<Int>, exclusive: Bool) -> UInt64 {
    monitor.wait { state in
      let isFree = !state.holds.contains {
        ($0.isExclusive || exclusive) && $0.range.overlaps(range)
      }
      guard isFree else { return nil }
      state.nextTicket += 1
      state.holds.append(
        Hold(range: range, isExclusive: exclusive, ticket: state.nextTicket))
      return state.nextTicket
    }
  }

  private func release(_ ticket: UInt64) {
    monitor.withLock { state in
      state.holds.removeAll { $0.ticket == ticket }
    }
    monitor.signalAll()
  }
}
