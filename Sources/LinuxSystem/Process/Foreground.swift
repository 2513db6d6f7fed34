import CLinux
import Glibc
import SystemPackage

/// Stays in front of a child as a shell's job: passes on what it is sent, stops when the child is stopped
/// from the terminal, lends it the terminal when the job comes to its front, and waits for its end.
package enum Foreground {
  /// How a child ended.
  package enum End: Equatable, Sendable {
    case exited(status: Int32)
    case killed(signal: Int32)
  }

  private static let passedOn = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM,
  ]
  private static let terminalStops = [SIGTSTP, SIGTTIN, SIGTTOU]

  /// Waits until a child of this process has ended. Signals that this process gets go to the child instead;
  /// to be called on the only thread. `early`: one that came before. `reports`: where it is the child of a
  /// reaper, what that tells.
  package static func wait(
    for child: ProcessID, _ lease: TerminalLease, early: Int32?, reports: ReaperReports? = nil
  ) throws(SystemCallError) -> End {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for signal in passedOn + [SIGCHLD, SIGTSTP, SIGIO] { unsafe sigaddset(&signals, signal) }
    // nohup(1) means the program.
    if clinux_ignores(SIGHUP) != 0 { unsafe sigdelset(&signals, SIGHUP) }
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    try reports?.askForSignals()
    if let early { try? child.send(signal: early) }
    while true {
      switch try change(of: child, reports) {
      case .ended(let end):
        reports?.waitForReaper()
        return end
      case .stopped(let signal)
      where (terminalStops.contains(signal) || lease.isHeld) && isStopped(child):
        follow(child, stoppedBy: signal, lease)
        continue
      case .stopped: continue  // whoever stopped it lets it go on
      case nil: break
      }
      var information = unsafe siginfo_t()
      let signal = unsafe sigwaitinfo(&signals, &information)
      // What a key made went to all of the terminal's group, and so to the child, if it is in ours.
      let isFromKey = unsafe information.si_code == SI_KERNEL
      let hasItToo = isFromKey && getpgid(child.number) == getpgrp()
      // The job goes on, perhaps in front where it was not before.
      if signal == SIGCONT { lease.give() }
      // A child that has ended in this moment is found in the next round.
      if passedOn.contains(signal), !hasItToo {
        let isForAll = signal == SIGCONT || isFromKey
        try? (isForAll ? lease.target(of: child) : child).send(signal: signal)
      }
      if signal == SIGTSTP {
        if !hasItToo { try? lease.target(of: child).send(signal: SIGTSTP) }
        if !lease.isHeld { stopAlong(child, lease) }
      }
    }
  }

  /// Where a reaper tells of stops, the child may have gone on since.
  private static func isStopped(_ child: ProcessID) -> Bool {
    (try? ProcessStatus(of: child))?.state == "T"
  }

  /// A child that wanted a terminal which it can have now gets it; else this process's whole job stops with it.
  private static func follow(_ child: ProcessID, stoppedBy signal: Int32, _ lease: TerminalLease) {
    let wantsTerminal = signal == SIGTTIN || signal == SIGTTOU
    if wantsTerminal { lease.isWanted() }
    if wantsTerminal, lease.give() {
      try? lease.target(of: child).send(signal: SIGCONT)
    } else if wantsTerminal, lease.isElsewhere {
      // As the kernel does it to a job that reads in the background. SIGCONT tells when it goes on, if it can stop.
      kill(0, signal)
    } else if lease.isHeld {
      stopAlong(child, lease)
    }
  }

  /// Stops this process's whole job, as the key would have, and the child goes on when the job does.
  private static func stopAlong(_ child: ProcessID, _ lease: TerminalLease) {
    let hadTerminal = lease.isHeld
    lease.takeBack()
    if hadTerminal { kill(0, SIGTSTP) } else { kill(getpid(), SIGTSTP) }
    // It is blocked; here it takes effect, and the call returns when the job goes on.
    var only = sigset_t()
    unsafe sigemptyset(&only)
    unsafe sigaddset(&only, SIGTSTP)
    unsafe pthread_sigmask(SIG_UNBLOCK, &only, nil)
    unsafe pthread_sigmask(SIG_BLOCK, &only, nil)
    lease.give()
    try? lease.target(of: child).send(signal: SIGCONT)
  }

  private enum Change {
    case ended(End)
    case stopped(signal: Int32)
  }

  /// What has become of a child; nil for nothing new.
  private static func change(
    of child: ProcessID, _ reports: ReaperReports?
  ) throws(SystemCallError) -> Change? {
    if let reports { return try reports.next().flatMap(change) }
    var status: [Int32] = [0]
    let options = Int(WNOHANG | WUNTRACED)
    let waited = try withAddress(of: &status) { (status) throws(SystemCallError) in
      try kernelCall(.wait4, "wait4", on: "process \(child)", Int(child.number), status, options)
    }
    return waited == 0 ? nil : change(status[0])
  }

  /// How a child has ended that nobody stands in front of; nil while it runs.
  static func end(of child: ProcessID) throws(SystemCallError) -> End? {
    var status: [Int32] = [0]
    let waited = try withAddress(of: &status) { (status) throws(SystemCallError) in
      try kernelCall(
        .wait4, "wait4", on: "process \(child)", Int(child.number), status, Int(WNOHANG))
    }
    guard waited != 0, case .ended(let end) = change(status[0]) else { return nil }
    return end
  }

  private static func change(_ status: Int32) -> Change? {
    switch ThreadStop(status: status) {
    case .exited(let status): return .ended(.exited(status: status))
    case .killed(let signal): return .ended(.killed(signal: signal))
    case .signal(let signal): return .stopped(signal: signal)
    default: return nil
    }
  }
}

