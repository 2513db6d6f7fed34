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

  init(_ id: ProcessID, status: ProcessStatus) {
    self.id = id
    self.status = status
  }

  var isZombie: Bool { status.state == "Z" }
  var leader: TracedThread { threads[0] }
}
