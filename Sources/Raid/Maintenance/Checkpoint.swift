import LinuxSystem
import Synchronization

/// Says when a long operation should note how far it is: at first, and then about once a second.
final class Checkpoint: Sendable {
  private let interval: Double
  private let last = Mutex(-Double.infinity)

  init(intervalSeconds: Double = 1) { interval = intervalSeconds }

  /// True at most once an interval.
  var isDue: Bool {
    let now = Machine.monotonicSeconds()
    return last.withLock { last in
      guard now - last >= interval else { return false }
      last = now
      return true
    }
  }
}

extension Member {
  func setProgress(_ progress: MaintenanceProgress) {
    record.state.withLock { state in
      guard state.header != nil else { return }
      state.header!.progress = progress
      state.headerChanged = true
    }
  }
}

/// When and where a run of a long operation began.
struct MaintenanceStart: Sendable {
  let seconds: UInt64
  let position: Int

  init(at position: Int) {
    seconds = Machine.now().seconds
    self.position = position
  }
}
