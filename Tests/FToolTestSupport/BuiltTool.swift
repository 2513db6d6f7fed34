import Glibc
import LinuxSystem
import SystemPackage

/// A program in a process of its own: the `ftool` built beside the tests, or any other.
package enum BuiltTool {
  /// How a program ended.
  package enum End: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
  }

  /// What came of a run.
  package struct Outcome: Sendable {
    package let end: End
    package let output: [UInt8]
    package let errorOutput: [UInt8]
    /// It was killed because it took too long.
    package let timedOut: Bool

    /// The exit code; nil when a signal ended it.
    package var status: Int32? { if case .exited(let status) = end { status } else { nil } }
    package var outputText: String { String(decoding: output, as: UTF8.self) }
    package var errorText: String { String(decoding: errorOutput, as: UTF8.self) }
  }

  /// The path of the built `ftool`: beside the test bundle that is running.
  package static var path: String {
    get throws { try productsDirectory() + "/ftool" }
  }

  /// Where the build puts programs and test bundles: found by this library's own place in memory, since
  /// the program that runs is the toolchain's under some test runners.
  private static func productsDirectory() throws -> String {
    let maps = try Files.contents(of: "/proc/self/maps")
    let paths = String(decoding: maps, as: UTF8.self).split(separator: "\n").compactMap { line in
      line.firstIndex(of: "/").map { String(line[$0...]) }
    }
    let bundle = paths.first { $0.hasSuffix(".xctest") }
    return Files.directory(of: try bundle ?? Files.realPath("/proc/self/exe"))
  }

  /// Runs `ftool` with these arguments, to its end.
  package static func run(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:],
    directory: String? = nil, timeoutSeconds: Double = 60
  ) throws -> Outcome {
    try run(
      program: path, arguments, input: input, environment: environment, directory: directory,
      timeoutSeconds: timeoutSeconds)
  }

  /// Runs a program (found in PATH) with these arguments, to its end. Variables are added to this
  /// process's own; one that is empty is taken away.
  package static func run(
    program: String, _ arguments: [String], input: [UInt8] = [],
    environment: [String: String] = [:], directory: String? = nil, timeoutSeconds: Double = 60
  ) throws -> Outcome {
    var process = try ToolProcess(
      program: program, arguments, environment: environment, directory: directory)
    return try process.finish(input: input, timeoutSeconds: timeoutSeconds)
  }
}

