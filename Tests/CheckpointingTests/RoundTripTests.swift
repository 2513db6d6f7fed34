import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// Programs are stopped, taken down, killed and made again; each says by its exit status whether anything
/// was lost.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct RoundTripTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test func `a program counts on`() throws {
    let program = try CompiledProgram("counter", in: scratch)
    let child = try program.start([scratch.path("out")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.3)
    let trip = try RoundTrip(saving: child.id)
    Machine.sleep(seconds: 0.1)
    try child.kill()
    let before = try scratch.text("out")
    try trip.restore()
    #expect(try child.wait() == 0)
    let after = try scratch.text("out")
    #expect(after.hasSuffix("199\ndone\n"))
    #expect(!after.contains("wrong"))
    #expect(before.count < after.count)
  }

  @Test(
    arguments: [
      "wakeups", "threads", "family", "signals", "sleeper", "timers", "identity", "threadtimers",
      "heldtimers",
    ],
    [0.05, 0.2])
  func `survives several rounds`(_ name: String, _ delay: Double) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([], output: scratch.path("std"))
    for _ in 0..<3 {
      Machine.sleep(seconds: delay)
      let trip = try RoundTrip(saving: child.id)
      Machine.sleep(seconds: 0.02)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
  }

  @Test(arguments: [["-static"], ["-static-pie"], ["-s"], ["-pie", "-fPIE"], ["-no-pie"]])
  func `comes back, however it was linked`(options: [String]) throws {
    let program = try CompiledProgram("threads", in: scratch, options: options)
    let child = try program.start([], output: scratch.path("std"))
    Machine.sleep(seconds: 0.1)
    let trip = try RoundTrip(saving: child.id)
    try child.kill()
    try trip.restore()
    let status = try child.wait()
    let said = try scratch.text("std")
    #expect(status == 0, "\(said)")
  }

  @Test func `a kernel with other functions in the vdso is refused`() throws {
    let program = try CompiledProgram("waits", in: scratch)
    let child = try program.start(["pause"], output: scratch.path("std"))
    while try ProcessStatus(of: child.id).state != "S" { Machine.sleep(seconds: 0.01) }
    var trip = try RoundTrip(saving: child.id)
    try child.kill()
    let code = trip.state.processes[0].kernelCode
    #expect(code.count == 2 && code[0] != code[1])
    // Other code, with the same functions at the same places.
    trip.state.processes[0].kernelCode[0] ^= 1
    try trip.restore()
    try child.kill()
    trip.state.processes[0].kernelCode[1] ^= 1
    let error = #expect(throws: CheckpointError.self) { try trip.restore() }
    #expect("\(String(describing: error))".contains("the vdso"))
    #expect(!child.id.exists)
  }

  @Test func `a processor that can do less is refused, but with force`() throws {
    let program = try CompiledProgram("waits", in: scratch)
    let child = try program.start(["pause"], output: scratch.path("std"))
    while try ProcessStatus(of: child.id).state != "S" { Machine.sleep(seconds: 0.01) }
    var trip = try RoundTrip(saving: child.id)
    try child.kill()
    #expect(trip.state.processorFeatures.split(separator: " ").contains("sse2"))
    trip.state.processorFeatures += " avx9000"
    let error = #expect(throws: CheckpointError.self) {
      _ = try TreeRestorer(trip.state, RestoreOptions())
    }
    #expect("\(String(describing: error))".contains("does not have avx9000,"))
    #expect(!child.id.exists)
    try trip.restore()
    try child.kill()
  }

  /// From the first moment at which there is something that has its number.
  @Test func `a signal that comes while it is being made waits until it can be taken`() throws {
    let program = try CompiledProgram("hit", in: scratch)
    for round in 0..<20 {
      let child = try program.start([], output: scratch.path("std\(round)"))
      while try scratch.text("std\(round)") != "ready\n" { Machine.sleep(seconds: 0.005) }
      let trip = try RoundTrip(saving: child.id)
      try child.killTree()
      while child.id.exists { Machine.sleep(seconds: 0.001) }
      let isOver = Monitor(false)
      let id = child.id
      let sender = try WorkerThread {
        while !isOver.withLock({ $0 }), (try? id.send(signal: 10)) == nil {}
      }
      defer {
        isOver.update { $0 = true }
        sender.join()
      }
      try trip.restore()
      #expect(try child.wait() == 42)
    }
  }

  @Test(arguments: ["pause", "sleep", "poll"])
  func `a signal that comes while it stands still ends its wait`(way: String) throws {
    let program = try CompiledProgram("waits", in: scratch)
    let child = try program.start([way], output: scratch.path("std"))
    while try ProcessStatus(of: child.id).state != "S" { Machine.sleep(seconds: 0.01) }
    Machine.sleep(seconds: 0.1)
    let freezer = ProcessFreezer(root: child.id, withDescendants: true, limit: .seconds(10))
    _ = try Checkpoint.capture(freezer).tree
    try child.id.send(signal: 10)
    freezer.release()
    #expect(try child.wait() == 9)
  }

  @Test(arguments: ["wakeups", "threads", "family", "signals", "sleeper", "timers", "identity"])
  func `runs on when it was only looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([], output: scratch.path("std"))
    for _ in 0..<20 {
      Machine.sleep(seconds: 0.01)
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }
}
