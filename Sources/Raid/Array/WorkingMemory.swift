import LinuxSystem
import Synchronization

/// What one thread works in: a large buffer that is cut into columns as each operation likes, a block
/// for every slot, and scratch for offsets and sums. Nothing in it outlives an operation but its size.
struct WorkingMemory: ~Copyable {
  /// Cut into columns; page-aligned.
  var buffer: AlignedBuffer
  /// One block of 4 KiB for every slot and two more.
  var blocks: AlignedBuffer
  /// Room for the sums of blocks.
  let sums = SumScratch()

  init(byteCount: Int, slotCount: Int) {
    buffer = AlignedBuffer(byteCount: byteCount)
    blocks = AlignedBuffer(byteCount: (slotCount + 2) * 4096)
  }

  /// How large to make the buffer: large pieces for every member, and a bound for very many of them.
  static func byteCount(slotCount: Int) -> Int {
    max(6 << 20, min(24 << 20, slotCount * (256 << 10)))
  }
}

/// Room for the sums of some blocks, so that no operation has to allocate it. Used by one thread at a
/// time.
final class SumScratch {
  private var sums: [UInt32] = []

  /// Lends room for at least `count` sums.
  func with<Result, Failure: Error>(
    count: Int, _ body: (inout [UInt32]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Taken out while it is lent: were it used twice at once, the inner use would get room of its own.
    var lent: [UInt32] = []
    swap(&lent, &sums)
    defer { swap(&lent, &sums) }
    if lent.count < count { lent = [UInt32](repeating: 0, count: count) }
    return try body(&lent)
  }
}

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
