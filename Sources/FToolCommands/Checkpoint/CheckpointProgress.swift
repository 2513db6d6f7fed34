import Checkpointing
import Synchronization

/// Shows how far a save, a restore or a check of a file is, and ends it when somebody asks for that.
///
/// What is done in the blink of an eye shows nothing, unless `--progress` was given.
final class CheckpointProgress: Sendable {
  private static let leastByteCount = 32 << 20

  private let context: CommandContext
  private let task: String
  private let isWanted: Bool
  private let line = Mutex<ProgressLine?>(nil)

  init(_ task: String, _ context: CommandContext, _ global: GlobalOptions) {
    self.task = task
    self.context = context
    isWanted = global.progress != .auto
  }

  /// For the engine.
  var watch: JobWatch {
    JobWatch { [self] done, total in
      update(done: done, total: total)
      return context.stop.signal == nil
    }
  }

  func finish() { line.withLock { $0 }?.finish() }

  /// Whether somebody asked for an end. Then this is why a job ended, also where it ended with an error since the
  /// other end of its pipe was interrupted first.
  var isInterrupted: Bool { context.stop.signal != nil }

  /// What to end with when a job was stopped. `consequence`: what that means.
  func interruption(_ consequence: String) -> Failure {
    line.withLock { $0 }?.clear()
    return .interrupted(signal: context.stop.signal ?? 2, resuming: consequence)
  }

  private func update(done: Int, total: Int?) {
    let line = line.withLock { line in
      // How much there is gets known a little later.
      let isKnown = total != nil || done > 0
      if line == nil, isKnown, isWanted || max(done, total ?? 0) >= Self.leastByteCount {
        line = context.progress(task, total: total)
      }
      return line
    }
    if let line {
      line.update(done: done, total: total)
    } else if context.stop.takeStatusRequest() {
      context.progress(task, total: total).update(done: done)
    }
  }
}
