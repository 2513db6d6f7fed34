import FToolCommands
import Testing

@Suite struct OutputTests {
  private let output = RecordedText()
  private let error = RecordedText()

  private func make(
    json: Bool = false, verbosity: Output.Verbosity = .normal, data: Bool = false
  ) -> Output {
    Output(
      standardOutput: output.sink, standardError: error.sink, isJSON: json, verbosity: verbosity,
      dataOnStandardOutput: data)
  }

  private let report = SimpleReport(type: "test", "all is well", json: ["count": 3])

  @Test func `the result goes to standard output, the rest to standard error`() {
    let out = make()
    out.note("working")
    out.warn("odd")
    out.detail("tiny")
    out.show(report)
    #expect(out.finish(.success(.degraded)) == 2)
    #expect(output.text == "all is well\n")
    #expect(error.text == "ftool: working\nftool: warning: odd\n")
  }

  @Test func `quiet says only results and errors, verbose everything`() {
    let quiet = make(verbosity: .quiet)
    quiet.note("working")
    quiet.warn("odd")
    #expect(error.text.isEmpty)
    #expect(quiet.finish(.failure(Failure(.busy, "held"))) == 75)
    #expect(error.text == "ftool: error: held\n")
    make(verbosity: .verbose).detail("tiny")
    #expect(error.text.hasSuffix("ftool: tiny\n"))
  }

  @Test func `JSON is one object at the end, with the warnings in it`() {
    let out = make(json: true)
    out.warn("odd")
    out.show(report)
    #expect(output.text.isEmpty)
    #expect(out.finish(.success(.done)) == 0)
    #expect(
      output.text == #"{"type":"test","schema":1,"count":3,"warnings":["odd"]}"# + "\n")
  }

  @Test func `a failure takes the place of the result and keeps it inside`() {
    let out = make(json: true)
    out.show(report)
    #expect(out.finish(.failure(.interrupted(signal: 2))) == 130)
    #expect(output.lines.count == 1)
    #expect(output.text.hasPrefix(#"{"type":"error","schema":1,"code":130,"#))
    #expect(
      output.text.hasSuffix(
        #""warnings":[],"result":{"type":"test","schema":1,"count":3}}"# + "\n"))
    #expect(error.text.isEmpty)
  }

  @Test func `where data has standard output, the result follows on standard error`() {
    let out = make(json: true, data: true)
    out.show(report)
    _ = out.finish(.success(.done))
    #expect(output.text.isEmpty)
    #expect(error.text.hasPrefix(#"{"type":"test""#))
  }

  @Test func `a command without a result still ends with an object`() {
    _ = make(json: true).finish(.success(.done))
    #expect(output.text == #"{"type":"done","schema":1,"warnings":[]}"# + "\n")
  }

  @Test func `colour is for terminals that want it`() {
    let terminal = RecordedText(isTerminal: true, columnCount: 100)
    #expect(terminal.sink.style { _ in nil } == TextStyle(isColoured: true, columnCount: 100))
    #expect(!terminal.sink.style { $0 == "NO_COLOR" ? "1" : nil }.isColoured)
    #expect(terminal.sink.style { $0 == "NO_COLOR" ? "" : nil }.isColoured)
    #expect(!terminal.sink.style { $0 == "TERM" ? "dumb" : nil }.isColoured)
    #expect(output.sink.style { _ in nil } == .plain)
  }
}
