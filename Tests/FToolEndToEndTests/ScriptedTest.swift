import FToolTestSupport
import LinuxSystem
import Testing

/// A script of the folder `Scripts`, which uses the built ftool as anybody would, in a folder of its own.
struct ScriptedTest: ~Copyable {
  let folder: ScratchDirectory

  init() throws { folder = try ScratchDirectory() }

  /// How often a test is repeated with other chances: once, or in the long run often.
  static func seeds(_ soak: UInt64 = 25) -> ClosedRange<UInt64> {
    1...(Machine.environment("FTOOL_SOAK") == nil ? 1 : soak)
  }

  /// Plays it with this chance, and expects that it ends well. Whatever it started is gone after that.
  func play(
    _ name: String, seed: UInt64, programs: [String] = [],
    _ variables: [String: String] = [:], timeoutSeconds: Double = 240,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    var environment = [
      "FTOOL": try BuiltTool.path, "SEED": "\(seed)", "LC_ALL": "C", "NO_COLOR": "1",
      "XDG_STATE_HOME": folder.path("state"),
      "PATH": "\(Machine.environment("PATH") ?? ""):/usr/sbin:/sbin:\(Programs.fetched)/bin",
    ]
    environment.merge(variables) { $1 }
    for program in programs { _ = try CompiledProgram(program, in: folder) }
    let keeper = try CompiledProgram("keeper", in: folder)
    let scripts = Files.directory(of: #filePath) + "/Scripts"
    let outcome = try BuiltTool.run(
      program: keeper.path,
      ["bash", "-c", ". '\(scripts)/library.bash'; . '\(scripts)/\(name).bash'"],
      environment: environment, directory: folder.path, timeoutSeconds: timeoutSeconds)
    let said = (try? folder.text("output")) ?? ""
    #expect(
      outcome.status == 0 && !outcome.timedOut,
      "\(name): \(outcome.outputText)\(outcome.errorText)\(said.suffix(2000))",
      sourceLocation: location)
  }
}
