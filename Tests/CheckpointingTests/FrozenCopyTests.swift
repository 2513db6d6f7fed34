import CheckpointFormat
import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

@testable import Checkpointing

/// Memory is read from a copy while the program runs on, and the program can't tell.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct FrozenCopyTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(arguments: ["childless", "threads", "family", "sharedmemory", "segments", "signals"])
  func `runs on and comes back as it was at one moment`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.1)
    for round in 0..<4 {
      Machine.sleep(seconds: 0.05)
      let trip = try RoundTrip(saving: child.id, isCopied: true)
      if round % 2 == 0 { continue }
      Machine.sleep(seconds: 0.02)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
  }

  @Test func `is not made where no process may be added`() throws {
    let program = try CompiledProgram("crowded", in: scratch)
    let child = try program.start([], output: scratch.path("std"))
    Machine.sleep(seconds: 0.1)
    for _ in 0..<5 {
      #expect(throws: CheckpointError.self) { try RoundTrip(saving: child.id, isCopied: true) }
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }

  @Test func `memory is read while the program stands still where no copy can be made`() throws {
    let program = try CompiledProgram("bulk", in: scratch)
    let child = try program.start(
      ["64", "s", scratch.path("end"), "alone"], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let report = try ImageFile(at: scratch.path("image")).save(child.id)
    #expect(report.image.totals.memoryByteCount >= 64 << 20)
    try child.kill()
  }

  /// As the kernel does it where memory is short.
  @Test func `a copy that is killed ends the save, and the program runs on`() throws {
    let program = try CompiledProgram("bulk", in: scratch)
    let child = try program.start(["64", "s", scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let original = child.id
    let error = #expect(throws: CheckpointError.self) {
      try ImageFile(at: scratch.path("image")).save(child.id) { options in
        options.watch = JobWatch { done, _ in
          if done > 0 {
            for copy in Self.processes(named: "bulk") where copy != original {
              try? copy.send(signal: SIGKILL)
            }
          }
          return true
        }
      }
    }
    guard case .copyLost = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }

  private static func processes(named name: String) -> [ProcessID] {
    ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.map(ProcessID.init).filter {
      (try? ProcessStatus(of: $0))?.name == Array(name.utf8)
    }
  }

  /// How long a program stands still, for the record.
  @Test(arguments: ["s", "h"]) func `stands still for the fork only`(_ kind: String) throws {
    let byteCount = 512 << 20
    let program = try CompiledProgram("bulk", in: scratch)
    let child = try program.start(
      ["\(byteCount >> 20)", kind, scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    for _ in 0..<3 {
      let start = ContinuousClock.now
      let freezer = ProcessFreezer(root: child.id, withDescendants: true, limit: .seconds(10))
      try freezer.freeze()
      let tree = try TreeCapture(freezer.processes)
      let state = tree.state()
      let captured = ContinuousClock.now
      let copy = try FrozenTree(of: tree, state, holdingIn: "/tmp")
      freezer.release()
      let end = ContinuousClock.now
      var found = 0
      for space in copy.spaces() {
        try space.forEachPiece { (piece) throws(CheckpointError) in found += piece.byteCount }
      }
      #expect(found >= byteCount)
      copy.remove()
      let gibibytes = Double(byteCount) / Double(1 << 30)
      let all = (end - start) / .milliseconds(1) / gibibytes
      let copying = (end - captured) / .milliseconds(1) / gibibytes
      print(
        "\(kind == "h" ? "huge" : "small") pages: frozen \(all) ms a GiB, \(copying) of it to copy")
    }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }
}
