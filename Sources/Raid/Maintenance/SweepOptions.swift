import LinuxSystem

/// What a long operation is asked for, beside what it does.
package struct SweepOptions: Sendable {
  /// Told how far it is and how far it goes; false asks it to stop at a point from which it can go on.
  package var progress: @Sendable (_ done: Int, _ end: Int) -> Bool = { _, _ in true }
  /// Of member bytes read or written; nil for as fast as it goes.
  package var rate: RateLimit?
  /// How many threads share the work.
  package var workers = Machine.cores

  package init() {}
}
