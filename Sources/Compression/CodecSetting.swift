/// A codec and how hard it tries, as in `zstd:3`, `zlib:6`, `lz4` or `none`.
package struct CodecSetting: Hashable, Sendable, CustomStringConvertible {
  package let codec: Codec
  /// One of the codec's levels; 0 where it has none.
  package let level: Int

  /// Level 1 is where each codec is worth its time for memory: more shrinks it little further.
  package static let defaultLevel = 1

  /// The best that is built in: zstd, or else zlib.
  package static var standard: CodecSetting {
    CodecSetting(Codec.zstd.isBuiltIn ? .zstd : .zlib)
  }

  /// The level has to be one of the codec's.
  package init(_ codec: Codec, level: Int? = nil) {
    precondition(level == nil || codec.levels?.contains(level!) == true, "a level it has not")
    self.codec = codec
    self.level = codec.levels == nil ? 0 : level ?? Self.defaultLevel
  }

  /// Nil for what is no codec, and for levels that the codec does not have. Whether it is built in is
  /// another question.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = parts.first, let codec = Codec.allCases.first(where: { $0.name == name })
    else { return nil }
    if parts.count == 1 {
      self.init(codec)
    } else {
      guard let levels = codec.levels, let level = Int(parts[1]), levels.contains(level) else {
        return nil
      }
      self.init(codec, level: level)
    }
  }

  /// `zstd:1`; the text that gives this setting again.
  package var description: String {
    codec.levels == nil ? codec.name : "\(codec.name):\(level)"
  }
}
