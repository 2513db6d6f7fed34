/// A way to write bytes with fewer bytes. The numbers are in images: none is ever given a second meaning.
package enum Codec: UInt8, CaseIterable, Sendable {
  case none = 0
  /// RFC 1950; always built in.
  case zlib = 1
  /// Zstandard frames, RFC 8878.
  case zstd = 2
  /// Bare LZ4 blocks, without a frame.
  case lz4 = 3

  /// The word for it, as people write it.
  package var name: String {
    switch self {
    case .none: "none"
    case .zlib: "zlib"
    case .zstd: "zstd"
    case .lz4: "lz4"
    }
  }

  /// Whether this program can use it: zstd and lz4 are built in when their headers are there.
  package var isBuiltIn: Bool {
    switch self {
    case .none, .zlib: true
    case .zstd: ZstdCompressor.isBuiltIn
    case .lz4: LZ4Compressor.isBuiltIn
    }
  }

  /// The levels that it has, quickest first; nil where there is nothing to choose.
  package var levels: ClosedRange<Int>? {
    switch self {
    case .none, .lz4: nil
    case .zlib: 1...9
    case .zstd: -50...19
    }
  }
}
