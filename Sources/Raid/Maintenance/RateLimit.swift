import LinuxSystem
import Synchronization

/// Holds a long operation to so many bytes a second.
package final class RateLimit: Sendable {
  private let bytesPerSecond: Double
  private let goesOn: @Sendable () -> Bool
  private let start = Machine.monotonicSeconds()
  private let passed = Mutex(0)

  /// Counts from now on; all threads together keep to it.
  ///
  /// - Parameter goesOn: whether to wait at all; asked several times a second.
  package init(bytesPerSecond: Int, while goesOn: @escaping @Sendable () -> Bool = { true }) {
    self.bytesPerSecond = Double(max(1, bytesPerSecond))
    self.goesOn = goesOn
  }

  /// Waits until `byteCount` more bytes are within the rate.
  func pass(_ byteCount: Int) {
    let total = passed.withLock { passed in
      passed += byteCount
      return passed
    }
    let due = start + Double(total) / bytesPerSecond
    while goesOn() {
      let rest = due - Machine.monotonicSeconds()
      if rest <= 0 { return }
      Machine.sleep(seconds: min(rest, 0.2))
    }
  }
}
