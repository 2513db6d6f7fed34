import BinaryCodec
import Compression

/// Verifies and decompresses frames; each worker has one.
struct FrameUnpacking: ~Copyable, Sendable {
  private var decompressor = Decompressor()
  private var unpacked = FrameMemory()
  private let pageByteCount: Int

  init(pageByteCount: Int) { self.pageByteCount = pageByteCount }

  /// Calls the body with what is in a frame of a known kind; `offset` is where its head was. The payload
  /// stands in `memory` where `head` says.
  mutating func unpack<Result>(
    _ head: FrameHead, in memory: borrowing FrameMemory, at offset: Int,
    _ body: (borrowing ImageFrame) throws -> Result
  ) throws -> Result {
    try verify(head, in: memory, at: offset)
    guard let kind = head.knownKind, let codec = Codec(rawValue: head.codec) else {
      preconditionFailure("a frame of a kind that is to be skipped")
    }
    let table = memory.bytes.sub(head.tableOffset..<FrameMemory.dataOffset)
    if codec == .none {
      let data = memory.bytes.sub(head.dataRange)
      let frame = ImageFrame(head, kind, table: table, data: data)
      try check(frame, at: offset)
      return try body(frame)
    }
    try Self.decompress(
      memory.bytes.sub(head.dataRange), of: codec, with: &decompressor, into: &unpacked,
      head.rawByteCount, at: offset)
    let end = FrameMemory.dataOffset + head.rawByteCount
    let data = unpacked.bytes.sub(FrameMemory.dataOffset..<end)
    let frame = ImageFrame(head, kind, table: table, data: data)
    try check(frame, at: offset)
    return try body(frame)
  }

  /// Whether table and data are what was written.
  func verify(
    _ head: FrameHead, in memory: borrowing FrameMemory, at offset: Int
  ) throws(ImageError) {
    guard crc32c(memory.bytes.sub(head.payloadRange)) == head.checksum else {
      throw .checksum(.payload(head.sequence), offset: offset)
    }
  }

  private static func decompress(
    _ source: RawSpan, of codec: Codec, with decompressor: inout Decompressor,
    into memory: inout FrameMemory, _ byteCount: Int, at offset: Int
  ) throws(ImageError) {
    var target = memory.mutableData(byteCount: byteCount)
    do throws(DecompressionError) {
      try decompressor.decompress(source, of: codec, into: &target)
    } catch {
      switch error {
      case .damaged: throw .malformed(.compressedData, offset: offset)
      case .notBuiltIn(let codec): throw .codecNotBuiltIn(codec)
      case .outOfMemory: throw .outOfMemory
      }
    }
  }

  private func check(_ frame: borrowing ImageFrame, at offset: Int) throws(ImageError) {
    switch frame.kind {
    case .block:
      guard frame.runs.make(up: frame.bytes.byteCount, pageByteCount: pageByteCount) else {
        throw .malformed(.runs, offset: offset)
      }
    case .references:
      guard frame.references.arePlausible(pageByteCount: pageByteCount),
        frame.bytes.byteCount % PageReference.byteCount == 0
      else { throw .malformed(.references, offset: offset) }
    case .index:
      guard frame.bytes.byteCount % IndexEntry.byteCount == 0 else {
        throw .malformed(.index, offset: offset)
      }
    case .state, .content: break
    }
  }
}

extension FrameHead {
  /// The data as stored, in a `FrameMemory`.
  var dataRange: Range<Int> { FrameMemory.dataOffset..<FrameMemory.dataOffset + storedByteCount }
}
