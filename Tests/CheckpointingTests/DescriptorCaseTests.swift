import FToolTestSupport
import LinuxSystem
import Testing

@testable import Checkpointing

/// What is easily lost of descriptors: each case is prepared by a program, saved, killed and brought back
/// twice, and then the program looks whether anything is missing.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct DescriptorCaseTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  static let programs = ["unixcases", "filecases", "netcases", "terminalcases"]

  @Test(arguments: programs) func `every case comes back`(_ name: String) throws {
    let program = try CompiledProgram(name, in: scratch, options: ["-lutil"])
    for name in try program.cases() {
      let said = scratch.path("\(name)-said")
      let child = try program.start([name, scratch.path(name)], output: said)
      guard try child.getsReady(said) else { continue }
      for _ in 0..<2 {
        let trip = try RoundTrip(saving: child.id)
        try child.killTree()
        try trip.restore()
      }
      _ = try OwnedDescriptor.open(
        scratch.path(name) + "/go", access: .writeOnly, options: [.create])
      let status = try child.wait()
      let text = try scratch.text("\(name)-said")
      #expect(status == 0, "\(name): \(text)")
    }
  }

  /// What `check` has to say of each case of the program `refused`.
  static let refusals = [
    "packet": "a packet socket", "netlink": "a netlink socket", "raw": "a raw socket",
    "vsock": "AF_VSOCK", "crypto": "AF_ALG", "fanotify": "fanotify", "userfault": "userfaultfd",
    "ring": "io_uring", "perf": "perf_event_open", "bpf": "bpf(2)", "landlock": "landlock",
    "queue": "message queue", "namespace": "a namespace", "device": "device 1:11",
    "dnotify": "F_NOTIFY", "lease": "F_SETLEASE", "outofband": "out of band",
    "rights": "carries descriptors", "pending": "wait to be accepted", "corked": "MSG_MORE",
    "ended": "was a TCP connection", "unasked": "was a TCP connection",
    "program": "program of bpf(2)", "held": "output is held", "discipline": "line discipline",
    "watched": "events that nobody has read", "sibling": "is shared with process",
    "removed": "the directory has been removed", "replaced": "does not lead to it any more",
    "foreign": "outside of the tree", "relative": "is bound to the relative path name",
  ]

  @Test func `what can't be saved is named`() throws {
    let program = try CompiledProgram("refused", in: scratch, options: ["-lutil", "-lrt"])
    let cases = try program.cases()
    #expect(Set(cases) == Set(Self.refusals.keys))
    for name in cases {
      let said = scratch.path("\(name)-said")
      let child = try program.start([name, scratch.path(name)], output: said)
      guard try child.getsReady(said) else { continue }
      let line = try scratch.text("\(name)-said").split(separator: "\n")
        .first { $0.hasPrefix("child ") }
      let target = line.flatMap { Int32($0.dropFirst(6)) }.map(ProcessID.init) ?? child.id
      let obstacles = try Self.obstacles(of: target)
      let words = Self.refusals[name] ?? "?"
      #expect(
        obstacles.contains { $0.process == target && $0.reason.contains(words) },
        "\(name): \(obstacles.map(\.reason))")
      if name == "watched" { #expect(obstacles.count == 1) }
      try child.killTree()
    }
  }

  /// At once, also where waiting might help.
  private static func obstacles(of target: ProcessID) throws -> [Obstacle] {
    let freezer = ProcessFreezer(root: target, withDescendants: true, limit: .seconds(10))
    defer { freezer.release() }
    try freezer.freeze()
    do throws(CheckpointError) {
      let options = SaveOptions()
      let standstill = Standstill(of: freezer.root, limit: nil, options.watch)
      return OutsideHolders(try TreeCapture(freezer.processes, options, standstill)).obstacles()
    } catch {
      guard case .obstacles(let obstacles) = error else { throw error }
      return obstacles
    }
  }
}

extension StartedProgram {
  /// Waits until a program of cases has prepared one. False for a case that this machine can't have.
  func getsReady(_ output: String) throws -> Bool {
    let end = ContinuousClock.now + .seconds(30)
    while true {
      let said = String(decoding: try Files.contents(of: output), as: UTF8.self)
      if said.contains("ready") { return true }
      if said.contains("skipped") {
        _ = try wait()
        return false
      }
      try #require(ContinuousClock.now < end, "it does not get ready: \(said)")
      Machine.sleep(seconds: 0.003)
    }
  }
}

extension CompiledProgram {
  /// The cases that a program of cases has.
  func cases() throws -> [String] {
    let outcome = try BuiltTool.run(program: path, [])
    try #require(outcome.status == 0)
    return outcome.outputText.split(separator: "\n").map(String.init)
  }
}
