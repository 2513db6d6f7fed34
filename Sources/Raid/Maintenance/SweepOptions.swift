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

  /// How many workers keep the disks of an array busy where no page cache does that: two for each
  /// member, since a worker waits for one member at a time, as far as memory allows.
  ///
  /// - Parameter slotCount: members of the array.
  package static func directWorkers(slotCount: Int) -> Int {
    let affordable =
      memoryLimit
      / (WorkingMemory.byteCount(slotCount: slotCount)
        + RaidArray.stagingByteCount(slotCount: slotCount))
    return max(1, min(affordable, max(Machine.cores, 2 * slotCount)))
  }

  /// What all workers of an array together may work in, in bytes.
  private static let memoryLimit = 96 << 20
}
