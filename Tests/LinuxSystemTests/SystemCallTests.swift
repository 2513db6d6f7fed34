import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

@Suite struct SystemCallTests {
  @Test func `an error names the call, its subject and the reason`() {
    let error = SystemCallError(call: "pread", subject: "disk.img", errno: .ioError)
    #expect(error.description == "pread of disk.img: Input/output error")
  }

  @Test func `a call that fails throws what the kernel said`() {
    #expect(
      throws: SystemCallError(call: "open", subject: "/no/such", errno: .noSuchFileOrDirectory)
    ) {
      _ = try OwnedDescriptor.open("/no/such", access: .readOnly)
    }
  }

  @Test func `an interrupted call is made again`() throws {
    var calls = 0
    let value = try systemCall("nothing", on: "nobody") { () -> Int in
      calls += 1
      Glibc.errno = EINTR
      return calls < 3 ? -1 : 7
    }
    #expect(value == 7)
    #expect(calls == 3)
  }

  @Test func `a path with a zero in it names no file`() {
    #expect(throws: SystemCallError(call: "stat", subject: "/tmp\0x", errno: .invalidArgument)) {
      try Files.status(of: "/tmp\0x")
    }
    #expect(!Files.exists("/tmp\0x"))
  }
}
