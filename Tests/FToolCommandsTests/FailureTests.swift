import BlockStorage
import FToolCommands
import LinuxSystem
import Raid
import SystemPackage
import Testing

@Suite struct FailureTests {
  private struct Surprise: Error {}

  @Test func `is a line, and a second one for the hint`() {
    #expect(Failure(.busy, "a.img is held").text(.plain) == "ftool: error: a.img is held\n")
    #expect(
      Failure(.busy, "a.img is held", hint: "wait").text(.plain)
        == "ftool: error: a.img is held\nftool: hint: wait\n")
  }

  @Test func `is an object with a code`() {
    #expect(
      Failure(.busy, "held", hint: "wait").json.text
        == #"{"type":"error","schema":1,"code":75,"message":"held","hint":"wait"}"#)
    #expect(Failure(.busy, "held").json.text.hasSuffix(#""hint":null}"#))
  }

  @Test func `of several things lists each, with what to do about it`() {
    var failure = Failure(.failed, "2 obstacles")
    failure.particulars = [.init("a: held", hint: "wait"), .init("b: gone")]
    #expect(
      failure.text(.plain) == """
        ftool: error: 2 obstacles
          a: held
            to do: wait
          b: gone

        """)
    #expect(
      failure.json.text.hasSuffix(
        #""message":"2 obstacles","hint":null,"particulars":[{"message":"a: held","hint":"wait"},{"message":"b: gone","hint":null}]}"#
      ))
  }

  @Test func `passes through the catch-all unchanged, and all else is a bug`() {
    let failure = Failure(.damaged, "lost")
    #expect(Failure(unexpected: failure) == failure)
    #expect(Failure(unexpected: Surprise()).status == .bug)
    #expect(Failure(unexpected: Surprise()).message.contains("Surprise"))
  }

  @Test func `of a system call names the thing, the call and the reason`() throws {
    let error = try #require(throws: SystemCallError.self) {
      _ = try Files.contents(of: "no/such/file")
    }
    #expect(Failure(unexpected: error).status == .notFound)
    #expect(Failure(error).message == "no/such/file: open: No such file or directory")
  }

  @Test func `of a file of sums names the file and ends with 74`() {
    for cause: DeviceError in [
      .unwritable(offset: 4096, errno: .ioError), .full(offset: 0), .flushFailed(.ioError),
      .gone(.noSuchAddressOrDevice), .truncated(offset: 8192),
    ] {
      let failure = Failure(RaidError.sumsFile(name: "a.sums", cause))
      #expect(failure.status.code == 74)
      #expect(failure.message.contains("the file of sums a.sums"))
      #expect(failure.hint?.contains("scrub --sums-file") == true)
    }
  }

  @Test func `of a signal ends with 128 and its number`() {
    #expect(Failure.interrupted(signal: 2).status.code == 130)
    #expect(Failure.interrupted(signal: 15).hint?.contains("again") == true)
  }
}
