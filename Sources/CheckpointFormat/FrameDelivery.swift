import LinuxSystem

/// Frames that were read, on their way to a body that several workers call at once.
final class FrameDelivery: Sendable {
  /// What holds a frame as it was read. Whoever was handed it last is the only one to touch it; hands change
  /// under the monitor's lock.
  final class Slot: @unchecked Sendable {
    // Sendable: as said above.
    var head = FrameHead(kind: .state)
    /// Where the head was in the image.
    var offset = 0
    /// Nil until it is needed, and while somebody has it.
    var memory: FrameMemory?
  }

  private struct State: Sendable {
    var free: [Slot]
    var waiting: [Slot] = []
    var busyCount = 0
    var isClosed = false
    /// The one of the earliest frame.
    var failure: (error: any Error, sequence: UInt64)?
  }

  private let state: Monitor<State>
  private let pageByteCount: Int
  private let body: @Sendable (borrowing ImageFrame) throws -> Void

  init(
    slotCount: Int, pageByteCount: Int,
    _ body: @Sendable @escaping (borrowing ImageFrame) throws -> Void
  ) {
    let free = (0..<slotCount).map { _ in Slot() }
    var state = State(free: free)
    state.waiting.reserveCapacity(slotCount)
    self.state = Monitor(state)
    self.pageByteCount = pageByteCount
    self.body = body
  }

  /// An empty slot; waits for one. Throws the error of a worker.
  func take() throws -> Slot {
    try state.wait { state -> Result<Slot, any Error>? in
      if let failure = state.failure { return .failure(failure.error) }
      return state.free.popLast().map { .success($0) }
    }.get()
  }

  /// Takes back what needs no worker.
  func giveBack(_ slot: Slot) {
    state.update { $0.free.append(slot) }
  }

  /// Hands a frame to the workers.
  func submit(_ slot: Slot) {
    state.update { $0.waiting.append(slot) }
  }

  /// Returns when the body has seen all that was submitted; throws the error of a worker.
  func drain() throws {
    let failure = state.wait { state -> (any Error)?? in
      if state.busyCount > 0 { return nil }
      if let failure = state.failure { return .some(failure.error) }
      return state.waiting.isEmpty ? .some(nil) : nil
    }
    if let failure { throw failure }
  }

  /// Workers end when they have done what they are doing.
  func close() {
    state.update { $0.isClosed = true }
  }

  /// What each worker does until the delivery is closed or has failed.
  func work() {
    var unpacking = FrameUnpacking(pageByteCount: pageByteCount)
    while let slot = next() {
      let memory = slot.memory.take()!
      var failure: (any Error)?
      do {
        try unpacking.unpack(slot.head, in: memory, at: slot.offset, body)
      } catch {
        failure = error
      }
      slot.memory = consume memory
      finish(slot, failure)
    }
  }

  private func next() -> Slot? {
    state.wait { state -> Slot?? in
      if state.isClosed || state.failure != nil { return .some(nil) }
      if state.waiting.isEmpty { return nil }
      state.busyCount += 1
      return .some(state.waiting.removeFirst())
    }
  }

  private func finish(_ slot: Slot, _ failure: (any Error)?) {
    state.update { state in
      state.busyCount -= 1
      state.free.append(slot)
      guard let failure else { return }
      if let known = state.failure, known.sequence < slot.head.sequence { return }
      state.failure = (failure, slot.head.sequence)
    }
  }
}
