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
}
