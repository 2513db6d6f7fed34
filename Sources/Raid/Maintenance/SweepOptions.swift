import LinuxSystem

/// What a long operation is asked for, beside what it does.
package struct SweepOptions: Sendable {
  /// Told how far it is and how far it goes; false asks it to stop at a point from which it can go on.
  package var progress: @Sendable (_ done: Int, _ end: Int) -> Bool = { _, _ in true }
  package var rate: RateLimit?
  package var workers = Machine.cores

  package init() {}
}
