import LinuxSystem

/// Whether someone asked the command to end, or to say how far it is.
///
/// A long job looks at it between steps; the signal handlers behind it only set flags.
package protocol StopFlag: Sendable {
  /// The signal that asked for an end (SIGHUP, SIGINT, SIGTERM), once one came.
  var signal: Int32? { get }
  /// Whether a status line was asked for (SIGUSR1) since the last time that this was called.
  func takeStatusRequest() -> Bool
}

extension StopFlag {
  /// Throws the failure that an interrupted command ends with, where a signal came. `resuming` says how to
  /// go on, where not by running the same command again.
  package func check(resuming hint: String? = nil) throws(Failure) {
    guard let signal else { return }
    throw hint.map { .interrupted(signal: signal, resuming: $0) } ?? .interrupted(signal: signal)
  }
}

/// A flag that nobody raises.
package struct NeverStops: StopFlag {
  package let signal: Int32? = nil
  package init() {}
  package func takeStatusRequest() -> Bool { false }
}

/// The signals of this process.
extension StopRequest: StopFlag {}
