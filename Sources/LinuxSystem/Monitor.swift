import Glibc

/// State that one thread at a time may touch, and that others can wait for.
///
/// Bodies are short; one that blocks keeps all others out, and one that enters a second monitor needs an
/// order that everybody keeps to. Used in place of `Synchronization.Mutex`, which nobody can wait in, and
/// which the thread sanitizer does not see: every use of it is reported as a race.
package final class Monitor<State: ~Copyable>: @unchecked Sendable {
  // Sendable: `state` is touched only between lock and unlock.
  @usableFromInline var state: State
  @usableFromInline let lock = MonitorLock()

  /// Takes the state over: from now on it is only seen under the lock.
  @inlinable
  package init(_ state: consuming State) { self.state = state }

  /// Runs the body alone with the state.
  @inlinable
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&state)
  }

  /// As `withLock`, then wakes all who wait.
  @inlinable
  package func update<Result: ~Copyable, Failure: Error>(
    _ body: (inout State) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer {
      lock.signalAll()
      lock.unlock()
    }
    return try body(&state)
  }

  /// Waits until the body returns something. It runs once at first, and again after each `signalAll`.
  @inlinable
  package func wait<Result>(until body: (inout State) -> Result?) -> Result {
    lock.lock()
    defer { lock.unlock() }
    while true {
      if let result = body(&state) { return result }
      lock.wait()
    }
  }

  /// As above; nil when `Machine.monotonicSeconds` passes the deadline first.
  @inlinable
  package func wait<Result>(
    deadline: Double, until body: (inout State) -> Result?
  ) -> Result? {
    lock.lock()
    defer { lock.unlock() }
    while true {
      if let result = body(&state) { return result }
      if !lock.wait(deadline: deadline) { return body(&state) }
    }
  }

  /// Wakes all who wait; they look at the state again.
  @inlinable
  package func signalAll() { lock.signalAll() }
}

/// A mutex and a condition at an address that does not move, as POSIX wants them.
@usableFromInline
@safe
final class MonitorLock: @unchecked Sendable {
  // Sendable: made for being used by several threads at once.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  @usableFromInline
  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    var mutexAttributes = pthread_mutexattr_t()
    unsafe pthread_mutexattr_init(&mutexAttributes)
    // A thread that locks twice is a bug of ours: an error to stop at, not a hang.
    unsafe pthread_mutexattr_settype(&mutexAttributes, CInt(PTHREAD_MUTEX_ERRORCHECK))
    unsafe pthread_mutex_init(mutex, &mutexAttributes)
    unsafe pthread_mutexattr_destroy(&mutexAttributes)
    var conditionAttributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&conditionAttributes)
    unsafe pthread_condattr_setclock(&conditionAttributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &conditionAttributes)
    unsafe pthread_condattr_destroy(&conditionAttributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  @usableFromInline
  func lock() {
    let result = unsafe pthread_mutex_lock(mutex)
    precondition(result == 0, "a monitor was entered twice by one thread")
  }

  @usableFromInline
  func unlock() {
    let result = unsafe pthread_mutex_unlock(mutex)
    precondition(result == 0, "a monitor was left by a thread that was not in it")
  }

  @usableFromInline
  func wait() { unsafe pthread_cond_wait(condition, mutex) }

  /// False when the deadline passed.
  @usableFromInline
  func wait(deadline: Double) -> Bool {
    let whole = deadline.rounded(.down)
    var time = timespec(
      tv_sec: Int(max(0, min(whole, 1e15))),
      tv_nsec: Int(max(0, min((deadline - whole) * 1e9, 999_999_999))))
    return unsafe pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
  }

  @usableFromInline
  func signalAll() { unsafe pthread_cond_broadcast(condition) }
}
