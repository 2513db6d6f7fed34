/// How far a long operation over the whole array has come; kept on the members, so that another process
/// can follow it and the next run goes on from there.
package struct MaintenanceProgress: Sendable, Equatable {
  /// What runs, as it is on disk (ftool-raid-format(5)).
  package enum Operation: UInt32, Sendable {
    case none = 0
    case scrub = 1
    case rebuild = 2
    case resync = 3
    case replace = 4
    case reshape = 5
  }

  /// Whether it still runs, as it is on disk. A process that was killed leaves `running`.
  package enum Phase: UInt32, Sendable {
    case idle = 0
    case running = 1
    case interrupted = 2
    case finished = 3
  }

  /// What was done last.
  package var operation: Operation = .none
  /// How it ended, if it did.
  package var phase: Phase = .idle
  /// Bytes done and to do: member bytes for parity levels and mirrors, else array bytes; of a reshape array bytes
  /// of the new shape.
  package var position = 0
  /// See `position`.
  package var end = 0
  /// Where the run that is noted here began: what was done before it has not its rate.
  package var startPosition = 0
  /// What a scrub has found since it began at the start of the array.
  package var found = ScrubTally()
  /// Seconds since 1970.
  package var startedAt: UInt64 = 0
  /// When this was last written: seconds since 1970.
  package var updatedAt: UInt64 = 0

  package init() {}
}
