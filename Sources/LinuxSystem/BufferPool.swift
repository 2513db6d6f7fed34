/// Aligned buffers of one size that are used again, and never more than a number of them.
package final class BufferPool: Sendable {
  /// What each buffer holds.
  package let byteCount: Int
  /// How many may be in use at once.
  package let limit: Int

  /// What an array can hold of a buffer: either in the pool's list, or owned by one `PooledBuffer`.
  fileprivate final class Box: Sendable {
    let buffer: AlignedBuffer
    init(byteCount: Int) { buffer = AlignedBuffer(byteCount: byteCount) }
  }

  fileprivate struct State: Sendable {
    var idle: [Box] = []
    var takenCount = 0
  }

  private let state = Monitor(State())

  /// Takes no memory yet: a buffer is made when all that there are are in use.
  package init(byteCount: Int, limit: Int) {
    precondition(limit > 0)
    self.byteCount = byteCount
    self.limit = limit
  }

  /// A buffer, as its last user left it; waits until somebody gives one back.
  package func take() -> PooledBuffer {
    let box = state.wait { state in self.takeBox(&state) }
    return PooledBuffer(pool: self, box: box)
  }

  /// A buffer, or nil when all are in use.
  package func takeIfAvailable() -> PooledBuffer? {
    guard let box = state.withLock({ state in self.takeBox(&state) }) else { return nil }
    return PooledBuffer(pool: self, box: box)
  }

  /// Takes the buffer back. To let go of it does the same: no error path can lose one.
  package func giveBack(_ buffer: consuming PooledBuffer) {
    precondition(buffer.pool === self, "a buffer of another pool")
  }

  private func takeBox(_ state: inout State) -> Box? {
    if state.takenCount == limit { return nil }
    state.takenCount += 1
    return state.idle.popLast() ?? Box(byteCount: byteCount)
  }

  fileprivate func putBack(_ box: Box) {
    state.update { state in
      state.takenCount -= 1
      state.idle.append(box)
    }
  }

  /// A buffer on loan from a pool, which has it back when the holder lets go.
  @safe
  package struct PooledBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: the memory has one owner, and spans cannot outlive their borrow of it.
    fileprivate let pool: BufferPool
    private let box: Box
    private let base: UnsafeMutableRawPointer

    fileprivate init(pool: BufferPool, box: Box) {
      self.pool = pool
      self.box = box
      unsafe base = box.buffer.base
    }

    deinit { pool.putBack(box) }

    /// What the pool gives: the same for all of its buffers.
    package var byteCount: Int { pool.byteCount }

    /// All bytes, to read: at first what the last user left.
    package var bytes: RawSpan {
      @_lifetime(borrow self)
      borrowing get {
        // Safe: the box is ours alone while we hold it, and lives as long as self.
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: pool.byteCount)
        return unsafe _overrideLifetime(span, borrowing: self)
      }
    }

    /// All bytes, to change.
    package var mutableBytes: MutableRawSpan {
      @_lifetime(&self)
      mutating get {
        // Safe: as above, and exclusive access to self is exclusive access to the memory.
        let span = unsafe MutableRawSpan(_unsafeStart: base, byteCount: pool.byteCount)
        return unsafe _overrideLifetime(span, mutating: &self)
      }
    }

    /// The bytes as 64-bit words.
    package var words: Span<UInt64> {
      @_lifetime(borrow self)
      borrowing get {
        let start = unsafe UnsafePointer(base.assumingMemoryBound(to: UInt64.self))
        let span = unsafe Span(_unsafeStart: start, count: pool.byteCount / 8)
        return unsafe _overrideLifetime(span, borrowing: self)
      }
    }

    /// The bytes as 64-bit words that can be changed.
    package var mutableWords: MutableSpan<UInt64> {
      @_lifetime(&self)
      mutating get {
        let start = unsafe base.assumingMemoryBound(to: UInt64.self)
        let span = unsafe MutableSpan(_unsafeStart: start, count: pool.byteCount / 8)
        return unsafe _overrideLifetime(span, mutating: &self)
      }
    }
  }
}
