import FToolCommands
import Synchronization
import Testing

@Suite struct ProgressLineTests {
  private final class Clock: Sendable {
    private let time = Mutex(Duration.zero)
    var now: Duration { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
  }

  private final class AskedOnce: StopFlag {
    private let isAsked = Mutex(false)
    let signal: Int32? = nil
    func ask() { isAsked.withLock { $0 = true } }
    func takeStatusRequest() -> Bool {
      isAsked.withLock { asked in
        defer { asked = false }
        return asked
      }
    }
  }

  private let clock = Clock()
  private let stop = AskedOnce()
  private let mib: Int = 1 << 20

  private func make(
    _ mode: ProgressMode, _ text: RecordedText, total: Int?, startingAt done: Int = 0
  ) -> ProgressLine {
    ProgressLine(
      task: "rebuild b.img", total: total, startingAt: done, mode: mode, sink: text.sink,
      stop: stop, now: { [clock] in clock.now })
  }

  @Test func `plain is a line each five percent`() {
    let text = RecordedText()
    let line = make(.plain, text, total: 100 * mib)
    for step in 0...100 {
      line.update(done: Int(step) * mib)
      clock.advance(.seconds(1))
    }
    line.finish()
    #expect(text.lines.count == 21)  // 0 %, 5 %, … 100 %, which is not said twice
    #expect(text.lines.last == "rebuild b.img: 100.0 %, 100 MiB of 100 MiB, 1 MiB/s")
    #expect(text.lines[2] == "rebuild b.img: 10.0 %, 10 MiB of 100 MiB, 1 MiB/s, 1m 30s left")
  }

  @Test func `json is an object a second`() {
    let text = RecordedText()
    let line = make(.json, text, total: 10 * mib)
    for step in 0..<40 {
      line.update(done: Int(step) * mib / 4)
      clock.advance(.milliseconds(250))
    }
    #expect(text.lines.count == 10)
    #expect(
      text.lines[4] == #"{"type":"progress","schema":1,"task":"rebuild b.img","#
        + #""done_bytes":4194304,"total_bytes":10485760,"bytes_per_second":1048576,"#
        + #""seconds_left":6}"#)
  }

  @Test func `a bar is redrawn in place, five times a second at most, within the width`() {
    let text = RecordedText(isTerminal: true, columnCount: 80)
    let line = make(.auto, text, total: 100 * mib)
    for step in 0..<100 {
      line.update(done: Int(step) * mib)
      clock.advance(.milliseconds(10))
    }
    line.finish()
    let drawn = text.text.split(separator: "\r")
    #expect(drawn.count == 6)
    for frame in drawn { #expect(frame.prefix { $0 != "\u{1B}" }.count < 80) }
    #expect(drawn[3].contains("[#"))
    #expect(text.text.hasSuffix("\n"))
  }

  @Test func `auto is silent where nobody looks, but answers when asked`() {
    let text = RecordedText()
    let line = make(.auto, text, total: 100 * mib)
    line.update(done: mib)
    #expect(text.text.isEmpty)
    stop.ask()
    line.update(done: 50 * mib)
    line.update(done: 51 * mib)
    #expect(text.text == "rebuild b.img: 50.0 %, 50 MiB of 100 MiB\n")
  }

  @Test func `what a resumed job had done before is no part of its rate`() {
    let text = RecordedText()
    let line = make(.plain, text, total: 100 * mib, startingAt: 90 * mib)
    clock.advance(.seconds(1))
    line.update(done: 91 * mib)
    #expect(text.lines == ["rebuild b.img: 91.0 %, 91 MiB of 100 MiB, 1 MiB/s, 9s left"])
  }

  @Test func `an unknown total has neither percents nor an end`() {
    let text = RecordedText()
    let line = make(.none, text, total: nil)
    stop.ask()
    line.update(done: 3 * mib)
    #expect(text.text == "rebuild b.img: 3 MiB\n")
  }

  @Test func `a cleared bar leaves no trace and comes back`() {
    let text = RecordedText(isTerminal: true)
    let line = make(.bar, text, total: 100)
    line.update(done: 1)
    line.clear()
    #expect(text.text.hasSuffix("\r\u{1B}[K"))
    line.update(done: 2)
    #expect(text.text.contains("2.0 %"))
  }

  @Test func `nothing is shown after the end`() {
    let text = RecordedText(isTerminal: true)
    let line = make(.bar, text, total: 100)
    line.finish()
    let length = text.text.count
    line.update(done: 100)
    line.finish()
    #expect(text.text.count == length)
  }
}
