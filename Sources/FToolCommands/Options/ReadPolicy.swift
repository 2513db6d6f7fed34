import ArgumentParser
import Raid

/// Which copy of a mirror is read.
package enum ReadPolicy: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Each in its turn.
  case roundRobin = "round-robin"
  /// The one with the least to do.
  case leastPending = "least-pending"
  /// Any.
  case random

  /// The same, as the array knows it.
  var engine: Raid.ReadPolicy {
    switch self {
    case .roundRobin: .roundRobin
    case .leastPending: .leastPending
    case .random: .random
    }
  }
}
