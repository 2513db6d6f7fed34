import FToolTestSupport
import LinuxSystem
import Testing

/// Programs that change at full speed while they are saved, and processes that can't be saved.
@Suite(.serialized, .needs("cc", "bash"), .choosesNumbers) struct BusyProgramTests {
  private static let rounds = Machine.environment("FTOOL_SOAK") == nil ? "10" : "600"

  @Test(arguments: ["exits", "forks", "execs", "maps", "signals"])
  func `is saved at any moment`(what: String) throws {
    try ScriptedTest().play(
      "busy", seed: 1, programs: ["busy"], ["WHAT": what, "ROUNDS": Self.rounds],
      timeoutSeconds: 3600)
  }

  @Test func `what can't be saved is told, and is let go`() throws {
    try ScriptedTest().play("refused", seed: 1, programs: ["killer", "patient"])
  }
}
