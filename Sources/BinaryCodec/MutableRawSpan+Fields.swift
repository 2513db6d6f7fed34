/// Little-endian fields written into a block that someone else owns; see `RawSpan.integer(at:)`.
extension MutableRawSpan {
  /// Writes `value`, little-endian, to the bytes from `offset` on; no alignment is needed.
  @inlinable @_lifetime(self: copy self)
  package mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }

  /// Clears every byte, so that nothing of the buffer's earlier life reaches a disk.
  @_lifetime(self: copy self)
  package mutating func zero() { fill(0..<byteCount, with: 0) }

  /// Clears the bytes in `range`.
  @_lifetime(self: copy self)
  package mutating func zero(_ range: Range<Int>) { fill(range, with: 0) }

  /// Sets each byte in `range` to `value`.
  @_lifetime(self: copy self)
  package mutating func fill(_ range: Range<Int>, with value: UInt8) {
    checkBounds(range)
    // The range was checked against the block's bounds.
    unsafe withUnsafeMutableBytes { block in
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: block[range])
      _ = unsafe part.initializeMemory(as: UInt8.self, repeating: value)
    }
  }

  /// Writes all bytes of `source` to `offset` and on. The two must be different memory.
  @_lifetime(self: copy self)
  package mutating func copy(_ source: RawSpan, at offset: Int) {
    precondition(
      offset >= 0 && source.byteCount <= byteCount && offset <= byteCount - source.byteCount,
      "copy outside the block")
    let range = offset..<offset + source.byteCount
    // The range was checked against the block's bounds and has the source's length.
    unsafe withUnsafeMutableBytes { block in
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: block[range])
      unsafe source.withUnsafeBytes { bytes in unsafe part.copyMemory(from: bytes) }
    }
  }

  /// Writes the bytes of `array` to `offset` and on.
  @_lifetime(self: copy self)
  package mutating func copy(_ array: [UInt8], at offset: Int) {
    copy(array.rawBytes, at: offset)
  }

  /// Moves the bytes of `source` to `target` and on; the two places may overlap.
  @_lifetime(self: copy self)
  package mutating func copyWithin(from source: Range<Int>, to target: Int) {
    checkBounds(source)
    precondition(
      target >= 0 && target <= byteCount - source.count, "move outside the block")
    // Both ranges were checked; copyMemory allows an overlap.
    unsafe withUnsafeMutableBytes { block in
      let part = unsafe UnsafeMutableRawBufferPointer(
        rebasing: block[target..<target + source.count])
      unsafe part.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[source]))
    }
  }

  private func checkBounds(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the block")
  }
}
