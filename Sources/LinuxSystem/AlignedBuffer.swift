import Glibc

/// Bytes on a page boundary, owned by one holder and lent as spans.
///
/// They are zero at first, and as many as they were asked for until the end: what needs more takes a new
/// buffer. Where there is no memory for them the program ends (`MemoryExhaustion`).
@safe
package struct AlignedBuffer: ~Copyable, @unchecked Sendable {
  // Sendable: the memory has one owner, and spans cannot outlive their borrow of it.
  let base: UnsafeMutableRawPointer
  /// As many as were asked for, which need be no multiple of anything.
  package let byteCount: Int

  /// From here on whole pages are mapped: they come zeroed, and untouched ones cost nothing.
  private static let mappedByteCount = 64 << 10

  /// Zeros, so many.
  package init(byteCount: Int) {
    precondition(byteCount >= 0)
    self.byteCount = byteCount
    if byteCount >= Self.mappedByteCount {
      let flags = MAP_PRIVATE | MAP_ANONYMOUS
      let mapped = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
      guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
        MemoryExhaustion.end(wanting: byteCount)
      }
      unsafe base = mapped
    } else {
      // One byte at least, so that even an empty buffer has an address to lend.
      var allocated: UnsafeMutableRawPointer?
      let error = unsafe posix_memalign(&allocated, Machine.pageSize, max(byteCount, 1))
      guard error == 0, let allocated = unsafe allocated else {
        MemoryExhaustion.end(wanting: byteCount)
      }
      unsafe memset(allocated, 0, byteCount)
      unsafe base = allocated
    }
  }

  deinit {
    if byteCount >= Self.mappedByteCount {
      unsafe munmap(base, byteCount)  // fails only for a range that is not a mapping
    } else {
      unsafe free(base)
    }
  }

  /// Has the kernel put it on huge pages where it can. What is touched here and there, all over, is found sooner then.
  package borrowing func preferHugePages() {
    guard byteCount >= Self.mappedByteCount else { return }
    // A kernel without them says so, and nothing is lost.
    unsafe madvise(base, byteCount, MADV_HUGEPAGE)
  }

  /// All of them, to read.
  package var bytes: RawSpan {
    @_lifetime(borrow self)
    borrowing get {
      // Safe: the memory lives as long as self, and the span borrows self.
      let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// All of them, to change.
  package var mutableBytes: MutableRawSpan {
    @_lifetime(&self)
    mutating get {
      // Safe: as above, and the span's exclusive access to self is its access to the memory.
      let span = unsafe MutableRawSpan(_unsafeStart: base, byteCount: byteCount)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  /// The bytes in `range`, to change.
  @_lifetime(&self)
  package mutating func mutableBytes(in range: Range<Int>) -> MutableRawSpan {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "bytes outside the buffer")
    // Safe: the range was checked; else as above.
    let start = unsafe base + range.lowerBound
    let span = unsafe MutableRawSpan(_unsafeStart: start, byteCount: range.count)
    return unsafe _overrideLifetime(span, mutating: &self)
  }

  /// The bytes as 64-bit words, for the kernels; what is left over of the last word is not among them.
  package var words: Span<UInt64> {
    @_lifetime(borrow self)
    borrowing get {
      // Safe: a page boundary is aligned for words, any bits are a word, and all bytes were zeroed.
      let start = unsafe UnsafePointer(base.assumingMemoryBound(to: UInt64.self))
      let span = unsafe Span(_unsafeStart: start, count: byteCount / 8)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes as 64-bit words that can be changed.
  package var mutableWords: MutableSpan<UInt64> {
    @_lifetime(&self)
    mutating get {
      let start = unsafe base.assumingMemoryBound(to: UInt64.self)
      let span = unsafe MutableSpan(_unsafeStart: start, count: byteCount / 8)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  /// Makes all bytes zero again.
  package mutating func zero() {
    unsafe memset(base, 0, byteCount)  // safe: exactly the bytes we own
  }
}
