/// How a command ended: the one list of numbers that ftool exits with. They are never renumbered.
package enum ExitStatus: Equatable, Hashable, Sendable {
  /// Done; for `scrub` and `status --test`: and healthy.
  case done
  /// `scrub` found problems and repaired all of them.
  case repaired
  /// Failed, and no other status says how.
  case failed
  /// `status --test`: degraded, but all data is there.
  case degraded
  /// Finished, but part of the input could not be read or saved.
  case incomplete
  /// `scrub` left problems unrepaired; `status --test`: beyond redundancy, or unreadable.
  case unrepaired
  /// Wrong usage: nothing was tried.
  case usage
  /// Data damaged beyond correction.
  case damaged
  /// No such array or member.
  case notFound
  /// A server cannot be reached.
  case unreachable
  /// A bug in ftool.
  case bug
  /// A system call failed.
  case systemCall
  /// Something foreign would be overwritten.
  case wouldOverwrite
  /// Input or output failed.
  case inputOutput
  /// Held by a running ftool, the kernel's md, a mount or a loop device: try again.
  case busy
  /// A capability or permission is missing.
  case notPermitted
  /// The configuration is wrong.
  case configuration
  /// Another owner has a newer token.
  case fenced
  /// A signal asked for an end; the same command goes on from there.
  case interrupted(signal: Int32)
  /// The restored program's own end.
  case program(status: Int32)

  /// The number the process exits with.
  package var code: Int32 {
    switch self {
    case .done: 0
    case .repaired, .failed: 1
    case .degraded: 2
    case .incomplete: 3
    case .unrepaired: 4
    case .usage: 64
    case .damaged: 65
    case .notFound: 66
    case .unreachable: 69
    case .bug: 70
    case .systemCall: 71
    case .wouldOverwrite: 73
    case .inputOutput: 74
    case .busy: 75
    case .notPermitted: 77
    case .configuration: 78
    case .fenced: 79
    case .interrupted(let signal): 128 + signal
    case .program(let status): status
    }
  }
}
