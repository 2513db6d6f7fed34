import FToolTestSupport
import LinuxSystem
import Testing

/// The tool is killed at its n-th system call, for many n: in the long run, for all.
@Suite(.serialized, .needs("cc", "bash"), .choosesNumbers) struct KilledToolTests {
  private static let rounds = Machine.environment("FTOOL_SOAK") == nil ? "7" : "all"

  private func play(
    _ script: String, signal: Int32, _ rounds: String = Self.rounds, witness: String = ""
  ) throws {
    try ScriptedTest().play(
      script, seed: 1, programs: ["killer", "witness"],
      ["SIGNAL": "\(signal)", "ROUNDS": rounds, "WITNESS": witness], timeoutSeconds: 3600)
  }

  @Test func `a save that is killed does no harm`() throws {
    try play("killed-save", signal: 9)
  }

  /// Then nothing is done in its frozen copy once that is there.
  @Test func `a save that is killed leaves no copy of a program that shares nothing`() throws {
    try play("killed-save", signal: 9, Self.rounds == "all" ? "300" : "3", witness: "alone")
  }

  @Test func `what a killed save leaves of a copy is not saved, and goes`() throws {
    try play("killed-copy", signal: 9)
  }

  @Test func `a save that is asked to end leaves nothing`() throws {
    try play("killed-save", signal: 15, Self.rounds == "all" ? "300" : "3")
  }

  @Test func `a restore that is killed leaves all or nothing`() throws {
    try play("killed-restore", signal: 9)
  }

  @Test func `a restore that is asked to end leaves all or nothing`() throws {
    try play("killed-restore", signal: 15, Self.rounds == "all" ? "300" : "3")
  }
}
