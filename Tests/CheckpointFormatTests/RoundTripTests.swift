import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import Glibc
import LinuxSystem
import Testing

@Suite struct RoundTripTests {
  static let ways = [1, 2, 3].flatMap { workers in
    SampleImage.Filling.allCases.map { (workers, $0) }
  }

  @Test(arguments: builtInSettings, ways)
  func `what was written to a file is read again`(
    codec: CodecSetting, way: (workers: Int, filling: SampleImage.Filling)
  ) throws {
    let scratch = try ScratchDirectory()
    let workers = way.workers
    for seed in 0..<UInt64(3) {
      let sample = SampleImage.random(
        blockCount: [0, 7, 40][Int(seed)], stateByteCount: [0, 5000, 700_000][Int(seed)],
        seed: seed)
      let path = scratch.path("image-\(seed)")
      let summary = try sample.write(
        to: OwnedDescriptor.open(path, access: .readWrite, options: [.create, .exclusive]),
        codec: codec, workers: workers, filledBy: way.filling)
      #expect(summary.storedByteCount == (try Files.contents(of: path).count))
      #expect(summary.totals.blockCount == sample.blocks.count)
      #expect(summary.totals.stateByteCount == sample.state.count)
      #expect(summary.totals.memoryByteCount == sample.blocks.reduce(0) { $0 + $1.bytes.count })
      #expect(summary.totals.contentByteCount == sample.contents.reduce(0) { $0 + $1.bytes.count })
      #expect(summary.totals.referenceCount == sample.references.count)
      let found = try SampleImage.read(
        OwnedDescriptor.open(path, access: .readOnly), workers: workers)
      #expect(found == sample)
    }
  }

  @Test(arguments: builtInSettings)
  func `what was written to a pipe is read at its other end`(codec: CodecSetting) throws {
    let sample = SampleImage.random(blockCount: 30, stateByteCount: 300_000, seed: 7)
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    let (readEnd, writeEnd) = (ends[0], ends[1])
    let thread = try WorkerThread {
      _ = try? sample.write(
        to: OwnedDescriptor(owning: writeEnd, name: "pipe"), codec: codec, workers: 2)
    }
    let found = try SampleImage.read(OwnedDescriptor(owning: readEnd, name: "pipe"), workers: 2)
    thread.join()
    #expect(found == sample)
  }

  @Test func `the header says what it was given`() throws {
    var random = SeededGenerator(seed: 3)
    var header = ImageHeader()
    header.identifier = .random(using: &random)
    header.createdSeconds = 1_700_000_000
    header.createdMicroseconds = 5
    header.optionalFeatures = 0x8000_0001
    let scratch = try ScratchDirectory()
    let bytes = try SampleImage().encoded(codec: CodecSetting(.none), header: header)
    #expect(try ImageReader(openFile(of: bytes, in: scratch)).header == header)
  }

  @Test(arguments: builtInSettings)
  func `the index of a file is where everything is`(codec: CodecSetting) throws {
    let scratch = try ScratchDirectory()
    let sample = SampleImage.random(blockCount: 20, stateByteCount: 10, seed: 5)
    let bytes = try sample.encoded(codec: codec)
    let reader = try ImageReader(openFile(of: bytes, in: scratch))
    let index = try reader.index()
    #expect(index.storedByteCount == bytes.count)
    #expect(index.totals.blockCount == sample.blocks.count)
    let blocks = index.entries.filter { $0.kind == .block }
    #expect(blocks.map(\.space) == sample.blocks.map(\.space))
    #expect(blocks.map(\.range.lowerBound) == sample.blocks.map { $0.runs[0][0] })
    #expect(blocks.map(\.rawByteCount) == sample.blocks.map(\.bytes.count))
    // The frames follow one another without a gap.
    var offset = ImageHeader.byteCount
    for entry in index.entries {
      #expect(entry.offset == offset)
      offset += 48 + entry.payloadByteCount
    }
    // The rest can still be read.
    #expect(try reader.state() == sample.state)
    try reader.verify()
  }

  @Test func `pages that cannot be read are taken back`() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path("image")
    let writer = try ImageWriter(
      OwnedDescriptor.open(path, access: .readWrite, options: [.create]), workers: 1)
    try writer.writeState([1])
    var block = try writer.borrow()
    #expect(block.append(address: 0x10000, pageCount: 3) == 0..<12288)
    block.removeLast(pageCount: 1)
    #expect(block.append(address: 0x20000, pageCount: 1) == 8192..<12288)
    #expect(block.append(address: 0x21000, pageCount: 1) == 12288..<16384)
    #expect(block.append(address: 0x30000, pageCount: 2) == 16384..<24576)
    block.removeLast(pageCount: 2)
    #expect(block.pageRoom == 60)
    try writer.write(block, space: 4)
    _ = try writer.borrow()  // and let go of
    _ = try writer.finish()
    let found = try SampleImage.read(OwnedDescriptor.open(path, access: .readOnly), workers: 1)
    #expect(found.blocks.map(\.runs) == [[[0x10000, 2], [0x20000, 2]]])
  }

  @Test func `a block of as many runs as it can have`() throws {
    var block = SampleImage.Block(space: 1, runs: [], bytes: [])
    for number in 0..<UInt64(64) {
      block.runs.append([number * 0x3000, 1])
      block.bytes += [UInt8](repeating: UInt8(number), count: 4096)
    }
    let sample = SampleImage(blocks: [block])
    let scratch = try ScratchDirectory()
    for codec in builtInSettings {
      let bytes = try sample.encoded(codec: codec)
      #expect(try SampleImage.read(openFile(of: bytes, in: scratch), workers: 2) == sample)
    }
  }

  @Test func `more references than a frame holds`() throws {
    let references = (0..<UInt64(20_000)).map { number in
      PageReference(
        place: PagePlace(space: 1, address: number << 12), pageCount: 1,
        source: PagePlace(space: 2, address: number << 13))
    }
    let sample = SampleImage(references: references)
    let scratch = try ScratchDirectory()
    let bytes = try sample.encoded(codec: .standard)
    #expect(try SampleImage.read(openFile(of: bytes, in: scratch), workers: 2) == sample)
  }

  @Test func `what does not shrink by a sixteenth is stored as it is`() throws {
    var random = SeededGenerator(seed: 8)
    // A seventeenth of it is zeros, so that any codec could save just that.
    let noise = random.bytes(65536 - 65536 / 17) + [UInt8](repeating: 0, count: 65536 / 17)
    let sample = SampleImage(blocks: [.init(space: 0, runs: [[0, 16]], bytes: noise)])
    let scratch = try ScratchDirectory()
    for codec in builtInSettings {
      let bytes = try sample.encoded(codec: codec)
      let index = try ImageReader(openFile(of: bytes, in: scratch)).index()
      let block = try #require(index.entries.first { $0.kind == .block })
      #expect(block.codec == Codec.none && block.payloadByteCount == 65536 + 16)
    }
  }
}
