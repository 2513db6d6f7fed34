/// Why an array may only be read.
package enum WriteObstacle: Error, Equatable, Sendable {
  case openedForReading
  case reshaping
  case hasJournal
  case hasPartialParityLog
  case metadata090
  case clustered
  /// An array recorded as complete: the slots whose members were not given, with the members' names if known.
  case membersNotGiven([Int])
  /// A crash left it unclean, and members are missing: some of what is in doubt can't be decided.
  case uncleanAndDegraded
  /// Too many members failed while it was open.
  case broken
}
