import Synchronization

/// Working memories that are not in use, so that small operations need not make one.
final class WorkingMemoryPool: Sendable {
  /// In the pool or with one thread, never both.
  private final class Box: @unchecked Sendable {
    var memory: WorkingMemory?
    init(_ memory: consuming WorkingMemory) { self.memory = consume memory }
  }

  private let idle = Mutex<[Box]>([])
  private let slotCount: Int
  private let keep: Int

  init(slotCount: Int, keep: Int = 4) {
    self.slotCount = slotCount
    self.keep = keep
  }

  func with<Result, Failure: Error>(
    _ body: (inout WorkingMemory) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let box =
      idle.withLock { $0.popLast() }
      ?? Box(
        WorkingMemory(
          byteCount: WorkingMemory.byteCount(slotCount: slotCount), slotCount: slotCount))
    defer {
      idle.withLock { idle in if idle.count < keep { idle.append(box) } }
    }
    return try body(&box.memory!)
  }
}
