#if FTOOL_LZ4
  import CLZ4

  /// LZ4's table, which is cleared for each block.
  @safe
  struct LZ4Compressor: ~Copyable, @unchecked Sendable {
    // Sendable: the table has one owner.
    static let isBuiltIn = true
    private let state: UnsafeMutableRawPointer

    init() {
      unsafe state = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 16)
    }

    deinit { unsafe state.deallocate() }

    func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? {
      guard source.byteCount <= Int(LZ4_MAX_INPUT_SIZE), target.byteCount <= Int(Int32.max) else {
        return nil
      }
      // Reads and writes inside the two buffers, and keeps no pointer to them.
      let count = unsafe source.withUnsafeBytes { source in
        unsafe target.withUnsafeMutableBytes { target in
          unsafe LZ4_compress_fast_extState(
            state, source.baseAddress?.assumingMemoryBound(to: CChar.self),
            target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
            Int32(target.count), 1)
        }
      }
      return count > 0 ? Int(count) : nil
    }
  }

  func decompressLZ4(
    _ source: RawSpan, into target: inout MutableRawSpan
  ) throws(DecompressionError) {
    guard source.byteCount <= Int(Int32.max), target.byteCount <= Int(Int32.max) else {
      throw .damaged
    }
    let count = unsafe source.withUnsafeBytes { source in
      unsafe target.withUnsafeMutableBytes { target in
        unsafe LZ4_decompress_safe(
          source.baseAddress?.assumingMemoryBound(to: CChar.self),
          target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count),
          Int32(target.count))
      }
    }
    guard count == Int32(target.byteCount) else { throw .damaged }
  }
#else
  /// What stands for lz4 in a program that was built without it.
  struct LZ4Compressor: ~Copyable, Sendable {
    static let isBuiltIn = false
    init() { preconditionFailure("lz4 is not built in") }
    func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? { nil }
  }

  func decompressLZ4(
    _ source: RawSpan, into target: inout MutableRawSpan
  ) throws(DecompressionError) { throw .notBuiltIn(.lz4) }
#endif
