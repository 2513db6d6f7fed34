import FToolTestSupport
import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct OwnedDescriptorTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func file(_ name: String = "file") throws -> OwnedDescriptor {
    try OwnedDescriptor.open(
      scratch.path(name), access: .readWrite, options: [.create, .exclusive])
  }

  @Test func `closes what it opened`() throws {
    let path = scratch.path("unique name")
    do {
      let file = try OwnedDescriptor.open(path, access: .readWrite, options: .create)
      #expect(openPaths().contains(path))
      #expect(try file.size == 0)
    }
    #expect(!openPaths().contains(path))
  }

  @Test func `says close-on-exec`() throws {
    let file = try file()
    #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    let input = try OwnedDescriptor.standardError()
    #expect(fcntl(input.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    #expect(input.descriptor > 2)
  }

  @Test func `reads back what it wrote, and less at the end`() throws {
    let file = try file()
    var random = SeededGenerator(seed: 1)
    let bytes = random.bytes(10_000)
    let source = AlignedBuffer(bytes)
    try file.write(source.bytes, range: 100..<9_000, at: 5_000)
    #expect(try file.size == 5_000 + 8_900)
    var target = AlignedBuffer(byteCount: 10_000)
    var span = target.mutableBytes
    #expect(try file.read(into: &span, range: 0..<10_000, at: 5_000) == 8_900)
    #expect(Array(target.array.prefix(8_900)) == Array(bytes[100..<9_000]))
    #expect(target.array.suffix(1_100).allSatisfy { $0 == 0 })
    var other = target.mutableBytes
    #expect(try file.read(into: &other, range: 0..<10, at: 1 << 40) == 0)
    #expect(try file.read(into: &other, range: 5..<5, at: 0) == 0)
  }

  @Test(arguments: [1, 3, 1023, 1024, 1025, 2500])
  func `gathers and scatters any number of pieces`(count: Int) throws {
    let file = try file()
    var random = SeededGenerator(seed: UInt64(count))
    let source = AlignedBuffer(random.bytes(count * 16))
    var pieces = (0..<count).map { $0 * 16..<$0 * 16 + Int.random(in: 0...16, using: &random) }
    pieces.shuffle(using: &random)
    try file.write(source.bytes, pieces: pieces, at: 77)
    let expected = pieces.flatMap { source.array[$0] }
    #expect(try file.size == (expected.isEmpty ? 0 : 77 + expected.count))
    var target = AlignedBuffer(byteCount: count * 16)
    var span = target.mutableBytes
    #expect(try file.read(into: &span, pieces: pieces, at: 77) == expected.count)
    #expect(pieces.flatMap { target.array[$0] } == expected)
    // One byte past the end is one byte less.
    var late = target.mutableBytes
    if expected.count > 0 {
      #expect(try file.read(into: &late, pieces: pieces, at: 78) == expected.count - 1)
    }
  }

  @Test func `a stream gives all it has, then nothing`() throws {
    let (readerNumber, writerNumber) = pipeEnds()
    var random = SeededGenerator(seed: 2)
    let bytes = random.bytes(300_000)  // more than a pipe holds
    let collected = Monitor<[UInt8]>([])
    let thread = try WorkerThread {
      let own = OwnedDescriptor(owning: readerNumber, name: "a pipe")
      var buffer = AlignedBuffer(byteCount: 70_000)
      while true {
        var span = buffer.mutableBytes
        guard let count = try? own.readStream(into: &span, range: 0..<70_000), count > 0 else {
          break
        }
        collected.withLock { $0 += buffer.array.prefix(count) }
      }
    }
    let source = AlignedBuffer(bytes)
    do {
      let writer = OwnedDescriptor(owning: writerNumber, name: "a pipe")
      try writer.writeStream(source.bytes, range: 0..<bytes.count)
    }
    thread.join()
    #expect(collected.withLock { $0 } == bytes)
  }

  @Test func `writing to a pipe that nobody reads is an error of its own`() throws {
    signal(SIGPIPE, SIG_IGN)
    let (readerNumber, writerNumber) = pipeEnds()
    close(readerNumber)
    let writer = OwnedDescriptor(owning: writerNumber, name: "a pipe")
    let buffer = AlignedBuffer(byteCount: 10)
    do throws(SystemCallError) {
      try writer.writeStream(buffer.bytes, range: 0..<10)
      Issue.record("it was written")
    } catch {
      #expect(error == SystemCallError(call: "write", subject: "a pipe", errno: .brokenPipe))
    }
  }

  @Test func `knows what it opened`() throws {
    let path = try scratch.directory.file("a", [1, 2, 3])
    #expect(symlink(path, scratch.path("link")) == 0)
    #expect(link(path, scratch.path("hard")) == 0)
    let file = try OwnedDescriptor.open(path, access: .readOnly)
    #expect(try file.kind == .regular)
    #expect(try file.size == 3)
    #expect(try file.sectorSize == 512)
    for other in ["link", "hard"] {
      let identity = try Files.identity(of: scratch.path(other))
      #expect(try file.identity == identity)
    }
    let copy = try Files.identity(of: scratch.directory.file("b", [1, 2, 3]))
    #expect(try file.identity != copy)
    let pipe = Pipe()
    #expect(try pipe.reader.kind == .pipe)
    #expect(try OwnedDescriptor.open("/dev/null", access: .readOnly).kind == .character)
    #expect(
      try OwnedDescriptor.open("/", access: .readOnly, options: .directory).kind == .directory)
  }

  @Test func `exclusive creation refuses what is there`() throws {
    _ = try file()
    #expect(
      throws: SystemCallError(call: "open", subject: scratch.path("file"), errno: .fileExists)
    ) {
      _ = try file()
    }
    try Files.unlink(scratch.path("file"))
    _ = try file()
  }

  @Test func `a failed transfer says how far it came`() throws {
    // Address 0 of a process is never mapped; a page of ours is.
    let memory = try OwnedDescriptor.open("/proc/self/mem", access: .readOnly)
    var buffer = AlignedBuffer(byteCount: 4096)
    var span = buffer.mutableBytes
    do throws(SystemCallError) {
      _ = try memory.read(into: &span, range: 0..<4096, at: 0)
      Issue.record("it was read")
    } catch {
      #expect(error.call == "pread")
      #expect(error.subject == "/proc/self/mem")
      #expect(error.errno == .ioError)
      #expect(error.transferredByteCount == 0)
    }
    let pages = mmap(nil, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    munmap(pages + 4096, 4096)
    defer { munmap(pages, 4096) }
    do throws(SystemCallError) {
      var other = buffer.mutableBytes
      _ = try memory.read(into: &other, range: 0..<4096, at: Int(bitPattern: pages) + 4000)
      Issue.record("it was read")
    } catch {
      #expect(error.transferredByteCount == 96)
    }
  }

  @Test func `syncs, shortens and lengthens`() throws {
    let file = try file()
    try file.truncate(to: 5000)
    #expect(try file.size == 5000)
    try file.synchronize()
    try file.synchronizeAll()
    try file.truncate(to: 10)
    #expect(try file.size == 10)
    #expect(throws: SystemCallError.self) { try file.truncate(to: -1) }
  }

  @Test func `a range outside the buffer ends the program`() async {
    await #expect(processExitsWith: .failure) {
      let file = try OwnedDescriptor.open("/dev/zero", access: .readOnly)
      var buffer = AlignedBuffer(byteCount: 10)
      var span = buffer.mutableBytes
      _ = try file.read(into: &span, range: 5..<11, at: 0)
    }
  }

  private func openPaths() -> [String] {
    let numbers = (try? Files.list("/proc/self/fd")) ?? []
    return numbers.compactMap { try? Files.realPath("/proc/self/fd/\($0)") }
  }
}

/// A scratch directory that a suite can store: suites are copied, directories are not.
final class Scratch: Sendable {
  let directory: ScratchDirectory
  init() throws { directory = try ScratchDirectory() }
  func path(_ name: String) -> String { directory.path(name) }
}

/// The numbers of a pipe's reading and writing ends.
func pipeEnds() -> (CInt, CInt) {
  var ends: [CInt] = [-1, -1]
  precondition(Glibc.pipe(&ends) == 0)
  return (ends[0], ends[1])
}

/// Both ends of a pipe.
struct Pipe: ~Copyable {
  let reader: OwnedDescriptor
  let writer: OwnedDescriptor

  init() {
    let (readerNumber, writerNumber) = pipeEnds()
    reader = OwnedDescriptor(owning: readerNumber, name: "a pipe")
    writer = OwnedDescriptor(owning: writerNumber, name: "a pipe")
  }
}
