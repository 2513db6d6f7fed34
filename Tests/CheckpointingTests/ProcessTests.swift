import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// What a process is to others, and what it may do.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct ProcessTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(
    arguments: [
      "stops", "confined", "together", "relations", "options", "vectors", "pingpong", "queued",
    ],
    [UInt64(1)])
  func `loses nothing, looked at or brought back`(_ name: String, _ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("work")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.3)
    for round in 0..<6 {
      Machine.sleep(seconds: Double.random(in: 0.01...0.1, using: &random))
      let trip: RoundTrip
      do {
        trip = try RoundTrip(saving: child.id, isCopied: round == 1 && name == "confined")
      } catch CheckpointError.vanished {
        Issue.record("ended by \(try child.wait()) before round \(round)")
        return
      }
      if round % 2 == 1 { continue }
      try child.killTree()
      try trip.restore()
    }
    let status = try child.wait()
    let said = try scratch.text("std")
    #expect(status == 0, "\(said)")
  }

  static let refusals = [
    ("folder", "it has been removed"), ("leader", "other threads of the process run on"),
    ("notify", "SECCOMP_RET_USER_NOTIF"), ("unshared", "folders and umask of its own"),
    ("ring", "descriptor"), ("segments", "modify_ldt(2)"),
  ]

  @Test(arguments: refusals)
  func `refuses by name what can't be kept`(_ name: String, _ words: String) throws {
    let program = try CompiledProgram("peculiar", in: scratch)
    let child = try program.start([name, scratch.path("work")], output: scratch.path("std"))
    while try scratch.text("std").isEmpty { Machine.sleep(seconds: 0.01) }
    // What a kernel does not have can't be in the way.
    if try scratch.text("std") == "none\n" { return try child.kill() }
    let error = #expect(throws: CheckpointError.self) { _ = try RoundTrip(saving: child.id) }
    guard case .obstacles(let obstacles) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(obstacles.contains { "\($0.place): \($0.reason)".contains(words) }, "\(obstacles)")
    #expect(child.id.exists)
    try child.kill()
  }

  /// The calls of `timeouts`, by the names of its threads.
  static let kept = ["sleep", "sleep-rest", "clock", "poll", "futex"]
  static let inRegister = ["epoll", "epoll-mask"]

  @Test func `what is left of a timeout is kept`() throws {
    let program = try CompiledProgram("timeouts", in: scratch)
    let child = try program.start([], output: scratch.path("std"))
    while try child.id.threads().count < 10 { Machine.sleep(seconds: 0.01) }
    Machine.sleep(seconds: 0.6)
    var before: [String: Double] = [:]
    for name in Self.kept + Self.inRegister { before[name] = 99.5 }
    for _ in 0..<2 {
      let trip = try RoundTrip(saving: child.id)
      let left = Self.left(trip.state.processes[0])
      for name in Self.kept + Self.inRegister {
        let seconds = try #require(left[name], "\(name)")
        #expect(seconds > 10 && seconds < before[name]!, "\(name)")
        // Others have gone on with restart_syscall(2), which does not say what was left then.
        before[name] = Self.inRegister.contains(name) || name == "sleep-rest" ? seconds - 0.4 : 99.7
      }
      try child.killTree()
      try trip.restore()
      Machine.sleep(seconds: 0.5)
    }
    // Who was only stopped goes on with restart_syscall(2), which does not say with what.
    _ = try RoundTrip(saving: child.id)
    Machine.sleep(seconds: 0.1)
    let trip = try RoundTrip(saving: child.id)
    let left = Self.left(trip.state.processes[0])
    for name in Self.kept { #expect(left[name] != nil, "\(name)") }
    try child.killTree()
    try trip.restore()
    Machine.sleep(seconds: 0.1)
    #expect(try ProcessStatus(of: child.id).state == "S")
    try child.killTree()
  }

  /// Seconds that are left of each thread's call.
  private static func left(_ process: ProcessState) -> [String: Double] {
    var left: [String: Double] = [:]
    for thread in process.threads {
      let name = String(decoding: thread.name, as: UTF8.self)
      if let remaining = thread.remainingNanoseconds {
        left[name] = Double(remaining) / 1e9
      } else if inRegister.contains(name) {
        left[name] = Double(Registers(words: thread.registers).callArguments[3]) / 1e3
      }
    }
    return left
  }
}
