import FToolTestSupport
import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct FilesTests {
  let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func `makes, lists, renames and removes`() throws {
    try Files.makeDirectory(scratch.path("a/b/c"), withParents: true)
    try Files.makeDirectory(scratch.path("a/b/c"), withParents: true)
    #expect(throws: SystemCallError.self) { try Files.makeDirectory(scratch.path("a")) }
    try scratch.directory.file("z", [])
    try scratch.directory.file("y", [1])
    #expect(try Files.list(scratch.path(".")) == ["a", "y", "z"])
    try Files.rename(scratch.path("y"), to: scratch.path("z"))
    #expect(try Files.contents(of: scratch.path("z")) == [1])
    try Files.unlink(scratch.path("z"))
    try Files.removeDirectory(scratch.path("a/b/c"))
    #expect(!Files.exists(scratch.path("a/b/c")))
    #expect(try Files.kind(of: scratch.path("a")) == .directory)
    #expect(throws: SystemCallError(call: "opendir", subject: "/no", errno: .noSuchFileOrDirectory))
    {
      try Files.list("/no")
    }
  }

  @Test func `makes files of one hole`() throws {
    let path = scratch.path("hole")
    try Files.createSparse(path, size: 1 << 40)
    #expect(try Files.status(of: path).byteCount == 1 << 40)
    #expect(try Files.status(of: path).allocatedByteCount == 0)
    #expect(throws: SystemCallError(call: "open", subject: path, errno: .fileExists)) {
      try Files.createSparse(path, size: 1)
    }
    try Files.createSparse(path, size: 7, exclusive: false)
    #expect(try Files.contents(of: path) == [UInt8](repeating: 0, count: 7))
    #expect(throws: SystemCallError.self) {
      // Some filesystems refuse the greatest size and some do not; a size below zero, all do.
      try Files.createSparse(scratch.path("huge"), size: -1)
    }
    #expect(!Files.exists(scratch.path("huge")))
  }

  @Test func `reads small files, and refuses large ones`() throws {
    let path = try scratch.directory.file("f", [UInt8](repeating: 5, count: 200_000))
    #expect(try Files.contents(of: path).count == 200_000)
    #expect(throws: SystemCallError(call: "read", subject: path, errno: .fileTooLarge)) {
      try Files.contents(of: path, limit: 199_999)
    }
    #expect(try !Files.contents(of: "/proc/self/mountinfo").isEmpty)
  }

  @Test func `resolves paths`() throws {
    let path = try scratch.directory.file("f", [])
    #expect(symlink("f", scratch.path("link")) == 0)
    #expect(try Files.realPath(scratch.path("./link")) == path)
    #expect(Files.directory(of: "a") == ".")
    #expect(Files.directory(of: "/a") == "/")
    #expect(Files.directory(of: "b/a") == "b")
  }

  @Test func `replaces a file at once, or not at all`() throws {
    let path = try scratch.directory.file("state", [1, 2, 3])
    #expect(chmod(path, 0o640) == 0)
    let new = AlignedBuffer([4, 5])
    try Files.atomicReplace(path) { file throws(SystemCallError) in
      try file.write(new.bytes, range: 0..<2, at: 0)
      #expect((try? Files.contents(of: path)) == [1, 2, 3])
    }
    #expect(try Files.contents(of: path) == [4, 5])
    #expect(try Files.status(of: path).permissions == 0o640)

    let refusal = SystemCallError(call: "x", subject: "y", errno: .noSpace)
    #expect(throws: refusal) {
      try Files.atomicReplace(path) { _ throws(SystemCallError) in throw refusal }
    }
    #expect(try Files.contents(of: path) == [4, 5])
    #expect(try Files.list(scratch.path(".")) == ["state"])
  }

  @Test func `replaces what a link leads to, and makes what is not there`() throws {
    let path = try scratch.directory.file("state", [1])
    #expect(symlink("state", scratch.path("link")) == 0)
    let new = AlignedBuffer([9])
    try Files.atomicReplace(scratch.path("link")) { file throws(SystemCallError) in
      try file.write(new.bytes, range: 0..<1, at: 0)
    }
    #expect(try Files.contents(of: path) == [9])
    #expect(try Files.realPath(scratch.path("link")) == path)
    try Files.atomicReplace(scratch.path("new"), permissions: 0o600) { _ throws(SystemCallError) in
    }
    #expect(try Files.status(of: scratch.path("new")).permissions == 0o600)
  }

  @Test func `temporary names are new, near and short enough`() {
    let long = "/d/" + String(repeating: "é", count: 127)
    for path in ["/a/b", "b", long] {
      let name = Files.temporaryName(beside: path)
      #expect(Files.directory(of: name) == Files.directory(of: path))
      #expect(name != Files.temporaryName(beside: path))
      #expect(FilePath(name).lastComponent!.string.utf8.count <= 255)
    }
  }
}

@Suite struct MachineTests {
  @Test func `tells what it is`() {
    #expect(Machine.cores >= 1)
    #expect(Machine.pageSize >= 4096)
    #expect(!Machine.hostName.isEmpty && !Machine.hostName.contains("."))
    #expect(Machine.environment("PATH") != nil)
    #expect(Machine.environment("FTOOL_NO_SUCH_VARIABLE") == nil)
    #expect(Machine.randomBytes(16) != Machine.randomBytes(16))
    #expect(Machine.randomBytes(3).count == 3)
    #expect(Machine.now().seconds > 1_700_000_000)
    #expect(Machine.now().microseconds < 1_000_000)
  }

  @Test func `its clock goes forward, and it sleeps as long as told`() {
    let start = Machine.monotonicSeconds()
    Machine.sleep(seconds: 0.02)
    #expect(Machine.monotonicSeconds() - start >= 0.02)
    Machine.sleep(seconds: -1)
  }
}
