import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// What is easily lost of descriptors: each case is prepared by a program, saved, killed and brought back
/// twice, and then the program looks whether anything is missing.
@Suite(.serialized) struct DescriptorCaseTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  static let programs = ["unixcases", "filecases", "netcases", "terminalcases"]

  @Test(arguments: programs) func `every case comes back`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch, options: ["-lutil"])
    for name in try program.cases() {
      let child = try program.start(
        [name, scratch.path(name)], output: scratch.path("\(name)-said"))
      guard try isReady(child, name) else { continue }
      for _ in 0..<2 {
        let trip = try RoundTrip(saving: child.id)
        try child.killTree()
        try trip.restore()
      }
      _ = try OwnedDescriptor.open(
        scratch.path(name) + "/go", access: .writeOnly, options: [.create])
      let status = try child.wait()
      let said = try scratch.text("\(name)-said")
      #expect(status == 0, "\(name): \(said)")
    }
  }

  /// False for a case that this machine can't have.
  private borrowing func isReady(_ child: StartedProgram, _ name: String) throws -> Bool {
    let end = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < end {
      let said = try scratch.text("\(name)-said")
      if said.contains("skipped") {
        _ = try child.wait()
        return false
      }
      if said.contains("ready") { return true }
      Machine.sleep(seconds: 0.003)
    }
    let said = try scratch.text("\(name)-said")
    Issue.record("\(name) does not get ready: \(said)")
    return false
  }
}

extension CompiledProgram {
  /// The cases that a program of cases has.
  func cases() throws -> [String] {
    let outcome = try BuiltTool.run(program: path, [])
    try #require(outcome.status == 0)
    return outcome.outputText.split(separator: "\n").map(String.init)
  }
}
