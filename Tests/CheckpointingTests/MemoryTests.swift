import BinaryCodec
import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

@testable import Checkpointing

/// Memory of every kind comes back, and looks as it did.
@Suite(.serialized, .choosesNumbers) struct MemoryTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(
    .needs("cc"), arguments: ["sharedmemory", "segments", "deletedfiles", "layout"], [0.1, 0.25])
  func `survives several rounds`(_ name: String, _ delay: Double) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    for _ in 0..<3 {
      Machine.sleep(seconds: delay)
      if try ProcessStatus(of: child.id).state == "Z" {
        Issue.record("ended with \(try child.wait()): \(try scratch.text("std"))")
        return
      }
      let trip: RoundTrip
      do {
        trip = try RoundTrip(saving: child.id)
      } catch {
        let status = try child.wait()
        Issue.record("\(error); ended with \(status): \(try scratch.text("std"))")
        return
      }
      Machine.sleep(seconds: 0.02)
      try child.killTree()
      try trip.restore()
    }
    #expect(try child.wait() == 0)
    #expect(try scratch.text("std") == "")
  }

  @Test(.needs("cc"), arguments: ["sharedmemory", "segments", "deletedfiles", "layout"])
  func `runs on when it was only looked at`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    for _ in 0..<20 {
      Machine.sleep(seconds: 0.01)
      _ = try RoundTrip(saving: child.id)
    }
    #expect(try child.wait() == 0)
  }

  /// Such a process has copies of all descriptors, also of those by which memory is filled.
  @Test(.needs("cc")) func `is its own again although a process was made meanwhile`() throws {
    let program = try CompiledProgram("bulk", in: scratch)
    let child = try program.start(["64", "s", scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let image = ImageFile(at: scratch.path("image"))
    _ = try image.save(child.id, .dead)
    try child.killTree()
    let copies = Monitor<[CInt]>([])
    defer { for copy in copies.withLock({ $0 }) { close(copy) } }
    var options = RestoreOptions()
    options.watch = JobWatch { _, _ in
      copies.withLock { if $0.isEmpty { $0 = Self.copiesOfFillers() } }
      return true
    }
    try image.restore(options)
    #expect(copies.withLock { !$0.isEmpty })
    let watched = try MemoryArea.all(of: child.id).filter { $0.flags.contains("um") }
    #expect(watched.isEmpty)
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }

  private static func copiesOfFillers() -> [CInt] {
    let numbers = (try? DescriptorInfo.numbers(of: .current)) ?? []
    return numbers.filter {
      (try? DescriptorInfo($0, of: .current))?.link == "anon_inode:[userfaultfd]"
    }.map { dup($0) }
  }

  @Test(.needs("cc"), arguments: ["layout", "deletedfiles", "sharedmemory", "segments"])
  func `the list of areas is the same`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch)
    let child = try program.start([scratch.path("argument")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.3)
    try compareAreas(of: child)
    // To its end: what others could find is removed by then.
    try child.goOn()
    #expect(try child.wait() == 0)
  }

  @Test(.needs("python3")) func `the list of areas is the same for Python`() throws {
    let script =
      "import hashlib, json, threading, time; print('ready', flush=True); time.sleep(60)"
    let child = try startReady("python3", ["-c", script])
    try compareAreas(of: child)
    try child.killTree()
  }

  @Test(.needs("node")) func `the list of areas is the same for Node`() throws {
    let child = try startReady("node", ["-e", "setInterval(() => 1, 20); console.log('ready')"])
    try compareAreas(of: child)
    try child.killTree()
  }

  /// BeanShell runs Java source where there is no compiler.
  @Test(.needs("bsh")) func `the list of areas is the same for a JVM`() throws {
    let source = "System.out.println(\"ready\"); Thread.sleep(60000);"
    let path = try scratch.file("waiting.bsh", Array(source.utf8))
    let child = try startReady("bsh", [path])
    try compareAreas(of: child)
    try child.killTree()
  }

  /// Starts a program and waits for its word.
  private func startReady(_ program: String, _ arguments: [String]) throws -> StartedProgram {
    let child = try StartedProgram(program, arguments, output: scratch.path("std"))
    for _ in 0..<3000 where !(try scratch.text("std").contains("ready\n")) {
      Machine.sleep(seconds: 0.01)
    }
    return child
  }

  /// Leaves it restored and stopped.
  private func compareAreas(of child: StartedProgram) throws {
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
  }

  /// What shows of an area but for what it is by chance.
  private static func looks(_ area: MemoryArea) -> String {
    let flags = area.flags.subtracting(["sd", "??"]).sorted().joined(separator: " ")
    return
      "\(String(area.addresses.lowerBound, radix: 16))-\(String(area.addresses.upperBound, radix: 16)) "
      + "\(area.protection.rawValue) \(area.isShared) \(area.fileOffset) \(area.name) \(flags)"
  }

  static let hostile: [@Sendable (inout ProcessState) -> Void] = [
    { $0.areas[1].address = $0.areas[0].address },
    { $0.areas[0].address = 0x7fff_ffff_f000 },
    { $0.areas[0].address = 1 << 50 },
    { $0.areas[0].byteCount = 1 << 55 },
    { $0.areas[0].byteCount = UInt64.max - 4095 },
    { $0.areas[0].guards = [$0.areas[0].address, $0.areas[0].address + (1 << 40)] },
    { $0.areas[0].guards = [4096] },
    {
      $0.areas[0].content = .object
      $0.areas[0].object = 7
    },
    { $0.areas[0].name = "/nowhere/at/all" },
    { $0.areas[0].offset = UInt64.max - 4095 },
    { $0.areas[0].offset = 1 },
    { $0.memory.auxiliaryVector = [UInt8](repeating: 1, count: 1 << 20) },
    { $0.memory.places = [1] },
  ]

  @Test(.needs("cc")) func `areas that can't be are refused`() throws {
    let program = try CompiledProgram("counter", in: scratch)
    let child = try program.start([scratch.path("out")], output: scratch.path("std"))
    Machine.sleep(seconds: 0.1)
    let trip = try RoundTrip(saving: child.id)
    try child.kill()
    for change in Self.hostile {
      var bad = trip
      change(&bad.state.processes[0])
      let error = #expect(throws: (any Error).self) { try bad.restore() }
      #expect(error is CheckpointError || error is FieldError, "\(String(describing: error))")
      #expect(!child.id.exists)
    }
    try trip.restore()
    #expect(try child.wait() == 0)
  }

  /// Memory of small and of huge pages, filled from several threads; and how long that took.
  @Test(.needs("cc"), arguments: ["s", "h"]) func `much memory comes back`(_ kind: String) throws {
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

  @Test(.needs("cc")) func `a 32-bit program is refused`() throws {
    let path = scratch.path("small")
    let source = "void _start(void) { for (;;) __asm__(\"int $0x80\" ::\"a\"(29)); }"
    _ = try scratch.file("small.c", Array(source.utf8))
    let outcome = try BuiltTool.run(
      program: try Programs.require("cc"),
      ["-m32", "-nostdlib", "-static", "-no-pie", "-fno-pie", "-o", path, scratch.path("small.c")])
    if outcome.status != 0 { try Test.cancel("the compiler can't make 32-bit programs") }
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
