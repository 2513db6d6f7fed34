/// Why compressed bytes gave nothing.
package enum DecompressionError: Error, Equatable, Sendable {
  /// They are not what the codec makes, or stand for another number of bytes.
  case damaged
  case notBuiltIn(Codec)
  case outOfMemory
}

/// Decompresses blocks of any codec with memory of its own, taken when a codec comes up first. One thread
/// at a time. The bytes may be anybody's: nothing outside source and target is read or written.
package struct Decompressor: ~Copyable, Sendable {
  private var zlib: ZlibDecompressor?
  private var zstd: ZstdDecompressor?

  package init() {}

  /// Fills the target: exactly, and with all of the source. After an error the target holds rubbish.
  package mutating func decompress(
    _ source: RawSpan, of codec: Codec, into target: inout MutableRawSpan
  ) throws(DecompressionError) {
    switch codec {
    case .none:
      guard source.byteCount == target.byteCount else { throw .damaged }
      copy(source, into: &target)
    case .zlib:
      if zlib == nil { zlib = ZlibDecompressor() }
      try zlib!.decompress(source, into: &target)
    case .zstd:
      if zstd == nil { zstd = ZstdDecompressor() }
      try zstd!.decompress(source, into: &target)
    case .lz4:
      try decompressLZ4(source, into: &target)
    }
  }

  private func copy(_ source: RawSpan, into target: inout MutableRawSpan) {
    // The counts are equal, and a source and a target that can be written are different memory.
    unsafe target.withUnsafeMutableBytes { target in
      unsafe source.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
    }
  }
}
