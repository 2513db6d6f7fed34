import BinaryCodec
import Compression
import LinuxSystem

/// Frames on their way: filled by one thread or by who compresses them, compressed by several at once, written in
/// their order by whichever worker finds the next one ready. Bounded: who fills waits for a slot.
final class FramePipeline: Sendable {
  private struct State: Sendable {
    var free: [FrameSlot]
    /// Submitted, not yet taken by a worker.
    var waiting: [FrameSlot] = []
    /// Submitted, not yet written, in the order of the image.
    var pending: [FrameSlot] = []
    /// Of these, how many a worker has yet to fill.
    var unfilledCount = 0
    /// Somebody writes; others leave what they made ready to them.
    var isWriting = false
    var isClosed = false
    var failure: ImageError?
  }

  private let state: Monitor<State>
  private let slotCount: Int
  let output: Monitor<FrameOutput>

  init(slotCount: Int, _ output: consuming FrameOutput) {
    self.slotCount = slotCount
    let free = (0..<slotCount).map { _ in FrameSlot() }
    var state = State(free: free)
    state.waiting.reserveCapacity(slotCount)
    state.pending.reserveCapacity(slotCount)
    self.state = Monitor(state)
    self.output = Monitor(output)
  }

  // MARK: who fills

  /// An empty slot; waits for one. Throws what went wrong since the last call.
  func take() throws(ImageError) -> FrameSlot {
    try state.wait { state -> Result<FrameSlot, ImageError>? in
      if let failure = state.failure { return .failure(failure) }
      return state.free.popLast().map { .success($0) }
    }.get()
  }

  /// Takes back what was not used.
  func giveBack(_ slot: FrameSlot) {
    state.update { $0.free.append(slot) }
  }

  /// The slot's frame is the next one of the image.
  func submit(_ slot: FrameSlot) throws(ImageError) {
    try state.update { state throws(ImageError) in
      if let failure = state.failure { throw failure }
      slot.isReady = false
      if slot.filling != nil { state.unfilledCount += 1 }
      state.waiting.append(slot)
      state.pending.append(slot)
    }
  }

  /// Returns when all that was submitted is written.
  func drain() throws(ImageError) {
    let failure = state.wait { state -> ImageError?? in
      if let failure = state.failure { return .some(failure) }
      return state.pending.isEmpty && !state.isWriting ? .some(nil) : nil
    }
    if let failure { throw failure }
  }

  /// Returns when workers have filled all that was submitted to be filled.
  func drainFillings() throws(ImageError) {
    let failure = state.wait { state -> ImageError?? in
      if let failure = state.failure { return .some(failure) }
      return state.unfilledCount == 0 ? .some(nil) : nil
    }
    if let failure { throw failure }
  }

  /// Nothing more is written but what is being written now; workers end.
  func close() {
    state.update { $0.isClosed = true }
  }

  /// The first error counts; from then on everybody is told, and nothing more is written.
  func fail(_ error: ImageError) {
    state.update { state in
      if state.failure == nil { state.failure = error }
    }
  }

  // MARK: who works

  /// Until the pipeline is closed or has failed.
  func work(_ setting: CodecSetting) {
    var packing = FramePacking(setting)
    while let slot = nextToPack() {
      if let filling = slot.filling {
        slot.filling = nil
        packing.fill(slot, with: filling, of: self)
      } else {
        packing.pack(slot)
      }
      writeWhatIsReady(with: slot)
    }
  }

  /// A worker has filled what it was given to fill.
  func noteFilled() {
    let isLast = state.withLock { state in
      state.unfilledCount -= 1
      return state.unfilledCount == 0
    }
    if isLast { state.signalAll() }
  }

  private func nextToPack() -> FrameSlot? {
    state.wait { state -> FrameSlot?? in
      if state.isClosed || state.failure != nil { return .some(nil) }
      return state.waiting.isEmpty ? nil : .some(state.waiting.removeFirst())
    }
  }

  private func writeWhatIsReady(with slot: FrameSlot) {
    let mayWrite = state.withLock { state in
      slot.isReady = true
      if state.isWriting { return false }
      state.isWriting = true
      return true
    }
    guard mayWrite else { return }
    var written: FrameSlot?
    while let next = nextToWrite(after: written) {
      do throws(ImageError) {
        try output.withLock { output throws(ImageError) in try output.write(next) }
      } catch {
        fail(error)
      }
      written = next
    }
  }

  /// Takes the slot that was written out of the row; nil when there is nothing to write, and others may.
  ///
  /// Who waits for room is told when there is some for several frames: to wake it for each takes the workers' time.
  private func nextToWrite(after written: FrameSlot?) -> FrameSlot? {
    let (next, isNews) = state.withLock { state -> (FrameSlot?, Bool) in
      if let written {
        state.pending.removeFirst()
        state.free.append(written)
      }
      let isNews = state.pending.isEmpty || state.free.count == self.slotCount / 2
      if let next = state.pending.first, next.isReady, state.failure == nil, !state.isClosed {
        return (next, isNews)
      }
      state.isWriting = false
      return (nil, isNews)
    }
    if isNews { state.signalAll() }
    return next
  }
}
