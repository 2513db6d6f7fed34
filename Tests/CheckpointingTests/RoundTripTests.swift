import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

@Suite(.serialized) struct RoundTripTests: ~Copyable {
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
}
