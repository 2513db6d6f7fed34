import BinaryCodec
import Compression
import FToolTestSupport
import Testing

@Suite struct CodecTests {
  @Test func `settings are read as they are written`() {
    for text in ["none", "lz4", "zlib:1", "zlib:9", "zstd:-50", "zstd:1", "zstd:19"] {
      #expect(CodecSetting(text)?.description == text)
    }
    #expect(CodecSetting("zstd") == CodecSetting(.zstd, level: 1))
    #expect(CodecSetting("zlib")?.level == 1)
  }

  @Test(arguments: [
    "", "gzip", "zstd:", "zstd:x", "zstd:20", "zstd:-51", "zlib:0", "zlib:10", "lz4:1", "none:0",
    "zstd:1:2", " zstd", "ZSTD", "zstd:99999999999999999999",
  ])
  func `what is no setting is refused`(text: String) {
    #expect(CodecSetting(text) == nil)
  }

  @Test func `zlib is always there, and the standard is built in`() {
    #expect(Codec.zlib.isBuiltIn && Codec.none.isBuiltIn)
    #expect(CodecSetting.standard.codec.isBuiltIn)
  }
}
