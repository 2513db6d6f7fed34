import LinuxSystem

/// How a process that was stopped is stopped again, and how all are let go.
extension ProcessBuilder {
  /// Stops of children that their parent had been told of are not told again.
  func takeStops() throws(CheckpointError) {
    for child in restoration.state.processes
    where child.parent == state.id && child.life == .stopped && !child.isStopUntold {
      _ = try inside(id) { () throws(InjectionError) in
        // WNOHANG | WUNTRACED
        try injector.callForResult(.wait4, [UInt64(UInt32(bitPattern: child.id)), 0, 3, 0])
      }
    }
  }

  /// By which signal it is to be stopped when all is done; nil for one that runs on.
  func stopSignal(staysStopped: Bool) -> Int32? {
    if state.life == .stopped { return (1...31).contains(state.status) ? state.status : 19 }
    return staysStopped ? 19 : nil
  }

  /// Stops it as the signal does: from now on it is stopped for everybody, though it still makes our calls.
  /// Signals that wait then do not act before it goes on.
  func stop(by signal: Int32) throws(CheckpointError) {
    let stops = try inside(id) { () throws(InjectionError) in try injector.stop(by: signal) }
    if stops { return }
    _ = try inside(id) { () throws(InjectionError) in try injector.stop(by: Self.stop) }
    restoration.warn(
      state.id, "signal \(signal)", "it stops no orphaned process group: it is stopped by SIGSTOP")
  }

  /// Lets go. A process that is stopped stays so; one that a stop waits for takes it.
  func detach() throws(CheckpointError) {
    let id = id
    let waits = (state.pendingSignals + state.threads.flatMap(\.pendingSignals)).contains {
      SignalInformation($0).signal == Self.stop
    }
    try about(id) { () throws(SystemCallError) in
      if waits || !injector.heldSignals.isEmpty { try id.send(signal: 19) }
      for (thread, registers) in zip(threads, finalRegisters) {
        // Where the kernel looks at its signals, with one that has come from another of the tree by now: it settles
        // by them how a call that was cut off goes on.
        try thread.leadToSignals(with: registers)
        try thread.detach()
      }
    }
  }
}
