import ArgumentParser

/// What a running command works with: where its words go, who may stop it, and whom to ask.
package struct CommandContext: Sendable {
  /// Results, notes and warnings.
  package let output: Output
  /// Whether someone asked for an end or for a status line: to be looked at between steps.
  package let stop: any StopFlag
  private let surroundings: Surroundings
  private let progressMode: ProgressMode
  private let confirmation: ConfirmationPrompt

  /// A context for a command with these options.
  package init(
    global: GlobalOptions, surroundings: Surroundings, dataOnStandardOutput: Bool = false
  ) {
    self.surroundings = surroundings
    stop = surroundings.stop
    progressMode = global.progress.resolved(
      isTerminal: surroundings.standardError.isTerminal, isQuiet: global.quiet)
    output = Output(
      standardOutput: surroundings.standardOutput, standardError: surroundings.standardError,
      isJSON: global.json, verbosity: global.verbosity, dataOnStandardOutput: dataOnStandardOutput,
      environment: surroundings.environment)
    confirmation = ConfirmationPrompt(
      isInteractive: surroundings.isInteractive, prompt: surroundings.standardError,
      stop: surroundings.stop,
      answer: surroundings.answer)
  }

  /// A line that shows how far `task` is, over `total` bytes where that is known. `startingAt` is
  /// where a resumed job begins.
  package func progress(
    _ task: String, total: Int?, startingAt done: Int = 0
  ) -> ProgressLine {
    ProgressLine(
      task: task, total: total, startingAt: done, mode: progressMode,
      sink: surroundings.standardError, stop: stop, now: surroundings.now)
  }

  /// Goes on when a person agreed to `action` ("erase the metadata of 3 members") or `--yes` was
  /// given; else throws what the command ends with.
  package func confirm(_ action: String, _ options: WriteOptions) throws(Failure) {
    try confirmation.require(action, assumingYes: options.yes)
  }

  /// The value of an environment variable.
  package func environment(_ name: String) -> String? { surroundings.environment(name) }
}
