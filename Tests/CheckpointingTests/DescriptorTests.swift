import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// One program for each kind of descriptor, which is saved, killed and brought back at random moments.
@Suite(.serialized) struct DescriptorTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  static let programs = [
    "events", "pollset", "removed", "pipes", "unixsockets", "internetsockets",
  ]

  @Test(arguments: programs, [UInt64(1), 2])
  func `loses nothing in several rounds`(_ name: String, _ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("work")], output: scratch.path("std"))
    for _ in 0..<4 {
      Machine.sleep(seconds: Double.random(in: 0.02...0.25, using: &random))
      let trip = try RoundTrip(saving: child.id)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
  }

  @Test(arguments: programs) func `cannot tell that it was looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("work")], output: scratch.path("std"))
    for _ in 0..<10 {
      Machine.sleep(seconds: 0.02)
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }
}
