import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// Memory of every kind comes back, and looks as it did.
@Suite(.serialized) struct MemoryTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(arguments: ["sharedmemory", "segments", "deletedfiles"], [0.1, 0.25])
  func `survives several rounds`(_ name: String, _ delay: Double) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    for _ in 0..<3 {
      Machine.sleep(seconds: delay)
      let trip = try RoundTrip(saving: child.id)
      Machine.sleep(seconds: 0.02)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
  }

  @Test(arguments: ["sharedmemory", "segments", "deletedfiles"])
  func `runs on when it was only looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    for _ in 0..<20 {
      Machine.sleep(seconds: 0.01)
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }
}
