import CLinux

/// Somebody's wish that the program ends, or says how far it is.
///
/// The first SIGHUP, SIGINT or SIGTERM is noted here, so that long work can write its resume point; one that comes
/// half a second later or after that does what signals do. What comes sooner is the same wish once more, as timeout(1)
/// sends it to the program and to its group. SIGUSR1 asks for a status line. SIGPIPE, SIGWINCH and SIGXFSZ are ignored,
/// and SIGCHLD is not, so that children can be waited for.
package final class StopRequest: Sendable {
  /// The only one: signals are for the whole process.
  package static let shared = StopRequest()

  private init() {}

  /// Starts to listen. Until then no signal is noted.
  @discardableResult
  package static func install() -> StopRequest {
    // Fails only when no descriptor is left; then signals keep their old meaning.
    clinux_stop_install()
    return shared
  }

  /// The signal that asked the program to end; nil while nobody did.
  package var signal: Int32? {
    let signal = clinux_stop_signal()
    return signal == 0 ? nil : signal
  }

  /// Whether somebody asked for a status line since the last call.
  package func takeStatusRequest() -> Bool { clinux_stop_take_status_request() != 0 }

  /// As if the signal had come: for a stop that another part of the program wants.
  package func stop(as signal: Int32) { clinux_stop_set(signal) }

  /// Forgets that anybody asked.
  package func forget() { clinux_stop_set(0) }

  /// Ends the program as the signal would have, so that a shell sees why.
  package static func dieOf(_ signal: Int32) { clinux_die_of(signal) }

  /// Readable from the first stop on; -1 until installed.
  static var descriptor: Int32 { clinux_stop_descriptor() }
}
