import LinuxSystem
import Synchronization
import SystemPackage

/// What a command says: its result, and all else that a person may want to know.
///
/// The result goes to standard output; notes, warnings, progress and errors go to standard error.
/// Under `--json` the result is kept until the command has ended, so that exactly one object is the
/// last thing written: the result, or the error with the result in it as far as it got. Where the
/// data itself goes to standard output, the result follows it on standard error.
package final class Output: Sendable {
  /// How much is said beside the result.
  package enum Verbosity: Sendable {
    /// The result and errors.
    case quiet
    /// Also notes and warnings.
    case normal
    /// Also details.
    case verbose
  }

  /// Whether the result is JSON.
  package let isJSON: Bool
  private let verbosity: Verbosity
  private let results: TextSink
  private let messages: TextSink
  private let resultStyle: TextStyle
  private let messageStyle: TextStyle
  private let state = Mutex(State())

  private struct State {
    var report: (any Report)?
    var warnings: [String] = []
    var writeError: Errno?
  }

  /// Output to these places. `dataOnStandardOutput`: the command writes bytes of an array there.
  package init(
    standardOutput: TextSink, standardError: TextSink, isJSON: Bool = false,
    verbosity: Verbosity = .normal, dataOnStandardOutput: Bool = false,
    environment: @Sendable (String) -> String? = { _ in nil }
  ) {
    self.isJSON = isJSON
    self.verbosity = verbosity
    results = dataOnStandardOutput ? standardError : standardOutput
    messages = standardError
    resultStyle = results.style(environment: environment)
    messageStyle = messages.style(environment: environment)
  }

  /// Shows the result. Text is written now, JSON when the command ends; a second result is written
  /// behind the first as text and takes its place as JSON (`status --watch`).
  package func show(_ report: some Report) {
    state.withLock { $0.report = report }
    if !isJSON { writeResult(report.text(resultStyle).withReadableBytes) }
  }

  /// Shows the result where the last one stood, if that was on a terminal; else below it.
  package func redraw(_ report: some Report) {
    if !isJSON, results.isTerminal { writeResult("\u{1B}[H\u{1B}[2J") }
    show(report)
  }

  /// Says that something is not as it should be, though the command goes on: `ftool: warning: …`.
  /// The result's JSON lists it too.
  package func warn(_ message: String) {
    state.withLock { $0.warnings.append(message) }
    if verbosity == .quiet { return }
    say(messageStyle.warning("ftool: warning:") + " \(message)\n")
  }

  /// Says what is being done, unless `--quiet`.
  package func note(_ message: String) {
    if verbosity != .quiet { say("ftool: \(message)\n") }
  }

  /// Says what only `--verbose` wants to know.
  package func detail(_ message: @autoclosure () -> String) {
    if verbosity == .verbose { say("ftool: \(message())\n") }
  }

  /// Writes what ends the command, and gives the number to exit with.
  package func finish(_ outcome: Result<ExitStatus, Failure>) -> Int32 {
    let (report, warnings) = state.withLock { ($0.report, $0.warnings) }
    let listed = JSONValue.Field("warnings", .array(warnings.map(JSONValue.string)))
    switch outcome {
    case .success(let status):
      if isJSON {
        let object = report?.jsonObject ?? SimpleReport(type: "done", "", json: [:]).jsonObject
        writeResult(object.appending([listed]).text + "\n")
      }
      return statusAfterWriting(status)
    case .failure(let failure):
      if isJSON {
        let soFar = report.map { [JSONValue.Field("result", $0.jsonObject)] } ?? []
        writeResult(failure.json.appending([listed] + soFar).text + "\n")
      } else {
        say(failure.text(messageStyle))
      }
      return failure.status.code
    }
  }

  /// A result that could not be written is a failure, but a reader that has seen enough is not.
  private func statusAfterWriting(_ status: ExitStatus) -> Int32 {
    guard let error = state.withLock({ $0.writeError }) else { return status.code }
    if error == .brokenPipe { return status.code }
    let failure = Failure(
      .inputOutput, "cannot write the result: \(error)",
      hint: plainResult.map { "all is done but that, and it was: \($0)" })
    say(failure.text(messageStyle))
    return failure.status.code
  }

  /// The first line of the result, of a command that has done something.
  private var plainResult: String? {
    let text = state.withLock { $0.report }?.text(TextStyle(isColoured: false, columnCount: nil))
    return text?.split(separator: "\n").first.map(String.init)
  }

  private func writeResult(_ text: String) {
    do {
      try results.write(text)
    } catch {
      state.withLock { $0.writeError = $0.writeError ?? error }
    }
  }

  /// Whoever closed standard error, or filled its disk, does not want to hear; the result is no worse for it.
  private func say(_ text: String) { try? messages.write(text.withReadableBytes) }
}
