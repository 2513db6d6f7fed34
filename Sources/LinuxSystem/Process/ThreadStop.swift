/// What `wait` says of a traced thread, or of a child.
package enum ThreadStop: Equatable, Sendable {
  /// The thread is gone; the process ended with this status.
  case exited(status: Int32)
  /// The thread is gone; a signal ended the process.
  case killed(signal: Int32)
  /// It is about to make a system call, or has made one.
  case systemCall
  /// A signal is about to be delivered; it is lost unless resuming passes it on.
  case signal(Int32)
  /// It stopped since it was asked to, or it is new.
  case interrupted
  /// It is stopped as by SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU, with the rest of its process.
  case groupStopped(signal: Int32)
  /// It made a process or a thread, which is now traced as well.
  case cloned
  /// Another event of ptrace(2), by its number.
  case event(Int32)

  private static let trap: Int32 = 5

  /// From the status word of wait4(2), as wait(2) and ptrace(2) take it apart.
  package init(status: Int32) {
    let low = status & 0x7f
    if low == 0 {
      self = .exited(status: (status >> 8) & 0xff)
    } else if status & 0xff != 0x7f {
      self = .killed(signal: low)
    } else {
      let signal = (status >> 8) & 0xff
      switch status >> 16 {
      case 0: self = signal == Self.trap | 0x80 ? .systemCall : .signal(signal)
      case 1, 2, 3: self = .cloned  // FORK, VFORK, CLONE
      case 128: self = signal == Self.trap ? .interrupted : .groupStopped(signal: signal)
      case let event: self = .event(event)
      }
    }
  }

  /// Whether there is no thread any more.
  package var isEnd: Bool {
    switch self {
    case .exited, .killed: true
    default: false
    }
  }
}