/// A program that runs; killed when its owner lets go.
package struct ToolProcess: ~Copyable {
  package let processID: Int32
  private var input: CInt
  private var output: CInt
  private var errorOutput: CInt
  private var isReaped = false
  private var received: [UInt8] = []
  private var receivedErrors: [UInt8] = []

  /// Starts it.
  package init(
    program: String, _ arguments: [String], environment: [String: String] = [:],
    directory: String? = nil
  ) throws {
    var (program, arguments) = (program, arguments)
    if let directory {
      arguments = ["-c", "cd \"$0\" && exec \"$@\"", directory, program] + arguments
      program = "/bin/sh"
    }
    let (inputEnds, outputEnds, errorEnds) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
    defer { for end in [inputEnds.0, outputEnds.1, errorEnds.1] { close(end) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputEnds.0, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, outputEnds.1, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, errorEnds.1, STDERR_FILENO)
    // A test runner may ignore or block what the program under test listens to.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGWINCH] {
      sigaddset(&signals, signal)
    }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    Orphans.adopt()
    var child = pid_t()
    let result = Self.withCStrings([program] + arguments) { arguments in
      Self.withCStrings(Self.variables(environment)) { variables in
        posix_spawnp(&child, program, &actions, &attributes, arguments, variables)
      }
    }
    if result != 0 {
      for end in [inputEnds.1, outputEnds.0, errorEnds.0] { close(end) }
      throw SystemCallError(
        call: "posix_spawn", subject: program, errno: Errno(rawValue: result))
    }
    processID = child
    Orphans.except(child)
    (input, output, errorOutput) = (inputEnds.1, outputEnds.0, errorEnds.0)
    for end in [input, output, errorOutput] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
  }

  deinit {
    if !isReaped {
      kill(processID, SIGKILL)
      var status: CInt = 0
      while waitpid(processID, &status, 0) == -1 && errno == EINTR {}
    }
    Orphans.include(processID)
    for end in [input, output, errorOutput] where end >= 0 { close(end) }
  }

  /// Sends it a signal.
  package func signal(_ signal: Int32) { kill(processID, signal) }

  /// Waits until its output holds this text (or ends); returns whether it does.
  package mutating func waitForOutput(_ text: String, timeoutSeconds: Double = 30) -> Bool {
    let deadline = Machine.monotonicSeconds() + timeoutSeconds
    let expected = Array(text.utf8)
    var left = ArraySlice<UInt8>()
    while !contains(received, expected) {
      guard output >= 0, exchange(&left, closeInput: false, until: deadline) else { return false }
    }
    return true
  }

  /// Gives it this input, collects what it says, and waits for its end.
  package mutating func finish(
    input bytes: [UInt8] = [], timeoutSeconds: Double = 60
  ) throws -> BuiltTool.Outcome {
    let deadline = Machine.monotonicSeconds() + timeoutSeconds
    var left = bytes[...]
    var timedOut = false
    while output >= 0 || errorOutput >= 0 {
      if !exchange(&left, closeInput: true, until: deadline) {
        timedOut = true
        kill(processID, SIGKILL)
        break
      }
    }
    var status: CInt = 0
    // It may have closed its outputs and live on.
    while !timedOut && waitpid(processID, &status, WNOHANG) == 0 {
      if Machine.monotonicSeconds() > deadline {
        timedOut = true
        kill(processID, SIGKILL)
      } else {
        Machine.sleep(seconds: 0.002)
      }
    }
    if timedOut { while waitpid(processID, &status, 0) == -1 && errno == EINTR {} }
    isReaped = true
    let number = status & 0x7f
    return BuiltTool.Outcome(
      end: number == 0 ? .exited(status >> 8 & 0xff) : .signalled(number), output: received,
      errorOutput: receivedErrors, timedOut: timedOut)
  }

  /// Moves what can be moved; false when the deadline passed first.
  private mutating func exchange(
    _ left: inout ArraySlice<UInt8>, closeInput: Bool, until deadline: Double
  ) -> Bool {
    if left.isEmpty && closeInput && input >= 0 {
      close(input)
      input = -1
    }
    var polled = [
      pollfd(fd: output, events: Int16(POLLIN), revents: 0),
      pollfd(fd: errorOutput, events: Int16(POLLIN), revents: 0),
      pollfd(fd: left.isEmpty ? -1 : input, events: Int16(POLLOUT), revents: 0),
    ]
    let seconds = deadline - Machine.monotonicSeconds()
    if seconds <= 0 { return false }
    guard poll(&polled, 3, CInt(min(seconds * 1000 + 1, 1e9))) > 0 else { return true }
    if polled[0].revents != 0 { Self.drain(&output, &received) }
    if polled[1].revents != 0 { Self.drain(&errorOutput, &receivedErrors) }
    if polled[2].revents != 0 {
      let count = Self.withoutSIGPIPE {
        left.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      }
      if count > 0 {
        left = left.dropFirst(count)
      } else if errno != EAGAIN && errno != EINTR {
        left = []  // it does not read any more, which may be what the test is about
      }
    }
    return true
  }

  private static func drain(_ descriptor: inout CInt, _ bytes: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(descriptor, &buffer, buffer.count)
    if count > 0 {
      bytes.append(contentsOf: buffer.prefix(count))
    } else if count == 0 || errno != EAGAIN && errno != EINTR {
      close(descriptor)
      descriptor = -1
    }
  }

  /// A write to a pipe that nobody reads must not end the test runner: the signal is for this thread, which
  /// blocks it and takes it back.
  private static func withoutSIGPIPE(_ body: () -> Int) -> Int {
    var only = sigset_t()
    var previous = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &only, &previous)
    let result = body()
    let reason = errno
    if result == -1 && reason == EPIPE {
      var now = timespec()
      sigtimedwait(&only, nil, &now)
    }
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    errno = reason
    return result
  }

  private func contains(_ bytes: [UInt8], _ expected: [UInt8]) -> Bool {
    guard bytes.count >= expected.count else { return false }
    return (0...bytes.count - expected.count).contains { bytes[$0...].starts(with: expected) }
  }

  private static func pipe() throws -> (CInt, CInt) {
    var ends: [CInt] = [-1, -1]
    try systemCall("pipe", on: "a pipe") { Glibc.pipe(&ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func variables(_ changes: [String: String]) -> [String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    variables.merge(changes) { $1 }
    return variables.filter { !$0.value.isEmpty }.map { "\($0.key)=\($0.value)" }.sorted()
  }

  private static func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
  }
}
