import LinuxSystem
import SystemPackage

/// Locks on files: of flock(2), of a process, and of an open file description.
enum FileLocks {
  /// Those that one descriptor shows.
  static func seen(in seen: SeenDescriptor) throws(CheckpointError) -> [LockState] {
    var locks: [LockState] = []
    for line in seen.info.lines where line.key == "lock" {
      // 1: POSIX  ADVISORY  WRITE 123 08:01:456 0 EOF
      let words = line.value.split(separator: " ")
      if words.count > 1, words[1] == "LEASE" {
        throw seen.obstacle(
          "it has a lease on its file (F_SETLEASE)", remedy: "let the program give it up first")
      }
      guard words.count >= 8, let start = UInt64(words[6]), let last = end(words[7]),
        let kind = kind(words[1]), words[2] == "ADVISORY", words[3] == "READ" || words[3] == "WRITE"
      else {
        throw seen.obstacle("it has a lock that can't be saved: \(line.value)")
      }
      var lock = LockState()
      lock.kind = kind
      lock.isExclusive = words[3] == "WRITE"
      lock.start = start
      lock.byteCount = last == .max ? 0 : last &- start &+ 1
      locks.append(lock)
    }
    return locks
  }

  private static func kind(_ word: Substring) -> LockState.Kind? {
    switch word {
    case "FLOCK": .whole
    case "POSIX": .process
    case "OFDLCK": .description
    default: nil
    }
  }

  private static func end(_ word: Substring) -> UInt64? { word == "EOF" ? .max : UInt64(word) }

  /// Takes one that belongs to an open file description.
  static func take(
    _ lock: LockState, _ file: borrowing OwnedDescriptor
  ) throws(CheckpointError) {
    do throws(SystemCallError) {
      switch lock.kind {
      case .whole: try file.lockWhole(exclusively: lock.isExclusive)
      case .description, .process: try file.lock(words: lock.words)
      }
    } catch {
      guard error.errno == .resourceTemporarilyUnavailable else {
        throw .system(error, process: nil)
      }
      throw .obstacles([
        Obstacle(ProcessID(0), file.name, "somebody else has locked it meanwhile")
      ])
    }
  }
}

extension LockState {
  /// `struct flock`: type and whence, start, length, process.
  var words: [UInt64] { [isExclusive ? 1 : 0, start, byteCount, 0] }
}

extension ProcessBuilder {
  /// The process's own locks, which it would lose with the next file that it closes.
  func lockFiles() throws(CheckpointError) {
    for descriptor in state.descriptors {
      for lock in descriptor.locks {
        let result = try inside(id) { () throws(InjectionError) in
          try injector.put(lock.words.flatMap(\.littleEndianBytes))
          // F_SETLK
          return try injector.callForResult(
            .fcntl,
            [UInt64(UInt32(bitPattern: descriptor.number)), 6, injector.argumentAddress])
        }
        if result == 0 { continue }
        throw .obstacles([
          Obstacle(
            id, "descriptor \(descriptor.number)", "somebody else has locked its file meanwhile")
        ])
      }
    }
  }
}
