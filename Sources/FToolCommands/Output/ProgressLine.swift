import Synchronization

/// How far a long job is: a bar, lines or JSON on standard error, and one line whenever SIGUSR1
/// asks for it.
///
/// `update` is cheap enough to be called for every few MiB, from any thread.
package final class ProgressLine: Sendable {
  private static let barInterval: Duration = .milliseconds(200)
  private static let jsonInterval: Duration = .seconds(1)
  private static let plainStepPercent: Int = 5

  private let task: String
  private let mode: ProgressMode
  private let sink: TextSink
  private let stop: any StopFlag
  private let now: @Sendable () -> Duration
  private let state: Mutex<State>

  private struct State {
    var total: Int?
    var done: Int = 0
    var start: Duration
    var shownAt: Duration?
    var shownPercent: Int = 0
    /// The bytes that the last line told.
    var shownDone: Int?
    var rate: RateEstimate
    var isDrawn = false
    var isFinished = false
  }

  /// A line for `task`, such as "rebuild b.img", over `total` bytes if that is known.
  ///
  /// `startingAt` is where a resumed job begins: it counts as done, but not for the rate.
  package init(
    task: String, total: Int?, startingAt done: Int = 0, mode: ProgressMode,
    sink: TextSink, stop: any StopFlag = NeverStops(), now: @escaping @Sendable () -> Duration
  ) {
    self.task = task
    self.mode = mode.resolved(isTerminal: sink.isTerminal, isQuiet: false)
    self.sink = sink
    self.stop = stop
    self.now = now
    let start = now()
    state = Mutex(
      State(
        total: total, done: done, start: start, rate: RateEstimate(at: start, done: done)))
  }

  /// Tells how many bytes are done by now, counted from the beginning of the whole job, and how many there are
  /// where that has changed.
  package func update(done: Int, total: Int? = nil) {
    let wanted = stop.takeStatusRequest()
    let time = now()
    let text = state.withLock { state -> String in
      guard !state.isFinished else { return "" }
      state.done = done
      state.total = total ?? state.total
      state.rate.add(at: time, done: done)
      return (wanted ? statusLine(&state) : "") + dueText(&state, at: time)
    }
    show(text)
  }

  /// Ends the line: it shows the last state once more, and the cursor stands below it.
  package func finish() {
    let time = now()
    let text = state.withLock { state -> String in
      guard !state.isFinished else { return "" }
      state.isFinished = true
      state.rate.add(at: time, done: state.done)
      switch mode {
      case .bar: return "\r" + bar(state) + "\u{1B}[K\n"
      case .plain:
        guard let shown = state.shownDone, shown != state.done else { return "" }
        return line(state) + "\n"
      case .json: return json(state).text + "\n"
      case .none, .auto: return ""
      }
    }
    show(text)
  }

  /// Takes the bar away without a trace, so that a message can stand in its place. The next update
  /// draws it again.
  package func clear() {
    let text = state.withLock { state -> String in
      guard state.isDrawn else { return "" }
      state.isDrawn = false
      state.shownAt = nil
      return "\r\u{1B}[K"
    }
    show(text)
  }

  /// What an update shows by itself, by now.
  private func dueText(_ state: inout State, at time: Duration) -> String {
    let sinceShown = state.shownAt.map { time - $0 }
    switch mode {
    case .none, .auto:
      return ""
    case .bar:
      if let sinceShown, sinceShown < Self.barInterval { return "" }
      state.shownAt = time
      state.isDrawn = true
      return "\r" + bar(state) + "\u{1B}[K"
    case .plain:
      guard let percent = Self.percent(state) else { return "" }
      guard state.shownAt == nil || percent >= state.shownPercent + Self.plainStepPercent else {
        return ""
      }
      state.shownAt = time
      state.shownPercent = percent
      state.shownDone = state.done
      return line(state) + "\n"
    case .json:
      if let sinceShown, sinceShown < Self.jsonInterval { return "" }
      state.shownAt = time
      return json(state).text + "\n"
    }
  }

  private func statusLine(_ state: inout State) -> String {
    let isDrawn = state.isDrawn
    state.isDrawn = false
    if isDrawn { state.shownAt = nil }
    return (isDrawn ? "\r\u{1B}[K" : "") + line(state) + "\n"
  }

  /// `rebuild b.img: 42.0 %, 4.2 GiB of 10 GiB, 210 MiB/s, 28s left`
  private func line(_ state: State) -> String {
    ([task + ":"] + [measures(state).joined(separator: ", ")]).joined(separator: " ")
  }

  /// The same with a bar as wide as the terminal leaves room for.
  private func bar(_ state: State) -> String {
    let columns = max(20, (sink.columnCount ?? 80) - 1)
    let text = measures(state).joined(separator: "  ")
    let room = columns - task.count - text.count - 6
    guard room >= 8, let total = state.total, total > 0 else {
      return String("\(task)  \(text)".prefix(columns))
    }
    let width = min(room, 40)
    let filled = Int(Double(width) * min(1, Double(state.done) / Double(total)))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
    return "\(task)  [\(bar)]  \(text)"
  }

  private func measures(_ state: State) -> [String] {
    var parts: [String] = []
    if let tenths = Self.permille(state) { parts.append("\(tenths / 10).\(tenths % 10) %") }
    let done = ByteSize(state.done).description
    parts.append(state.total.map { "\(done) of \(ByteSize($0))" } ?? done)
    if let rate = state.rate.bytesPerSecond { parts.append("\(ByteSize(rate))/s") }
    if let seconds = Self.secondsLeft(state), seconds > 0 {
      parts.append("\(durationText(.seconds(seconds))) left")
    }
    return parts
  }

  private func json(_ state: State) -> JSONValue {
    [
      "type": "progress", "schema": .number(JSONValue.schema), "task": .string(task),
      "done_bytes": .number(state.done), "total_bytes": .number(state.total),
      "bytes_per_second": .number(state.rate.bytesPerSecond),
      "seconds_left": .number(Self.secondsLeft(state)),
    ]
  }

  private static func permille(_ state: State) -> Int? {
    guard let total = state.total else { return nil }
    guard total > 0 else { return 1000 }
    let product = min(state.done, total).multipliedFullWidth(by: 1000)
    return total.dividingFullWidth(product).quotient
  }

  private static func percent(_ state: State) -> Int? { permille(state).map { $0 / 10 } }

  private static func secondsLeft(_ state: State) -> Int64? {
    guard let total = state.total, let rate = state.rate.bytesPerSecond, rate > 0 else {
      return nil
    }
    return Int64((max(total, state.done) - state.done + rate - 1) / rate)
  }

  /// Progress that cannot be shown is no reason to stop the job.
  private func show(_ text: String) {
    try? sink.write(text)
  }
}
