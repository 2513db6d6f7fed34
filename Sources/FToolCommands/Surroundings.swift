import LinuxSystem
import SystemPackage

/// Everything outside the program that a command talks to: the real ones, or those of a test.
package struct Surroundings: Sendable {
  /// Where results go.
  package var standardOutput: TextSink
  /// Where all else goes.
  package var standardError: TextSink
  /// Whether a person sits at both ends: questions can be read and answered.
  package var isInteractive: Bool
  /// Reads one line of an answer; nil at the end of input.
  package var answer: @Sendable () -> String?
  /// Environment variables.
  package var environment: @Sendable (String) -> String?
  /// Requests to stop and for a status line.
  package var stop: any StopFlag
  /// A clock that only goes forward.
  package var now: @Sendable () -> Duration

  /// These surroundings.
  package init(
    standardOutput: TextSink, standardError: TextSink, isInteractive: Bool = false,
    answer: @escaping @Sendable () -> String? = { nil },
    environment: @escaping @Sendable (String) -> String? = { _ in nil },
    stop: any StopFlag = NeverStops(), now: @escaping @Sendable () -> Duration = { .zero }
  ) {
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.isInteractive = isInteractive
    self.answer = answer
    self.environment = environment
    self.stop = stop
    self.now = now
  }

  /// Those of this process.
  package static func ofThisProcess() -> Surroundings {
    let start = ContinuousClock.now
    return Surroundings(
      standardOutput: TextSink(.standardOutput), standardError: TextSink(.standardError),
      isInteractive: Terminal.isTerminal(.standardInput) && Terminal.isTerminal(.standardError),
      answer: { Terminal.waitForInput(.standardInput) ? readLine() : nil },
      environment: { Machine.environment($0) }, stop: StopRequest.install(),
      now: { ContinuousClock.now - start })
  }
}
