#if FTOOL_ZSTD
  import CZstd

  /// A compression context, which keeps its tables from block to block.
  @safe
  struct ZstdCompressor: ~Copyable, @unchecked Sendable {
    // Sendable: the context has one owner.
    static let isBuiltIn = true
    /// Nil where there was no memory for it.
    private let context: OpaquePointer?

    init(level: Int) {
      unsafe context = ZSTD_createCCtx()
      if let context = unsafe context {
        // Cannot fail: the level is one that zstd has, and nothing has begun.
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
      }
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? {
      guard let context = unsafe context else { return nil }
      // Reads and writes inside the two buffers, and keeps no pointer to them.
      let count = unsafe source.withUnsafeBytes { source in
        unsafe target.withUnsafeMutableBytes { target in
          unsafe ZSTD_compress2(
            context, target.baseAddress, target.count, source.baseAddress, source.count)
        }
      }
      return ZSTD_isError(count) == 0 ? count : nil
    }
  }

  /// A decompression context. It takes no memory for a block, whatever window a frame wants: the target is
  /// the window.
  @safe
  struct ZstdDecompressor: ~Copyable, @unchecked Sendable {
    // As above.
    private let context: OpaquePointer?

    init() { unsafe context = ZSTD_createDCtx() }
    deinit { unsafe ZSTD_freeDCtx(context) }

    func decompress(
      _ source: RawSpan, into target: inout MutableRawSpan
    ) throws(DecompressionError) {
      guard let context = unsafe context else { throw .outOfMemory }
      let count = unsafe source.withUnsafeBytes { source in
        unsafe target.withUnsafeMutableBytes { target in
          unsafe ZSTD_decompressDCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count)
        }
      }
      if ZSTD_isError(count) != 0 {
        throw ZSTD_getErrorCode(count) == ZSTD_error_memory_allocation ? .outOfMemory : .damaged
      }
      guard count == target.byteCount, source.byteCount > 0 else { throw .damaged }
    }
  }
#else
  /// What stands for zstd in a program that was built without it.
  struct ZstdCompressor: ~Copyable, Sendable {
    static let isBuiltIn = false
    init(level: Int) { preconditionFailure("zstd is not built in") }
    func compress(_ source: RawSpan, into target: inout MutableRawSpan) -> Int? { nil }
  }

  /// As above.
  struct ZstdDecompressor: ~Copyable, Sendable {
    func decompress(
      _ source: RawSpan, into target: inout MutableRawSpan
    ) throws(DecompressionError) { throw .notBuiltIn(.zstd) }
  }
#endif
