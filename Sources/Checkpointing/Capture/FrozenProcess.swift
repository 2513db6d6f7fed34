import LinuxSystem

/// A process whose threads have all been stopped by us.
final class FrozenProcess {
  let id: ProcessID
  /// The process's first thread is the first one; none in a zombie.
  var threads: [TracedThread] = []
  /// What /proc says since it stands still.
  var status: ProcessStatus
  /// It was stopped before we came, by this signal.
  var stopSignal: Int32?
  /// Its children that are stopped.
  var stoppedChildren: [ProcessID] = []
  /// Children that a save made of it which was killed: all that is left of them is that nobody has waited for them.
  var remains: [ProcessID] = []
  /// How its threads slept before they were stopped.
  var notes: [ProcessID: SleepNote] = [:]
  /// Signals that came while it made calls for us, and that it gets when it runs on.
  var heldSignals: [Int32] = []
  /// The registers of threads whose calls the kernel shall settle when they run on.
  var unsettled: [ProcessID: Registers] = [:]
  /// The signals that wait for any of its threads.
  var pendingSignals: [[UInt8]] = []

  init(_ id: ProcessID, status: ProcessStatus) {
    self.id = id
    self.status = status
  }

  var isZombie: Bool { status.state == "Z" }
  var leader: TracedThread { threads[0] }

  /// Whether it is what a save that was killed has left of a copy of its parent: it tells nobody of its end, has
  /// done nothing, and ended as such a copy does that is let go of, or by SIGKILL before its first step.
  func isRemainder(of parent: FrozenProcess) -> Bool {
    let hasOnlyForked: UInt64 = 0x40
    let time = status.number(14) + status.number(15)
    guard isZombie, status.threadCount <= 1, status.number(38) == 0, time == 0,
      status.number(9) & hasOnlyForked != 0, status.name == parent.status.name
    else { return false }
    // The kernel itself may write one page as it lets go (rseq(2)); whoever calls anything writes a stack as well.
    let pageFaults = status.number(10) + status.number(12)
    let end = status.number(52)
    return end == UInt64(CallInjector.endStatus) << 8 || (end == 9 && pageFaults <= 1)
  }
}
