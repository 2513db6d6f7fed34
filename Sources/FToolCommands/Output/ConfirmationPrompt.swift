/// Asks a person before something is done that cannot be undone.
package struct ConfirmationPrompt: Sendable {
  private let isInteractive: Bool
  private let prompt: TextSink
  private let stop: any StopFlag
  private let answer: @Sendable () -> String?

  /// Asks on `prompt` and reads one line with `answer`, where both ends are a person's.
  package init(
    isInteractive: Bool, prompt: TextSink, stop: any StopFlag = NeverStops(),
    answer: @escaping @Sendable () -> String?
  ) {
    self.isInteractive = isInteractive
    self.prompt = prompt
    self.stop = stop
    self.answer = answer
  }

  /// Returns when the person agreed or `--yes` was given. Nobody to ask is wrong usage (64); a no
  /// is a failure (1), and Ctrl-C is an interruption.
  ///
  /// `action` completes "about to", such as "erase the metadata of 3 members".
  package func require(_ action: String, assumingYes: Bool) throws(Failure) {
    if assumingYes { return }
    guard isInteractive else {
      throw Failure(
        .usage, "about to \(action), and nobody can be asked without a terminal",
        hint: "-y/--yes answers in advance, -n/--dry-run shows what would be done")
    }
    try? prompt.write("ftool: about to \(action). Go on? [y/N] ")
    let reply = (answer() ?? "").lowercased()
    if let signal = stop.signal {
      throw .interrupted(signal: signal, resuming: "nothing was changed")
    }
    guard reply == "y" || reply == "yes" else {
      throw Failure(.failed, "not confirmed: nothing was changed")
    }
  }
}
