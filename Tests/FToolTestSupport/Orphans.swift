import Glibc
import LinuxSystem

/// What the programs under test leave behind when they end comes to this process, which waits for it: the first
/// process of a machine may take seconds, and until then a number can't be had again.
enum Orphans {
  /// Children that somebody here waits for.
  private static let own = Monitor<Set<Int32>>([])

  private static let thread: WorkerThread? = {
    guard (try? ProcessID.adoptOrphans()) != nil else { return nil }
    return try? WorkerThread(name: "orphans") { while true { reap() } }
  }()

  /// To be called before anything is started.
  static func adopt() { _ = thread }

  /// Keeps its end for the one who started it.
  static func except(_ process: Int32) { own.withLock { _ = $0.insert(process) } }

  /// Its starter has seen its end, or does not wait for it.
  static func include(_ process: Int32) { own.withLock { _ = $0.remove(process) } }

  private static func reap() {
    let before = Set(ended())
    // Who has a child for a moment waits for it in that moment.
    Machine.sleep(seconds: 0.05)
    for child in ended() where before.contains(child) {
      own.withLock { own in
        var status: CInt = 0
        if !own.contains(child.number) { _ = waitpid(child.number, &status, WNOHANG) }
      }
    }
  }

  /// Copies of this process itself are not meant: the framework makes some, and so do the parts under test.
  private static func ended() -> [ProcessID] {
    ((try? ProcessID.current.children()) ?? []).filter {
      guard let status = try? ProcessStatus(of: $0) else { return false }
      return status.state == "Z" && status.tracer == nil && status.name != name
    }
  }

  private static let name = (try? ProcessStatus(of: .current))?.name ?? []
}
