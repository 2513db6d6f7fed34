import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import LinuxSystem
import Testing

/// Images of version 1 as they once were written: they can be read for ever.
@Suite struct GoldenImageTests {
  /// What is in them.
  static let sample: SampleImage = {
    var runs: [[UInt64]] = []
    var bytes: [UInt8] = []
    for number in 0..<UInt64(6) {
      runs.append([0x5555_0000_0000 + number * 0x3000, 1 + number % 2])
      for page in 0..<1 + number % 2 {
        bytes += (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 64 * Int(number + 1) + Int(page)) }
      }
    }
    return SampleImage(
      state: (0..<1000).map { UInt8(truncatingIfNeeded: $0 * $0) },
      blocks: [
        .init(space: 1, runs: runs, bytes: bytes),
        .init(space: 2, runs: [[0x7fff_0000_0000, 1]], bytes: Array(bytes.prefix(4096))),
      ],
      contents: [.init(object: 7, offset: 1 << 33, bytes: Array("what was in a file\n".utf8))],
      references: [
        PageReference(
          place: PagePlace(space: 2, address: 0x5555_0000_0000), pageCount: 1,
          source: PagePlace(space: 1, address: 0x5555_0000_0000))
      ])
  }()

  static var header: ImageHeader {
    var header = ImageHeader()
    header.identifier = Identifier("00112233-4455-6677-8899-aabbccddeeff")!
    header.createdSeconds = 1_800_000_000
    header.createdMicroseconds = 250_000
    header.machine = Architecture.x86_64.rawValue
    header.optionalFeatures = 0
    header.pageByteCount = 4096
    return header
  }

  private static func bytes(_ codec: Codec) throws -> [UInt8] {
    try Files.contents(
      of: Files.directory(of: #filePath) + "/Fixtures/image-v1-\(codec.name).ftc")
  }

  @Test(arguments: Codec.allCases.filter(\.isBuiltIn))
  func `version 1 is read`(codec: Codec) throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.file("image", Self.bytes(codec))
    let reader = try ImageReader(
      OwnedDescriptor.open(path, access: .readOnly), anyArchitecture: true)
    #expect(reader.header == Self.header)
    #expect(try reader.index().entries.count == 5)
    try reader.verify()
    #if arch(x86_64)
      let found = try SampleImage.read(OwnedDescriptor.open(path, access: .readOnly), workers: 2)
      #expect(found == Self.sample)
    #endif
  }

  @Test func `without compression the same is written to the byte`() throws {
    let bytes = try Self.sample.encoded(codec: CodecSetting(.none), header: Self.header)
    #expect(try bytes == Self.bytes(.none))
  }

  @Test(arguments: Codec.allCases.filter { !$0.isBuiltIn })
  func `what was written with a codec that is missing here says so`(codec: Codec) throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.file("image", Self.bytes(codec))
    let reader = try ImageReader(
      OwnedDescriptor.open(path, access: .readOnly), anyArchitecture: true)
    #expect(throws: ImageError.codecNotBuiltIn(codec)) { try reader.verify() }
  }
}
