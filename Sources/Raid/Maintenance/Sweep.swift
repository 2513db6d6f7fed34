import LinuxSystem
import Synchronization

/// Going over a range in steps, by several workers at once: each takes the next step when it is free.
///
/// What matters to who is interrupted is how far *everything* is done, so steps that end early wait in
/// line until those before them have ended too.
final class Sweep: Sendable {
  private struct State {
    var next: Int
    /// Everything before is done.
    var done: Int
    /// Steps that are done although earlier ones are not: their ends by their starts.
    var early: [Int: Int] = [:]
    var failure: RaidError?
    var isStopped = false
  }

  private let state: Mutex<State>
  private let end: Int

  private init(start: Int, end: Int) {
    self.end = end
    state = Mutex(State(next: start, done: start))
  }

  /// Runs `step` for each part of the range.
  ///
  /// - Parameters:
  ///   - partEnd: where the part that starts at an offset ends.
  ///   - advance: told, by one worker at a time, how far everything is done; false stops the sweep.
  /// - Returns: how far everything is done.
  static func run(
    over range: Range<Int>, workers: Int, memory: WorkingMemoryPool,
    partEnd: @escaping @Sendable (Int) -> Int,
    advance: @escaping @Sendable (Int) throws(RaidError) -> Bool,
    step: @escaping @Sendable (Range<Int>, inout WorkingMemory) throws(RaidError) -> Void
  ) throws(RaidError) -> Int {
    let sweep = Sweep(start: range.lowerBound, end: range.upperBound)
    runInParallel(workers: max(1, workers)) { _ in
      memory.with { memory in
        while let part = sweep.take(partEnd) {
          do throws(RaidError) {
            try step(part, &memory)
            try sweep.finish(part, advance)
          } catch {
            sweep.fail(error)
          }
        }
      }
    }
    let (failure, done) = sweep.state.withLock { ($0.failure, $0.done) }
    if let failure { throw failure }
    return done
  }

  private func take(_ partEnd: (Int) -> Int) -> Range<Int>? {
    state.withLock { state in
      guard !state.isStopped, state.failure == nil, state.next < end else { return nil }
      let part = state.next..<min(end, max(state.next + 1, partEnd(state.next)))
      state.next = part.upperBound
      return part
    }
  }

  private func finish(
    _ part: Range<Int>, _ advance: (Int) throws(RaidError) -> Bool
  ) throws(RaidError) {
    try state.withLock { (state) throws(RaidError) in
      state.early[part.lowerBound] = part.upperBound
      while let end = state.early.removeValue(forKey: state.done) { state.done = end }
      if try !advance(state.done) { state.isStopped = true }
    }
  }

  private func fail(_ error: RaidError) {
    state.withLock { state in
      if state.failure == nil { state.failure = error }
    }
  }
}
