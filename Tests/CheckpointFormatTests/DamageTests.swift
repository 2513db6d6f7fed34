import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct DamageTests {
  /// One of everything, in few bytes.
  private static func small(_ codec: CodecSetting) throws -> [UInt8] {
    var page = [UInt8](repeating: 7, count: 4096)
    page[99] = 1
    let sample = SampleImage(
      state: Array("the state of it all, the state of it all, the state".utf8),
      blocks: [.init(space: 1, runs: [[0x7000, 1]], bytes: page)],
      contents: [.init(object: 2, offset: 3, bytes: [1, 2, 3])],
      references: [
        PageReference(
          place: PagePlace(space: 1, address: 0x8000), pageCount: 1,
          source: PagePlace(space: 1, address: 0x7000))
      ])
    return try sample.encoded(codec: codec)
  }

  /// What reading all of it says.
  private static func read(_ bytes: [UInt8]) throws -> ImageError? {
    let scratch = try ScratchDirectory()
    do throws(ImageError) {
      let descriptor: OwnedDescriptor
      do { descriptor = try openFile(of: bytes, in: scratch) } catch { return .notAnImage }
      try ImageReader(descriptor).verify(workers: 1)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: builtInSettings)
  func `every flipped bit is found`(codec: CodecSetting) throws {
    let bytes = try Self.small(codec)
    #expect(try Self.read(bytes) == nil)
    // Of raw pages every place is like every other.
    for place in bytes.indices where bytes.count < 3000 || place % 3 == 0 {
      var damaged = bytes
      damaged[place] ^= UInt8(1 << (place % 8))
      let error = try Self.read(damaged)
      #expect(error != nil, "a flip at \(place)")
      if place >= 12 && error != nil { #expect(Self.isChecksum(error), "at \(place): \(error!)") }
    }
  }

  @Test func `a damaged version is no newer one`() throws {
    let bytes = try Self.small(CodecSetting(.none))
    for bit in 0..<32 {
      var damaged = bytes
      damaged[8 + bit / 8] ^= UInt8(1 << (bit % 8))
      #expect(try Self.read(damaged) == .checksum(.header, offset: 0), "bit \(bit)")
    }
  }

  private static func isChecksum(_ error: ImageError?) -> Bool {
    if case .checksum = error { true } else { false }
  }

  @Test(arguments: builtInSettings)
  func `every cut is found, and named as one`(codec: CodecSetting) throws {
    let bytes = try Self.small(codec)
    for count in 0..<bytes.count where bytes.count < 3000 || count % 3 == 0 || count < 500 {
      let error = try Self.read(Array(bytes.prefix(count)))
      #expect(
        error == ((1..<8).contains(count) ? .notAnImage : .cutShort(offset: count)),
        "cut at \(count)")
    }
  }

  @Test func `what follows the end is not part of it`() throws {
    let bytes = try Self.small(CodecSetting(.none))
    #expect(try Self.read(bytes + [0]) == .trailingBytes(offset: bytes.count))
    #expect(try Self.read(bytes + bytes) == .trailingBytes(offset: bytes.count))
  }

  @Test func `no image, and images for others`() throws {
    #expect(try Self.read([]) == .cutShort(offset: 0))
    #expect(try Self.read([UInt8](repeating: 0, count: 1000)) == .notAnImage)
    // The checksum of another version counts the version, too.
    var newer = try Self.small(CodecSetting(.none))
    newer[8] = 2
    let covered = Array(newer[8..<12] + newer[16..<64])
    newer.withMutableRawBytes { $0.store(crc32c(covered.rawBytes), at: 12) }
    #expect(try Self.read(newer) == .newerVersion(2))
    var header = ImageHeader()
    header.machine = 243
    let other = try SampleImage().encoded(codec: CodecSetting(.none), header: header)
    #expect(try Self.read(other) == .otherArchitecture(243))
    let scratch = try ScratchDirectory()
    let reader = try ImageReader(openFile(of: other, in: scratch), anyArchitecture: true)
    try reader.verify()
  }

  @Test func `frames that are left out, doubled or exchanged are found`() throws {
    let scratch = try ScratchDirectory()
    let sample = SampleImage.random(blockCount: 6, stateByteCount: 9, seed: 2)
    let bytes = try sample.encoded(codec: CodecSetting("zlib")!)
    let entries = try ImageReader(openFile(of: bytes, in: scratch)).index().entries
    func frame(_ number: Int) -> [UInt8] {
      Array(bytes[entries[number].offset...].prefix(48 + entries[number].payloadByteCount))
    }
    let before = Array(bytes.prefix(entries[1].offset))
    let after = Array(bytes.dropFirst(entries[3].offset))
    #expect(try Self.read(before + frame(1) + frame(2) + after) == nil)
    #expect(try Self.read(before + frame(2) + after) != nil)
    #expect(try Self.read(before + frame(2) + frame(1) + after) != nil)
    #expect(try Self.read(before + frame(1) + frame(1) + frame(2) + after) != nil)
    // The same content in another image: its frames are nobody else's.
    let other = try sample.encoded(codec: CodecSetting("zlib")!)
    let foreign = Array(other[entries[2].offset..<entries[3].offset])
    #expect(
      try Self.read(before + frame(1) + foreign + after)
        == .checksum(.frameHead(2), offset: entries[2].offset))
  }

  @Test(arguments: builtInSettings)
  func `damage of a large image is found by several workers`(codec: CodecSetting) throws {
    let scratch = try ScratchDirectory()
    let bytes = try SampleImage.random(blockCount: 30, stateByteCount: 100, seed: 9)
      .encoded(codec: codec)
    var random = SeededGenerator(seed: 10)
    for _ in 0..<40 {
      var damaged = bytes
      let place = Int.random(in: 12..<bytes.count, using: &random)
      damaged[place] ^= 0x10
      let path = try scratch.file("damaged", damaged)
      #expect(throws: ImageError.self, "at \(place)") {
        _ = try SampleImage.read(OwnedDescriptor.open(path, access: .readOnly), workers: 3)
      }
    }
  }

  @Test func `the body's error ends the reading`() throws {
    struct Refusal: Error {}
    let scratch = try ScratchDirectory()
    let bytes = try SampleImage.random(blockCount: 60, stateByteCount: 10, seed: 1)
      .encoded(codec: CodecSetting(.none))
    for workers in 1...3 {
      let reader = try ImageReader(openFile(of: bytes, in: scratch))
      let calls = Monitor(0)
      #expect(throws: Refusal.self) {
        try reader.forEachFrame(workers: workers) { _ in
          let count = calls.withLock { count in
            count += 1
            return count
          }
          if count >= 5 { throw Refusal() }
        }
      }
      #expect(calls.withLock { $0 } < 5 + workers)
    }
  }
}
