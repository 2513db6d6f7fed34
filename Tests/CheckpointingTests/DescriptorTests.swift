import CheckpointFormat
import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// One program for each kind of descriptor, which is saved, killed and brought back at random moments.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct DescriptorTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  static let programs = [
    "events", "pollset", "removed", "pipes", "unixsockets", "internetsockets", "watches",
    "terminals", "duetimers", "clockticks", "nevertimers",
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
    let status = try child.wait()
    #expect(status == 0)
  }

  @Test(arguments: programs) func `cannot tell that it was looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("work")], output: scratch.path("std"))
    for _ in 0..<10 {
      Machine.sleep(seconds: 0.02)
      _ = try RoundTrip(saving: child.id)
    }
    let status = try child.wait()
    #expect(status == 0)
  }

  @Test func `content without a name goes through an image`() throws {
    let program = try CompiledProgram("removed", in: scratch)
    let child = try program.start([scratch.path("work")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.3)
    let image = ImageFile(at: scratch.path("image"))
    _ = try image.save(child.id, .dead)
    _ = try child.wait()
    try image.restore()
    let status = try child.wait()
    #expect(status == 0)
  }
}
