/// What is done to an array while the power goes off. One that is to come needs a case here, a script of its
/// own beside the others, and a place in `Cell.all`.
package enum Operation: String, CaseIterable, Sendable {
  case write
  case rebuild
  case replace
  case scrub
  /// Other shapes: more members, another level, chunk or layout.
  case grow
  /// Opening and closing; members that fail, are added and are removed.
  case metadata
}

/// Whether a journal takes writes before the members do.
package enum JournalMode: String, CaseIterable, Sendable {
  case none = "no-journal"
  case `internal` = "journal"

  /// Whether an array that lacks members loses nothing when it is cut off.
  var closesWriteHole: Bool {
    switch self {
    case .none: false
    case .internal: true
    }
  }
}

/// Whether all slots have a member when the operation begins, beside those that it is about.
package enum ArrayHealth: String, CaseIterable, Sendable {
  case healthy
  case degraded
}
