import LinuxSystem

/// Takes down what happens, while it runs.
package final class Tape: Sendable {
  private struct State {
    var trace = Trace()
    var isRunning = false
  }

  private let state = Monitor(State())

  package init() {}

  func start() {
    state.withLock { state in
      state.trace.removeAll()
      state.isRunning = true
    }
  }

  /// - Returns: what happened since it was started.
  func stop() -> Trace {
    state.withLock { state in
      state.isRunning = false
      return state.trace
    }
  }

  func note(_ kind: Trace.Kind, _ subject: Int) {
    state.withLock { if $0.isRunning { $0.trace.append(kind, subject) } }
  }

  func noteWrite(_ member: Int, _ sectors: Range<Int>, _ content: UnsafeRawBufferPointer?) {
    state.withLock { if $0.isRunning { $0.trace.appendWrite(member, sectors, content) } }
  }
}
