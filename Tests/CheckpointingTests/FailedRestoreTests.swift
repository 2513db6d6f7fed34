import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

@testable import Checkpointing

/// A restore that fails leaves nothing of what it had made, and takes nothing away.
@Suite(.serialized, .needs("cc"), .choosesNumbers) struct FailedRestoreTests: ~Copyable {
  let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  @Test(arguments: [false, true])
  func `what outlives processes is as before`(isLeft: Bool) throws {
    let program = try CompiledProgram("leftovers", in: scratch)
    // In memory, where files are kept with what is mapped of them.
    let memory = "/dev/shm/ftool-test-\(ProcessID.current)-\(isLeft)"
    defer { try? Files.unlink(memory) }
    let socket = scratch.path("socket")
    let child = try program.start([memory, socket], output: scratch.path("std"))
    while try !scratch.text("std").hasSuffix("\n") { Machine.sleep(seconds: 0.01) }
    let numbers = try scratch.text("std").split { !$0.isNumber }.compactMap { Int32($0) }
    let (segment, port) = (numbers[0], numbers[1])
    let trip = try RoundTrip(saving: child.id)
    try child.kill()
    // What the processes have left may be there, or be gone.
    if !isLeft {
      try Files.unlink(memory)
      try Files.unlink(socket)
      try SystemVMemory.remove(segment)
    }
    let before = try contents(memory, socket)
    do {
      let taken = try OwnedDescriptor.makeSocket(family: 2, type: 1, protocol: 0)
      try taken.setOption(2, to: 1)
      let high = UInt8(port >> 8)
      try taken.bind(
        to: [2, 0, high, UInt8(port & 0xff), 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8))
      try taken.listen(backlog: 1)
      let error = #expect(throws: CheckpointError.self) { try trip.restore() }
      #expect("\(String(describing: error))".contains("it is in use by another process"))
    }
    #expect(!child.id.exists)
    #expect((try? SystemVMemory(status: segment)) == nil)
    #expect(try contents(memory, socket) == before)
    try trip.restore()
    #expect(try contents(memory, socket).count == 2)
    try child.id.send(signal: SIGTERM)
    #expect(try child.wait() == 0)
    #expect(try contents(memory, socket) == [])
  }

  @Test func `a port that is held for a moment longer is waited for`() throws {
    let program = try CompiledProgram("leftovers", in: scratch)
    let memory = "/dev/shm/ftool-test-\(ProcessID.current)-held"
    defer { try? Files.unlink(memory) }
    let child = try program.start([memory, scratch.path("socket")], output: scratch.path("std"))
    while try !scratch.text("std").hasSuffix("\n") { Machine.sleep(seconds: 0.01) }
    let numbers = try scratch.text("std").split { !$0.isNumber }.compactMap { Int32($0) }
    let trip = try RoundTrip(saving: child.id)
    try child.kill()
    // A process that is there for a moment holds it.
    let holder = try StartedProgram(
      "perl",
      [
        "-MSocket", "-e",
        "socket(S, AF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);"
          + "bind(S, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) && listen(S, 1) or die; print qq(held\n);"
          + "close STDOUT; select(undef, undef, undef, 0.3)",
        "\(numbers[1])",
      ], output: scratch.path("holder"))
    while try scratch.text("holder") != "held\n" { Machine.sleep(seconds: 0.002) }
    try trip.restore()
    #expect(try holder.wait() == 0)
    try child.id.send(signal: SIGTERM)
    #expect(try child.wait() == 0)
  }

  /// The names that are there and no other beside them, with their kinds.
  private borrowing func contents(_ memory: String, _ socket: String) throws -> [String] {
    let name = memory.dropFirst("/dev/shm/".count)
    let folder = try Files.list("/dev/shm").filter { $0.contains(name) }
    let sockets = try Files.list(Files.directory(of: socket)).filter { $0.contains("socket") }
    return folder.map { "\($0) \((try? Files.kind(of: "/dev/shm/\($0)")) == .regular)" } + sockets
  }
}
