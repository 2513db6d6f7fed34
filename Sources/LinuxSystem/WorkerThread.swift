import CLinux
import Glibc
import SystemPackage

/// A thread for work that blocks; joined at the latest when the last reference to it goes.
package final class WorkerThread: Sendable {
  private let thread: pthread_t
  private let isJoined = Monitor(false)

  /// Starts the body on a thread of its own. `name` is what `top -H` shows of it (15 bytes).
  package init(
    name: String = "worker", stackByteCount: Int = 1 << 20,
    _ body: @Sendable @escaping () -> Void
  ) throws(SystemCallError) {
    thread = try startThread(name: name, stackByteCount: stackByteCount, body)
  }

  deinit {
    // The body may hold the last reference; a thread cannot wait for itself.
    if pthread_equal(thread, pthread_self()) != 0 {
      pthread_detach(thread)
    } else {
      join()
    }
  }

  /// Nobody will wait for it.
  package func detach() {
    isJoined.withLock { isJoined in
      if isJoined { return }
      pthread_detach(thread)
      isJoined = true
    }
  }

  /// Returns when the body has.
  package func join() {
    isJoined.withLock { isJoined in
      if isJoined { return }
      // Cannot fail: the thread exists, is not ours, and is joined once.
      let result = pthread_join(thread, nil)
      precondition(result == 0, "a thread waited for itself")
      isJoined = true
    }
  }
}

/// Runs `body(0)` on this thread and `body(1)`, … on others at the same time; returns when all have.
///
/// When the machine has no thread left, this thread does that work as well, afterwards: so no worker may
/// wait for another one to begin.
package func runInParallel(workers: Int, _ body: @Sendable @escaping (Int) -> Void) {
  precondition(workers > 0)
  var threads: [WorkerThread] = []
  var left: [Int] = []
  for worker in 1..<max(1, workers) {
    do {
      threads.append(try WorkerThread(name: "worker \(worker)") { body(worker) })
    } catch {
      left.append(worker)
    }
  }
  body(0)
  for worker in left { body(worker) }
  for thread in threads { thread.join() }
}

/// What travels through the pointer that pthread_create takes.
private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @Sendable @escaping () -> Void) {
    self.name = name
    self.body = body
  }
}

private func startThread(
  name: String, stackByteCount: Int, _ body: @Sendable @escaping () -> Void
) throws(SystemCallError) -> pthread_t {
  var attributes = pthread_attr_t()
  unsafe pthread_attr_init(&attributes)
  defer { unsafe pthread_attr_destroy(&attributes) }
  unsafe pthread_attr_setstacksize(&attributes, max(stackByteCount, 1 << 20))
  // Owned by the new thread, which releases it; by us again if there is none.
  let start = unsafe Unmanaged.passRetained(ThreadStart(name: name, body: body))
  var thread = pthread_t()
  let result = unsafe pthread_create(
    &thread, &attributes,
    { argument in
      let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
      unsafe clinux_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
      start.body()
      return nil
    }, start.toOpaque())
  if result != 0 {
    unsafe start.release()
    throw SystemCallError(
      call: "pthread_create", subject: name, errno: Errno(rawValue: result))
  }
  return thread
}
