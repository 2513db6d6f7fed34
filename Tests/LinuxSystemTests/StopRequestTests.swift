import FToolTestSupport
import Glibc
import SystemPackage
import Testing

@testable import LinuxSystem

// Signals are for whole processes, so each of these has one of its own.
// They are raised, which returns when they have come; threads of Swift's own pool block them at first.
@Suite struct StopRequestTests {
  @Test(arguments: [SIGHUP, SIGINT, SIGTERM])
  func `notes the first signal`(signal: Int32) async {
    await #expect(processExitsWith: .exitCode(10)) { [signal = signal as Int32] in
      let stop = StopRequest.install()
      receiveSignals()
      if stop.signal != nil { exitTest(1) }
      raise(signal)
      exitTest(stop.signal == signal ? 10 : 2)
    }
  }

  @Test func `the second signal does what signals do`() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      let stop = StopRequest.install()
      receiveSignals()
      raise(SIGINT)
      if stop.signal != SIGINT { exitTest(1) }
      Machine.sleep(seconds: 0.6)
      raise(SIGTERM)
      exitTest(2)
    }
  }

  @Test func `what comes at once is the first one's echo`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      let stop = StopRequest.install()
      receiveSignals()
      raise(SIGTERM)
      raise(SIGTERM)
      raise(SIGINT)
      exitTest(stop.signal == SIGTERM ? 10 : 1)
    }
  }

  @Test func `after a wish that was forgotten there is a first one again`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      let stop = StopRequest.install()
      receiveSignals()
      raise(SIGTERM)
      stop.forget()
      Machine.sleep(seconds: 0.6)
      raise(SIGINT)
      exitTest(stop.signal == SIGINT ? 10 : 1)
    }
  }

  @Test func `a status is asked for, and told once`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      let stop = StopRequest.install()
      receiveSignals()
      if stop.takeStatusRequest() { exitTest(1) }
      raise(SIGUSR1)
      if !stop.takeStatusRequest() { exitTest(2) }
      exitTest(stop.takeStatusRequest() || stop.signal != nil ? 3 : 10)
    }
  }

  @Test func `broken pipes and window changes are survived`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      StopRequest.install()
      receiveSignals()
      raise(SIGPIPE)
      raise(SIGWINCH)
      exitTest(10)
    }
  }

  @Test func `a reader that waits for input is woken, by any thread's signal`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      let stop = StopRequest.install()
      receiveSignals()
      let pipe = Pipe()
      let thread = try WorkerThread {
        Machine.sleep(seconds: 0.1)
        kill(getpid(), SIGINT)
      }
      var buffer = AlignedBuffer(byteCount: 100)
      let some = AlignedBuffer([1, 2, 3])
      try pipe.writer.writeStream(some.bytes, range: 0..<3)
      var span = buffer.mutableBytes
      do throws(SystemCallError) {
        _ = try pipe.reader.readStream(into: &span, range: 0..<100)
      } catch {
        thread.join()
        _ = try pipe.writer.kind  // it was open until now: the input has not ended
        let isRight = error.errno == .interrupted && error.transferredByteCount == 3
        exitTest(isRight && stop.signal == SIGINT ? 10 : 2)
      }
      exitTest(1)
    }
  }

  @Test func `what a shell ignored stays ignored`() async {
    await #expect(processExitsWith: .exitCode(10)) {
      signal(SIGINT, SIG_IGN)
      let stop = StopRequest.install()
      receiveSignals()
      raise(SIGINT)
      raise(SIGINT)
      exitTest(stop.signal == nil ? 10 : 1)
    }
  }

  @Test func `a program can die of the signal that stopped it`() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      let stop = StopRequest.install()
      receiveSignals()
      stop.stop(as: SIGTERM)
      if stop.signal != SIGTERM { exitTest(1) }
      stop.forget()
      if stop.signal != nil { exitTest(2) }
      StopRequest.dieOf(SIGINT)
      exitTest(3)
    }
  }
}
