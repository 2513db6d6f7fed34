import CheckpointFormat
import LinuxSystem
import SystemPackage

/// How long a tree has stood still, and sees to it that it does not for longer than it may: also while an image is
/// written into a pipe that nobody reads.
final class Standstill: Sendable {
  private let root: ProcessID
  /// nil where the tree is not to run on at once.
  private let limit: Duration?
  private let watch: JobWatch
  private let state: Monitor<State>

  private struct State: Sendable {
    let start = ContinuousClock.now
    var hasEnded = false
    /// What the job was told last.
    var done = 0
    var total: Int?
    /// Why it was given up.
    var reason: CheckpointError?
  }

  /// Begins with the stop of the tree.
  init(of root: ProcessID, limit: Duration? = nil, _ watch: JobWatch = JobWatch()) {
    (self.root, self.limit, self.watch) = (root, limit, watch)
    state = Monitor(State())
  }

  /// How long it has been.
  var duration: Duration { state.withLock { ContinuousClock.now - $0.start } }

  /// It runs on.
  func end() { state.withLock { $0.hasEnded = true } }

  /// Throws when it has been too long.
  func check() throws(CheckpointError) {
    if let limit, state.withLock({ !$0.hasEnded && ContinuousClock.now - $0.start > limit }) {
      throw .frozenTooLong(root, limit: limit)
    }
  }

  /// Between two pieces of the job.
  func step(done: Int, total: Int?) throws(CheckpointError) {
    state.withLock { ($0.done, $0.total) = (done, total) }
    try stepAgain()
  }

  /// The same while nothing has been done since: it may have been too long by now.
  private func stepAgain() throws(CheckpointError) {
    try check()
    // What is told never goes back.
    try state.withLock { (state) throws(CheckpointError) in
      try watch.step(done: state.done, total: state.total)
    }
  }

  /// Runs a job that writes, and gives it up from outside when it waits for too long, or is told to end.
  func guarding<Value>(
    _ writer: ImageWriter, _ body: () throws(CheckpointError) -> Value
  ) throws(CheckpointError) -> Value {
    let isOver = Monitor(false)
    let thread = try about(nil) { () throws(SystemCallError) in
      try WorkerThread(name: "standstill") { self.look(at: writer, isOver) }
    }
    defer {
      isOver.update { $0 = true }
      thread.join()
    }
    do throws(CheckpointError) {
      return try body()
    } catch {
      throw state.withLock { $0.reason } ?? error
    }
  }

  private func look(at writer: ImageWriter, _ isOver: Monitor<Bool>) {
    while isOver.wait(
      deadline: Machine.monotonicSeconds() + Self.period, until: { $0 ? true : nil }) == nil
    {
      do throws(CheckpointError) {
        try stepAgain()
      } catch {
        state.withLock { $0.reason = error }
        writer.abandon(
          .system(SystemCallError(call: "write", subject: "the image", errno: .timedOut)))
        return
      }
    }
  }

  private static let period = 0.05
}
