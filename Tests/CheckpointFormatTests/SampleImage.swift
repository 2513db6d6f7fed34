import BinaryCodec
import CheckpointFormat
import Compression
import FToolTestSupport
import LinuxSystem

/// What an image is to hold, by chance, and what it was found to hold.
struct SampleImage: Equatable {
  struct Block: Hashable {
    var space: UInt32
    var runs: [[UInt64]]
    var bytes: [UInt8]
  }

  struct Content: Hashable {
    var object: UInt32
    var offset: UInt64
    var bytes: [UInt8]
  }

  var state: [UInt8] = []
  var blocks: [Block] = []
  var contents: [Content] = []
  var references: [PageReference] = []

  static let page = 4096

  /// Of about so many blocks; what is in them shrinks, or not.
  static func random(blockCount: Int, stateByteCount: Int, seed: UInt64) -> SampleImage {
    var random = SeededGenerator(seed: seed)
    var sample = SampleImage()
    sample.state = bytes(stateByteCount, using: &random)
    var address: UInt64 = 0x1000
    for number in 0..<blockCount {
      if number % 5 == 4 {
        let content = bytes(Int.random(in: 1...100_000, using: &random), using: &random)
        sample.contents.append(
          Content(object: UInt32(number), offset: random.next() >> 20, bytes: content))
        continue
      }
      var runs: [[UInt64]] = []
      var room = Int.random(in: 1...64, using: &random)
      let byteCount = room * page
      while room > 0 {
        let count = Int.random(in: 1...room, using: &random)
        runs.append([address, UInt64(count)])
        room -= count
        address += UInt64((count + Int.random(in: 1...9, using: &random)) * page)
      }
      sample.blocks.append(
        Block(
          space: UInt32(truncatingIfNeeded: random.next() % 3), runs: runs,
          bytes: bytes(byteCount, using: &random)))
    }
    sample.references = (0..<Int.random(in: 0...40, using: &random)).map { number in
      PageReference(
        place: PagePlace(space: 9, address: UInt64(number * page)), pageCount: 1 + number,
        source: PagePlace(space: 1, address: UInt64(number * 3 * page)))
    }
    return sample
  }

  private static func bytes(_ count: Int, using random: inout SeededGenerator) -> [UInt8] {
    switch random.next() % 3 {
    case 0: return random.bytes(count)
    case 1: return [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: count)
    default:
      let part = random.bytes(min(count, 700))
      return (0..<count).map { part[$0 % part.count] }
    }
  }

  /// Who puts the pages into a block.
  enum Filling: CaseIterable { case caller, workers }

  /// Writes everything; blocks and contents take turns. Workers fill them in some order, and find some to be empty.
  @discardableResult
  func write(
    to descriptor: consuming OwnedDescriptor, header: ImageHeader = ImageHeader(),
    codec: CodecSetting, workers: Int, filledBy filling: Filling = .caller
  ) throws(ImageError) -> ImageSummary {
    let writer = try ImageWriter(descriptor, header: header, codec: codec, workers: workers)
    try writer.writeState(state)
    for number in 0..<max(blocks.count, contents.count) {
      if number < blocks.count { try Self.write(blocks[number], to: writer, filling) }
      if number < contents.count {
        let content = contents[number]
        var buffer = try writer.borrow()
        var bytes = buffer.bytes
        bytes.copy(content.bytes, at: 0)
        try writer.writeContent(
          buffer, byteCount: content.bytes.count, object: content.object, offset: content.offset)
      }
    }
    try writer.waitUntilFilled()
    try writer.writeReferences(references)
    return try writer.finish()
  }

  private static func write(
    _ block: Block, to writer: ImageWriter, _ filling: Filling
  ) throws(ImageError) {
    switch filling {
    case .caller:
      var buffer = try writer.borrow()
      fill(&buffer, with: block)
      try writer.write(buffer, space: block.space)
    case .workers:
      try writer.writeBlock(space: block.space) { buffer in
        Machine.sleep(seconds: Double(block.runs.count % 5) / 2000)
        fill(&buffer, with: block)
      }
      try writer.writeBlock(space: 1) { _ in }
    }
  }

  private static func fill(_ buffer: inout BlockBuffer, with block: Block) {
    for run in block.runs {
      let range = buffer.append(address: run[0], pageCount: Int(run[1]))
      var bytes = buffer.bytes
      bytes.copy(block.bytes.rawBytes.sub(range), at: range.lowerBound)
    }
  }

  /// Reads everything, and puts it in order.
  static func read(
    _ descriptor: consuming OwnedDescriptor, workers: Int
  ) throws -> SampleImage {
    let found = Monitor(SampleImage())
    let reader = try ImageReader(descriptor)
    let state = try reader.state()
    try reader.forEachFrame(workers: workers) { frame in
      let frameBytes = frame.bytes.array()
      switch frame.kind {
      case .block:
        let runs = (0..<frame.runs.count).map { index in
          [frame.runs[index].address, UInt64(frame.runs[index].pageCount)]
        }
        let block = Block(space: frame.space, runs: runs, bytes: frameBytes)
        found.withLock { $0.blocks.append(block) }
      case .content:
        let content = Content(object: frame.space, offset: frame.offset, bytes: frameBytes)
        found.withLock { $0.contents.append(content) }
      default:
        let references = (0..<frame.references.count).map { frame.references[$0] }
        found.withLock { $0.references += references }
      }
    }
    var sample = found.withLock { $0 }
    sample.state = state
    sample.blocks.sort { $0.runs[0][0] < $1.runs[0][0] }
    sample.contents.sort { $0.object < $1.object }
    return sample
  }

  /// The bytes of the image.
  func encoded(
    codec: CodecSetting, workers: Int = 2, header: ImageHeader = ImageHeader()
  ) throws -> [UInt8] {
    let scratch = try ScratchDirectory()
    try write(
      to: OwnedDescriptor.open(
        scratch.path("image"), access: .readWrite, options: [.create, .exclusive]),
      header: header, codec: codec, workers: workers)
    return try Files.contents(of: scratch.path("image"))
  }
}

/// A file of these bytes, open at its start.
func openFile(of bytes: [UInt8], in scratch: borrowing ScratchDirectory) throws -> OwnedDescriptor {
  try OwnedDescriptor.open(try scratch.file("bytes", bytes), access: .readOnly)
}

let builtInSettings = ["none", "zlib:1", "zstd:1", "lz4"].compactMap { CodecSetting($0) }
  .filter(\.codec.isBuiltIn)
