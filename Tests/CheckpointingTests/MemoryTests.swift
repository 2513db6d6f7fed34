import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// Memory of every kind comes back, and looks as it did.
@Suite(.serialized) struct MemoryTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(arguments: ["sharedmemory", "segments", "deletedfiles", "layout"], [0.1, 0.25])
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
    #expect(try scratch.text("std") == "")
  }

  @Test(arguments: ["sharedmemory", "segments", "deletedfiles", "layout"])
  func `runs on when it was only looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    for _ in 0..<20 {
      Machine.sleep(seconds: 0.01)
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }

  static let programs = [
    ["layout"], ["deletedfiles"], ["sharedmemory"], ["segments"],
    ["python3", "-c", "import hashlib, json, threading, time; time.sleep(60)"],
    ["node", "-e", "setInterval(() => 1, 20)"],
    ["java", "-Xmx64m", "Waiting.java"],
  ]

  @Test(arguments: programs) func `the list of areas is the same`(_ command: [String]) throws {
    let child: StartedProgram
    var seconds = 0.3
    if command.count == 1 {
      let program = try CompiledProgram(command[0], in: scratch)
      child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    } else {
      // Programs that are not here have nothing to show.
      guard try BuiltTool.run(program: "sh", ["-c", "command -v \(command[0])"]).status == 0 else {
        return
      }
      var arguments = Array(command.dropFirst())
      if command[0] == "java" {
        arguments[1] = scratch.path("Waiting.java")
        let source =
          "class Waiting { public static void main(String[] a) throws Exception { Thread.sleep(60000); } }"
        _ = try scratch.file("Waiting.java", Array(source.utf8))
        seconds = 5
      }
      child = try StartedProgram(command[0], arguments, output: scratch.path("std"))
      seconds += 1
    }
    Machine.sleep(seconds: seconds)
    let before = try RoundTrip(saving: child.id)
    try child.killTree()
    var options = RestoreOptions()
    options.staysStopped = true
    try before.restore(options)
    while try ProcessStatus(of: child.id).state != "T" { Machine.sleep(seconds: 0.01) }
    let after = try RoundTrip(saving: child.id)
    for (old, new) in zip(before.areas, after.areas) {
      let old = old.map(Self.looks)
      let new = new.map(Self.looks)
      #expect(Set(old).subtracting(new) == [])
      #expect(Set(new).subtracting(old) == [])
    }
    try child.killTree()
  }

  /// What shows of an area but for what it is by chance.
  private static func looks(_ area: MemoryArea) -> String {
    let flags = area.flags.subtracting(["sd", "??"]).sorted().joined(separator: " ")
    return
      "\(String(area.addresses.lowerBound, radix: 16))-\(String(area.addresses.upperBound, radix: 16)) "
      + "\(area.protection.rawValue) \(area.isShared) \(area.fileOffset) \(area.name) \(flags)"
  }

  /// Memory of small and of huge pages, filled from several threads; and how long that took.
  @Test(arguments: ["s", "h"]) func `much memory comes back`(_ kind: String) throws {
    let program = try CompiledProgram("bulk", in: scratch)
    let child = try program.start(["256", kind, scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let trip = try RoundTrip(saving: child.id)
    try child.killTree()
    let start = ContinuousClock.now
    try trip.restore()
    print(
      "\(kind == "h" ? "huge" : "small") pages: 256 MiB restored in \(ContinuousClock.now - start)")
    let text = String(
      decoding: try Files.contents(of: "\(child.id.folder)/smaps_rollup"), as: UTF8.self)
    let huge = text.split(separator: "\n").first { $0.hasPrefix("AnonHugePages:") }
    let kibibytes = huge.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    #expect(kind == "h" || kibibytes == 0)
    if kind == "h" { print("of huge pages: \(kibibytes) KiB") }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }

  @Test func `a 32-bit program is refused`() throws {
    let path = scratch.path("small")
    let source = "void _start(void) { for (;;) __asm__(\"int $0x80\" ::\"a\"(29)); }"
    _ = try scratch.file("small.c", Array(source.utf8))
    let outcome = try BuiltTool.run(
      program: "cc",
      ["-m32", "-nostdlib", "-static", "-no-pie", "-fno-pie", "-o", path, scratch.path("small.c")])
    if outcome.status != 0 { return }  // a compiler that can't make any
    let child = try StartedProgram(path, [], output: scratch.path("std"))
    Machine.sleep(seconds: 0.1)
    let error = #expect(throws: CheckpointError.self) { try RoundTrip(saving: child.id) }
    guard case .obstacles(let obstacles) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(obstacles.contains { $0.reason.contains("32-bit") })
    try child.kill()
  }
}
