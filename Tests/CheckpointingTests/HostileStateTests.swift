import BinaryCodec
import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// States that no save would have written, though every checksum agrees: restoring one ends in a clear error
/// or in processes, and leaves nothing behind.
@Suite(.serialized, .choosesNumbers) struct HostileStateTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  static let cases = [
    ("unixcases", "names"), ("unixcases", "datagrams"), ("filecases", "proc"),
    ("filecases", "fifos"), ("terminalcases", "tty"), ("netcases", "groups"),
  ]

  @Test(.needs("cc"), arguments: cases, [UInt64(1)])
  func `ends in an error or in processes`(_ what: (String, String), _ seed: UInt64) throws {
    let program = try CompiledProgram(what.0, in: scratch, options: ["-lutil"])
    let child = try program.start(
      [what.1, scratch.path("work")], output: scratch.path("said"))
    guard try child.getsReady(scratch.path("said")) else { return }
    let state = try RoundTrip(saving: child.id).state.encoded()
    try child.killTree()
    let tree = try #require(FieldTree(state))
    #expect(tree.encoded() == state)
    var random = SeededGenerator(seed: seed)
    var ends: [String: Int] = [:]
    for _ in 0..<Self.rounds {
      var changed = tree
      for _ in 0..<Int.random(in: 1...3, using: &random) { changed.change(using: &random) }
      ends[Self.restore(changed.encoded()).kind, default: 0] += 1
    }
    // A number that is not free would hide all that comes after it.
    #expect(ends["numberTaken", default: 0] <= 3, "\(ends)")
    let end = Self.restore(state)
    #expect(end.kind == "made", "\(end.message)")
    #expect(!child.id.exists)
  }

  /// Found by chance in a long run: the stub of the root was left, and nobody waited for it.
  @Test func `a tree that nobody could have made leaves no process behind`() throws {
    let program = try StartedProgram(
      "bash", ["-c", "sleep 60 & sleep 60 & wait"], output: scratch.path("said"))
    var saved: RoundTrip?
    for _ in 0..<200 where saved?.state.processes.count != 3 {
      Machine.sleep(seconds: 0.02)
      saved = try RoundTrip(saving: program.id)
    }
    var state = try #require(saved).state
    try #require(state.processes.count == 3)
    // Their parent waits for them, and then ends.
    for process in state.processes.dropFirst() { try ProcessID(process.id).send(signal: 9) }
    _ = try program.wait()
    // No clone shares what is done about signals, and not the memory.
    state.processes[2].sharing.signalActions = state.processes[1].id
    try #require(!BirthPlan(state.processes, isDetached: false).impossible.isEmpty)
    #expect(Self.restore(state.encoded()).kind == "inconsistent")
    #expect(!program.id.exists)
  }

  /// Some; with FTOOL_SOAK set, some thousand.
  static let rounds = Machine.environment("FTOOL_SOAK") == nil ? 12 : 500

  /// Up to the moment in which it would run. Returns how it ended.
  private static func restore(_ bytes: [UInt8]) -> (kind: String, message: String) {
    do {
      let state = try CheckpointState(decoding: bytes[...])
      let restorer = try TreeRestorer(state, RestoreOptions())
      defer { restorer.abandon() }
      _ = try restorer.memory()
      try restorer.complete()
      return ("made", "")
    } catch {
      // A clear one: which, is up to what was changed.
      #expect(error is CheckpointError || error is FieldError)
      return (String("\(error)".prefix { $0.isLetter }), "\(error)")
    }
  }
}