/// The terminal at standard input, lent to a child that has a process group of its own in this session: only
/// one group may read a terminal. Once the child wants it only where standard output is none, as others of this
/// process's job may need it, such as a pager; and the session's own then where standard input is none. Taken back at
/// the latest when nobody holds the lease any more.
package final class TerminalLease {
  private let group: ProcessID?
  private var sessionTerminal: OwnedDescriptorBox?
  private var terminal: Int32 { sessionTerminal?.descriptor.descriptor ?? 0 }
  package private(set) var isHeld = false
  private var isDue = isatty(1) == 1

  /// Lends it, if this process has it and the child can have it.
  package init(to child: ProcessID) {
    let group = getpgid(child.number)
    let isFit = group > 0 && group != getpgrp() && getsid(child.number) == getsid(0)
    self.group = isFit ? ProcessID(group) : nil
    give()
  }

  /// Whom a signal for the child is for: all of its group where the group has the terminal.
  func target(of child: ProcessID) -> ProcessID { group.map { ProcessID(-$0.number) } ?? child }

  /// The child has asked for it.
  func isWanted() {
    isDue = true
    guard isatty(terminal) != 1 else { return }
    sessionTerminal = try? OwnedDescriptorBox(OwnedDescriptor.open("/dev/tty", access: .readWrite))
  }

  /// Lends it if this process's group has it; returns whether it was lent now.
  @discardableResult
  func give() -> Bool {
    guard let group, isDue, isatty(terminal) == 1, tcgetpgrp(terminal) == getpgrp() else {
      return false
    }
    isHeld = tcsetpgrp(terminal, group.number) == 0
    return isHeld
  }

  /// Some other group has the terminal: this process's job is in the background.
  var isElsewhere: Bool {
    guard let group, isatty(terminal) == 1 else { return false }
    return ![-1, getpgrp(), group.number].contains(tcgetpgrp(terminal))
  }

  package func takeBack() {
    guard isHeld else { return }
    isHeld = false
    // A shell that has taken it meanwhile keeps it.
    if tcgetpgrp(terminal) == getpgid(getppid()) { return }
    // Who is not in front is stopped for trying, unless the signal is blocked.
    var only = sigset_t()
    var previous = sigset_t()
    unsafe sigemptyset(&only)
    unsafe sigaddset(&only, SIGTTOU)
    unsafe pthread_sigmask(SIG_BLOCK, &only, &previous)
    tcsetpgrp(terminal, getpgrp())
    unsafe pthread_sigmask(SIG_SETMASK, &previous, nil)
  }

  deinit { takeBack() }
}
