import BinaryCodec
import BlockStorage
import LinuxSystem
import Synchronization

/// What has happened since the members were last told.
///
/// An event is never written by itself: it waits for the next update of the superblocks or of the
/// progress, goes to the members with that, and is flushed with it.
final class EventLog: Sendable {
  private struct State {
    var waiting: [ArrayEvent] = []
    /// nil while the members' rings have not been looked at.
    var nextSequence: UInt64?
    /// By the member: blocks put right that events tell of.
    var repairs: [Identifier: UInt64] = [:]
    var didNoteOpening = false
  }

  private let state = Mutex(State())
  /// Held by who writes to the rings.
  private let writing = Mutex(())

  /// More are dropped, the oldest first: a ring has room for no more.
  private static let waitingLimit = 256

  /// Remembers an event until the next update.
  func add(_ event: ArrayEvent) {
    state.withLock { state in
      if state.waiting.count >= Self.waitingLimit { state.waiting.removeFirst() }
      state.waiting.append(event)
    }
  }

  /// Whether nothing has been said yet of how the array was found; from now on it has.
  func takeOpening() -> Bool {
    state.withLock { state in
      defer { state.didNoteOpening = true }
      return !state.didNoteOpening
    }
  }

  /// How many blocks of a member have been put right since this was last asked.
  ///
  /// - Parameters:
  ///   - count: all that the member knows of.
  ///   - before: what it knew when the array was opened.
  func takeRepairs(of member: Identifier, count: UInt64, before: UInt64) -> UInt64 {
    state.withLock { state in
      let known = state.repairs[member] ?? before
      state.repairs[member] = count
      return count > known ? count - known : 0
    }
  }

  var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

  /// Hands what waits to `body`, numbered; when that returns, it waits no more.
  ///
  /// - Parameter members: whose rings say which number is next.
  func write<Failure: Error>(
    for members: [Member], _ body: ([ArrayEvent]) throws(Failure) -> Void
  ) throws(Failure) {
    if isEmpty { return }
    try writing.withLock { (_) throws(Failure) in
      let next =
        state.withLock { $0.nextSequence }
        ?? (members.lazy.compactMap { $0.eventRing?.read().map(\.sequence).max() }.max() ?? 0) + 1
      let events = state.withLock { state -> [ArrayEvent] in
        for index in state.waiting.indices {
          state.waiting[index].sequence = next + UInt64(index)
        }
        state.nextSequence = next
        return state.waiting
      }
      // Only a forged ring comes near the limit.
      guard let last = events.last, last.sequence < ArrayEvent.sequenceLimit else { return }
      try body(events)
      state.withLock { state in
        state.waiting.removeAll { $0.sequence != 0 && $0.sequence <= last.sequence }
        state.nextSequence = last.sequence + 1
      }
    }
  }
}
