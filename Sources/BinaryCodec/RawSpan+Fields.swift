/// Little-endian fields of a block that someone else owns.
///
/// All bytes on disk that this program reads or writes are little-endian. Every access is checked
/// against the block's bounds, in release builds too: an offset is our own code's promise, so
/// breaking it stops the program rather than reading a neighbour's memory.
extension RawSpan {
  /// The little-endian integer in the bytes from `offset` on; no alignment is needed.
  @inlinable
  package func integer<T: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: T.Type = T.self
  ) -> T {
    precondition(
      offset >= 0 && offset <= byteCount - MemoryLayout<T>.size, "field outside the block")
    // Unsafe only for types with forbidden bit patterns; integers have none, the bounds are checked.
    return unsafe T(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self))
  }

  /// A copy of the bytes in `range`.
  package func array(_ range: Range<Int>) -> [UInt8] {
    let part = sub(range)
    // The target is allocated for exactly the part's byte count, and all of it is written.
    return unsafe [UInt8](unsafeUninitializedCapacity: part.byteCount) { target, count in
      unsafe part.withUnsafeBytes { source in
        unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
      }
      count = part.byteCount
    }
  }

  /// A copy of all bytes.
  package func array() -> [UInt8] { array(0..<byteCount) }

  /// The bytes in `range`, still owned by the owner of these.
  @inlinable @_lifetime(copy self)
  package func sub(_ range: Range<Int>) -> RawSpan { extracting(range) }

  /// Whether no bit is set; true of no bytes.
  package var allZero: Bool {
    let wordsEnd = byteCount & ~7
    var offset = 0
    while offset < wordsEnd {
      // Inside the bounds by the loop's condition.
      if unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self) != 0 {
        return false
      }
      offset += 8
    }
    while offset < byteCount {
      if integer(at: offset, as: UInt8.self) != 0 { return false }
      offset += 1
    }
    return true
  }

  /// Whether no bit is set in `range`.
  package func allZero(_ range: Range<Int>) -> Bool { sub(range).allZero }

  /// Whether both hold the same bytes.
  package func equals(_ other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    let wordsEnd = byteCount & ~7
    var offset = 0
    while offset < wordsEnd {
      // Inside both bounds: the counts are equal.
      let mine = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      let theirs = unsafe other.unsafeLoadUnaligned(
        fromUncheckedByteOffset: offset, as: UInt64.self)
      if mine != theirs { return false }
      offset += 8
    }
    while offset < byteCount {
      if integer(at: offset, as: UInt8.self) != other.integer(at: offset) { return false }
      offset += 1
    }
    return true
  }
}
