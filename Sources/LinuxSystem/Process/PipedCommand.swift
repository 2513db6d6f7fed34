import CLinux
import SystemPackage

/// A command that a shell runs as a child of this process, with something to read as its standard input.
package final class PipedCommand {
  private let process: ProcessID
  private var ended: Foreground.End?

  /// Starts it: with the other standard files of this process, and with what signals do by default.
  package init(_ command: String, input: borrowing OwnedDescriptor) throws(SystemCallError) {
    let descriptor = input.descriptor
    process = ProcessID(
      try withCPath(command, for: "posix_spawn") { text throws(SystemCallError) in
        let number = unsafe clinux_spawn_shell(text, descriptor)
        if number > 0 { return number }
        throw SystemCallError(
          call: "posix_spawn", subject: "/bin/sh", errno: Errno(rawValue: -number))
      })
  }

  /// How it has ended; nil while it runs.
  package func end() throws(SystemCallError) -> Foreground.End? {
    if ended == nil { ended = try Foreground.end(of: process) }
    return ended
  }

  /// Waits for its end for so long.
  package func waitForEnd(seconds: Double) -> Foreground.End? {
    let deadline = Machine.monotonicSeconds() + seconds
    while Machine.monotonicSeconds() < deadline {
      if let end = try? end() { return end }
      Machine.sleep(seconds: 0.005)
    }
    return nil
  }

  /// Asks it to end.
  package func terminate() {
    if ended == nil { try? process.send(signal: 15) }
  }
}
