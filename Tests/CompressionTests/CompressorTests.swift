import BinaryCodec
import Compression
import FToolTestSupport
import Testing

@Suite struct CompressorTests {
  static let settings = ["zlib:1", "zlib:9", "zstd:-5", "zstd:1", "zstd:19", "lz4"]
    .compactMap { CodecSetting($0) }.filter(\.codec.isBuiltIn)

  /// Runs, repetitions and noise in a mixture of chance.
  private static func content(_ count: Int, using random: inout SeededGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let length = Int.random(in: 1...2000, using: &random)
      switch random.next() % 3 {
      case 0: bytes += [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: length)
      case 1: bytes += random.bytes(length)
      default: bytes += bytes.suffix(length)
      }
    }
    return Array(bytes.prefix(count))
  }

  private static func compress(
    _ bytes: [UInt8], _ compressor: inout Compressor, room: Int? = nil
  ) -> [UInt8]? {
    var target = [UInt8](repeating: 0xa5, count: room ?? bytes.count + bytes.count / 64 + 256)
    let count = target.withMutableRawBytes { compressor.compress(bytes.rawBytes, into: &$0) }
    return count.map { Array(target.prefix($0)) }
  }

  private static func decompress(
    _ bytes: [UInt8], _ codec: Codec, count: Int, with decompressor: inout Decompressor
  ) throws(DecompressionError) -> [UInt8] {
    var target = [UInt8](repeating: 0x5a, count: count)
    try target.withMutableRawBytes { span throws(DecompressionError) in
      try decompressor.decompress(bytes.rawBytes, of: codec, into: &span)
    }
    return target
  }

  @Test(arguments: settings)
  func `one compressor serves block after block`(setting: CodecSetting) throws {
    var random = SeededGenerator(seed: 1)
    var compressor = Compressor(setting)
    var decompressor = Decompressor()
    for round in 0..<12 {
      let count = round == 0 ? 1 : Int.random(in: 1...(64 << 10), using: &random)
      let bytes = Self.content(count, using: &random)
      let stored = try #require(Self.compress(bytes, &compressor))
      let back = try Self.decompress(
        stored, setting.codec, count: bytes.count, with: &decompressor)
      #expect(back == bytes)
    }
  }

  @Test(arguments: settings)
  func `what does not fit is refused, and the next block is none the worse`(
    setting: CodecSetting
  ) throws {
    var random = SeededGenerator(seed: 2)
    var compressor = Compressor(setting)
    var decompressor = Decompressor()
    for _ in 0..<10 {
      let noise = random.bytes(65536)
      #expect(Self.compress(noise, &compressor, room: 65536 - 4096) == nil)
      let zeros = [UInt8](repeating: 0, count: 65536)
      let stored = try #require(Self.compress(zeros, &compressor, room: 4096))
      let back = try Self.decompress(
        stored, setting.codec, count: zeros.count, with: &decompressor)
      #expect(back == zeros)
    }
    #expect(Self.compress([1, 2, 3], &compressor, room: 0) == nil)
  }

  @Test(arguments: settings)
  func `only the exact count is accepted, and only the whole source`(setting: CodecSetting) throws {
    var random = SeededGenerator(seed: 3)
    var compressor = Compressor(setting)
    var decompressor = Decompressor()
    let bytes = Self.content(20_000, using: &random)
    let stored = try #require(Self.compress(bytes, &compressor))
    for count in [0, 1, 19_999, 20_001, 1 << 18] {
      #expect(throws: DecompressionError.damaged) {
        _ = try Self.decompress(stored, setting.codec, count: count, with: &decompressor)
      }
    }
    for source in [[], Array(stored.dropLast()), stored + [0]] {
      #expect(throws: DecompressionError.damaged) {
        _ = try Self.decompress(source, setting.codec, count: 20_000, with: &decompressor)
      }
    }
    let back = try Self.decompress(stored, setting.codec, count: 20_000, with: &decompressor)
    #expect(back == bytes)
  }

  @Test(arguments: settings)
  func `rubbish does no harm`(setting: CodecSetting) throws {
    var random = SeededGenerator(seed: 4)
    var compressor = Compressor(setting)
    var decompressor = Decompressor()
    let bytes = Self.content(30_000, using: &random)
    let stored = try #require(Self.compress(bytes, &compressor))
    for _ in 0..<500 {
      var hostile = stored
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        hostile[Int.random(in: 0..<hostile.count, using: &random)] = UInt8(
          truncatingIfNeeded: random.next())
      }
      // It may even be accepted: checksums are others' work. It just must not crash.
      _ = try? Self.decompress(hostile, setting.codec, count: 30_000, with: &decompressor)
    }
    let back = try Self.decompress(stored, setting.codec, count: 30_000, with: &decompressor)
    #expect(back == bytes)
  }

  @Test func `none never shrinks anything, and is read as it is`() throws {
    var compressor = Compressor(CodecSetting(.none))
    #expect(Self.compress([0, 0, 0, 0], &compressor) == nil)
    var decompressor = Decompressor()
    #expect(try Self.decompress([1, 2, 3], .none, count: 3, with: &decompressor) == [1, 2, 3])
    #expect(throws: DecompressionError.damaged) {
      _ = try Self.decompress([1, 2, 3], .none, count: 4, with: &decompressor)
    }
  }

  @Test func `a codec that is not built in says so`() {
    var decompressor = Decompressor()
    for codec in Codec.allCases where !codec.isBuiltIn {
      #expect(throws: DecompressionError.notBuiltIn(codec)) {
        _ = try Self.decompress([1, 2, 3], codec, count: 3, with: &decompressor)
      }
    }
  }
}
