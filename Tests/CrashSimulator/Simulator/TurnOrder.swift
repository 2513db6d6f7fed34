import FToolTestSupport
import Glibc
import LinuxSystem

/// Lets several threads use an array one at a time, in an order that a seed decides: so that what they do
/// together can be done again.
///
/// The turn may go to another thread where one reads or writes a member's data, and where it ends. Nobody
/// holds a lock of the engine there but on the rows or the bytes that it changes: so threads that change
/// others never wait for one that has not got the turn. Where there is a journal, a thread that writes in place
/// keeps others from making room in it: there the turn changes only before that, where one reads.
final class TurnOrder: Sendable {
  private struct State {
    /// Nobody is asked to wait.
    var isOn = false
    var random = SeededGenerator(seed: 0)
    var threads: [pthread_t: Int] = [:]
    var waiting: Set<Int> = []
    var current = 0
    var dataOffsets = 0..<0
    var changesAtWrites = true
  }

  private let monitor = Monitor(State())

  /// Runs the bodies side by side; returns when all have ended.
  ///
  /// - Parameters:
  ///   - dataOffsets: device offsets at which the turn may change.
  ///   - changesAtWrites: not only when one reads there.
  func run(
    _ bodies: [@Sendable () -> Void], dataOffsets: Range<Int>, changesAtWrites: Bool, seed: UInt64
  ) {
    monitor.withLock { state in
      state = State(
        isOn: true, random: SeededGenerator(seed: seed), waiting: Set(bodies.indices),
        dataOffsets: dataOffsets, changesAtWrites: changesAtWrites)
      state.current = Int.random(in: 0..<bodies.count, using: &state.random)
    }
    var threads: [WorkerThread] = []
    for index in bodies.indices {
      do {
        threads.append(
          try WorkerThread { [self] in
            monitor.withLock { $0.threads[pthread_self()] = index }
            wait(index)
            bodies[index]()
            leave(index)
          })
      } catch {
        preconditionFailure("no thread to be had: \(error)")
      }
    }
    for thread in threads { thread.join() }
    monitor.withLock { $0.isOn = false }
  }

  /// A thread is about to use a member at this offset.
  func pass(_ offset: Int, writes: Bool) {
    let index: Int? = monitor.update { state in
      guard state.isOn, state.changesAtWrites || !writes, state.dataOffsets.contains(offset),
        let index = state.threads[pthread_self()]
      else { return nil }
      Self.choose(&state)
      return index
    }
    if let index { wait(index) }
  }

  private func leave(_ index: Int) {
    monitor.update { state in
      state.waiting.remove(index)
      if !state.waiting.isEmpty { Self.choose(&state) }
    }
  }

  private func wait(_ index: Int) {
    _ = monitor.wait { $0.current == index ? true : nil }
  }

  private static func choose(_ state: inout State) {
    let waiting = state.waiting.sorted()
    state.current = waiting[Int.random(in: 0..<waiting.count, using: &state.random)]
  }
}
