import CheckpointFormat
import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

@testable import Checkpointing

/// Pages that processes share since a fork are saved once, and shared again afterwards.
@Suite(.serialized, .choosesNumbers) struct SharedPagesTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(arguments: [SaveOptions.Afterwards.running, .dead])
  func `a forked tree takes no more memory than before`(
    _ afterwards: SaveOptions.Afterwards
  ) throws {
    let program = try CompiledProgram("forked", in: scratch, options: ["-no-pie"])
    let child = try program.start([scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let before = try memory(of: child.id)
    for round in 0..<2 {
      let image = ImageFile(at: scratch.path("image"))
      let report = try image.save(child.id, afterwards)
      #expect(report.image.totals.memoryByteCount < 100 << 20)
      try child.killTree()
      try image.restore()
      let after = try memory(of: child.id)
      #expect(after < before + before / 10, "round \(round): \(before) bytes, then \(after)")
    }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
    #expect(try scratch.text("std") == "ready\n")
  }

  /// Read by several at once, each of which finds pages that another has found.
  @Test(arguments: [SaveOptions.Afterwards.running, .dead], [1, 2, 5])
  func `pages that are there often are saved once and come back everywhere`(
    _ afterwards: SaveOptions.Afterwards, _ workers: Int
  ) throws {
    let program = try CompiledProgram("repeated", in: scratch, options: ["-O2"])
    let child = try program.start(["96", scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    for _ in 0..<2 {
      let image = ImageFile(at: scratch.path("image"))
      let report = try image.save(child.id, afterwards) { $0.workers = workers }
      // About 700 that are there often, and a quarter that are there once; and what the child has changed.
      #expect((20 << 20..<48 << 20).contains(report.image.totals.memoryByteCount))
      #expect(report.image.totals.referenceCount > PageReference.frameLimit)
      try child.killTree()
      try image.restore()
    }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }

  /// The argument is the seed of what the processes do.
  @Test(arguments: UInt64(1)...4)
  func `memory in many pieces comes back as it was`(_ seed: UInt64) throws {
    let program = try CompiledProgram("fragments", in: scratch, options: ["-O2"])
    let child = try program.start(
      ["16", "\(seed)", scratch.path("end")], output: scratch.path("std"))
    var random = SeededGenerator(seed: seed)
    for _ in 0..<3 {
      Machine.sleep(seconds: Double.random(in: 0.05...0.25, using: &random))
      let image = ImageFile(at: scratch.path("image"))
      _ = try image.save(child.id, Bool.random(using: &random) ? .running : .dead) {
        $0.workers = Int.random(in: 1...4, using: &random)
      }
      try child.killTree()
      try image.restore()
    }
    _ = try scratch.file("end", [])
    let status = try child.wait()
    let text = try scratch.text("std")
    #expect(status == 0, "seed \(seed): \(text)")
  }

  @Test func `the list of areas is the same`() throws {
    let program = try CompiledProgram("forked", in: scratch)
    let child = try program.start([scratch.path("end")], output: scratch.path("std"))
    while try scratch.text("std") != "ready\n" { Machine.sleep(seconds: 0.01) }
    let before = try tree(child.id).map { try MemoryArea.all(of: $0, withFlags: false) }
    let image = ImageFile(at: scratch.path("image"))
    _ = try image.save(child.id, .dead)
    try child.killTree()
    try image.restore()
    let after = try tree(child.id).map { try MemoryArea.all(of: $0, withFlags: false) }
    for (old, new) in zip(before, after) {
      let old = old.map { "\($0.addresses) \($0.name)" }
      let new = new.map { "\($0.addresses) \($0.name)" }
      #expect(old == new)
    }
    _ = try scratch.file("end", [])
    #expect(try child.wait() == 0)
  }

  private func tree(_ root: ProcessID) throws -> [ProcessID] {
    var tree = [root]
    var next = 0
    while next < tree.count {
      tree += try tree[next].children()
      next += 1
    }
    return tree
  }

  /// The memory that a tree takes, what is shared counted once.
  private func memory(of root: ProcessID) throws -> Int {
    try tree(root).reduce(0) { sum, process in
      let text = String(
        decoding: try Files.contents(of: "\(process.folder)/smaps_rollup"), as: UTF8.self)
      let line = text.split(separator: "\n").first { $0.hasPrefix("Pss:") }
      return sum + (line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0) << 10
    }
  }
}

/// Saves again where all that is in the way is what other tests are just making out of this process: it has copies
/// of the descriptors that the save has taken.
func patiently(_ save: () throws -> SaveReport) throws -> SaveReport {
  let end = ContinuousClock.now + .seconds(30)
  while true {
    do {
      return try save()
    } catch CheckpointError.obstacles(let obstacles)
      where ContinuousClock.now < end
      && obstacles.allSatisfy({ $0.reason.contains("ftoolPackageTests.xctest") })
    {
      Machine.sleep(seconds: 0.1)
    }
  }
}

/// An image in a file, as the commands make and use it.
struct ImageFile {
  let path: String

  init(at path: String) { self.path = path }

  func save(
    _ root: ProcessID, _ afterwards: SaveOptions.Afterwards = .running,
    _ change: (inout SaveOptions) -> Void = { _ in }
  ) throws -> SaveReport {
    var options = SaveOptions()
    options.afterwards = afterwards
    options.folder = Files.directory(of: path)
    change(&options)
    return try patiently {
      let file = try OwnedDescriptor.open(path, access: .readWrite, options: [.create])
      try file.truncate(to: 0)
      return try Checkpoint.save(root, to: file, options, isDurable: false) {}
    }
  }

  func restore(_ options: RestoreOptions = RestoreOptions()) throws {
    let reader = try ImageReader(OwnedDescriptor.open(path, access: .readOnly))
    _ = try Checkpoint.restore(reader, options)
  }
}
