import LinuxSystem
import Synchronization

/// Holds a long operation to so many bytes a second.
package final class RateLimit: Sendable {
  private let bytesPerSecond: Double
  private let start = Machine.monotonicSeconds()
  private let passed = Mutex(0)

  /// Counts from now on; all threads together keep to it.
  package init(bytesPerSecond: Int) { self.bytesPerSecond = Double(max(1, bytesPerSecond)) }

  /// Waits until `byteCount` more bytes are within the rate.
  func pass(_ byteCount: Int) {
    let total = passed.withLock { passed in
      passed += byteCount
      return passed
    }
    let due = start + Double(total) / bytesPerSecond
    let now = Machine.monotonicSeconds()
    if due > now { Machine.sleep(seconds: due - now) }
  }
}
