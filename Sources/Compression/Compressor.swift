/// Compresses block after block with memory of its own, taken once. One thread at a time.
package struct Compressor: ~Copyable, Sendable {
  package let setting: CodecSetting
  // The one of these that the codec wants; none has none.
  private var zlib: ZlibCompressor?
  private var zstd: ZstdCompressor?
  private var lz4: LZ4Compressor?

  /// The codec has to be built in.
  package init(_ setting: CodecSetting) {
    precondition(setting.codec.isBuiltIn, "a codec that is not built in")
    self.setting = setting
    switch setting.codec {
    case .none: break
    case .zlib: zlib = ZlibCompressor(level: setting.level)
    case .zstd: zstd = ZstdCompressor(level: setting.level)
    case .lz4: lz4 = LZ4Compressor()
    }
  }

  /// How many bytes of `target` now stand for all of `source`; nil where they are too few for it, or the
  /// codec could not work (there was no memory), and the target holds nothing of use.
  package mutating func compress(
    _ source: RawSpan, into target: inout MutableRawSpan
  ) -> Int? {
    switch setting.codec {
    case .none: nil
    case .zlib: zlib!.compress(source, into: &target)
    case .zstd: zstd!.compress(source, into: &target)
    case .lz4: lz4!.compress(source, into: &target)
    }
  }
}
