import Glibc
import LinuxSystem
import SystemPackage

/// A program that runs as a child of the tests, in a session of its own, with no descriptors but its standard
/// ones: it can be saved.
package final class StartedProgram {
  package let id: ProcessID

  package init(_ program: String, _ arguments: [String], output: String) throws {
    let path = try Programs.require(program)
    Orphans.adopt()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    for inherited: CInt in 3..<1024 { posix_spawn_file_actions_addclose(&actions, inherited) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80))  // SETSID
    var arguments: [UnsafeMutablePointer<CChar>?] =
      ([program] + arguments).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var number: pid_t = 0
    let error = posix_spawn(&number, path, &actions, &attributes, &arguments, environ)
    if error != 0 {
      throw SystemCallError(
        call: "posix_spawn", subject: program, errno: Errno(rawValue: error))
    }
    id = ProcessID(number)
    Orphans.except(number)
  }

  /// Ends it, and waits until it is gone.
  package func kill() throws {
    try id.send(signal: SIGKILL)
    _ = try wait()
  }

  /// Ends it and all its descendants, and waits until they are gone.
  package func killTree() throws {
    let tree = tree
    for process in tree { try? process.send(signal: SIGKILL) }
    _ = try wait()
    for process in tree.dropFirst() {
      while process.exists {
        var status: CInt = 0
        if waitpid(process.number, &status, WNOHANG) == 0 { Machine.sleep(seconds: 0.001) }
      }
    }
  }

  /// Lets it and its descendants, which are stopped, run on.
  package func goOn() throws {
    for process in tree { try process.send(signal: SIGCONT) }
  }

  /// It and its descendants, parents first.
  private var tree: [ProcessID] {
    var tree = [id]
    var next = 0
    while next < tree.count {
      tree += (try? tree[next].children()) ?? []
      next += 1
    }
    return tree
  }

  /// How it ended: its exit status, or 128 and the signal.
  package func wait(seconds: Double = 30) throws -> Int32 {
    var status: CInt = 0
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      let waited = waitpid(id.number, &status, WNOHANG)
      if waited == id.number { break }
      if ContinuousClock.now > end {
        _ = Glibc.kill(id.number, SIGKILL)
        _ = waitpid(id.number, &status, 0)
        throw StillRunning(process: id)
      }
      Machine.sleep(seconds: 0.001)
    }
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }

  deinit {
    _ = Glibc.kill(id.number, SIGKILL)
    Orphans.include(id.number)
  }
}

/// A program did not end in the time that it was given, and was killed.
package struct StillRunning: Error {
  package let process: ProcessID
}
