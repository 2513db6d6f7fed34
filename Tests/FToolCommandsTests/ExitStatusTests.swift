import FToolCommands
import Testing

@Suite struct ExitStatusTests {
  private typealias Status = FToolCommands.ExitStatus

  @Test func `the numbers are those that scripts know`() {
    let numbers: [Status: Int32] = [
      .done: 0, .repaired: 1, .failed: 1, .degraded: 2, .incomplete: 3, .unrepaired: 4,
      .usage: 64, .damaged: 65, .notFound: 66, .unreachable: 69, .bug: 70, .systemCall: 71,
      .wouldOverwrite: 73, .inputOutput: 74, .busy: 75, .notPermitted: 77, .configuration: 78,
      .fenced: 79, .interrupted(signal: 2): 130, .interrupted(signal: 15): 143,
    ]
    for (status, code) in numbers { #expect(status.code == code) }
  }
}
