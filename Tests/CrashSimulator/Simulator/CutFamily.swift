import FToolTestSupport

/// Kinds of choices of what a power cut leaves of the caches. What a member has in its cache it may write
/// in any order, so each of them is something that disks do.
package enum CutFamily: Int, CaseIterable, Sendable {
  case nothing
  case everything
  /// The oldest writes, up to one.
  case prefix
  /// The newest writes, back to one.
  case newestFirst
  case onlyOneMember
  case allButOneMember
  case onlyOneWrite
  case allButOneWrite
  /// All before one write, and that one up to one of its sectors.
  case tornWrite
  /// All before one write, and that one from one of its sectors on.
  case tornWriteBackwards
  /// A coin for each write.
  case anyWrites
  /// A coin for each sector of each write.
  case anySectors

  /// Whether a seed decides what is kept.
  var isChance: Bool { self == .anyWrites || self == .anySectors }

  /// In how many ways it can be done with these caches; those that chance decides count as so many as are to
  /// be tried.
  package func variantCount(_ caches: WriteCaches, _ trace: Trace, memberCount: Int) -> Int {
    let count = caches.writes.count
    switch self {
    case .nothing: return 1
    case .everything: return count > 0 ? 1 : 0
    case .prefix, .newestFirst: return max(0, count - 1)
    case .onlyOneMember, .allButOneMember: return count > 1 ? memberCount : 0
    case .onlyOneWrite, .allButOneWrite: return count > 2 ? count : 0
    case .tornWrite, .tornWriteBackwards:
      return caches.writes.reduce(0) { $0 + trace.events[$1].sectors.count - 1 }
    case .anyWrites, .anySectors: return count > 1 ? min(8, 1 << count) : 0
    }
  }
}
