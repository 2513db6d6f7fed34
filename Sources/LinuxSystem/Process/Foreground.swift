import CLinux
import Glibc
import SystemPackage

/// Stays in front of a child: passes on what it is sent, and waits for its end.
package enum Foreground {
  /// How a child ended.
  package enum End: Equatable, Sendable {
    case exited(status: Int32)
    case killed(signal: Int32)
  }

  private static let passedOn = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM,
  ]

  /// Waits until a child of this process has ended. Signals that this process gets go to the child instead;
  /// to be called on the only thread. `early`: one that came before.
  package static func wait(for child: ProcessID, early: Int32?) throws(SystemCallError) -> End {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for signal in passedOn + [SIGCHLD] { unsafe sigaddset(&signals, signal) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    if let early { try? child.send(signal: early) }
    while true {
      if let end = try end(of: child) { return end }
      let signal = unsafe sigwaitinfo(&signals, nil)
      // A child that has ended in this moment is found in the next round.
      if passedOn.contains(signal) { try? child.send(signal: signal) }
    }
  }

  /// How a child ended; nil while it has not.
  package static func end(of child: ProcessID) throws(SystemCallError) -> End? {
    var status: [Int32] = [0]
    let waited = try withAddress(of: &status) { (status) throws(SystemCallError) in
      try kernelCall(
        .wait4, "wait4", on: "process \(child)", Int(child.number), status, Int(WNOHANG))
    }
    if waited == 0 { return nil }
    switch ThreadStop(status: status[0]) {
    case .exited(let status): return .exited(status: status)
    case .killed(let signal): return .killed(signal: signal)
    default: return nil
    }
  }
}
