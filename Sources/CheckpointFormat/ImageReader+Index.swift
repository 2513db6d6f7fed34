import BinaryCodec
import LinuxSystem

/// What the end of an image says of all of it.
package struct ImageIndex: Sendable {
  package let totals: ImageTotals
  /// In the order of the frames.
  package let entries: [IndexEntry]
  /// The whole image.
  package let storedByteCount: Int
}

extension ImageReader {
  /// Reads trailer and index of an image in a regular file, which takes no longer when there is more
  /// memory in the image. The blocks themselves are not looked at; `state` and `forEachFrame` can still be
  /// read.
  package func index() throws(ImageError) -> ImageIndex {
    try input.withLock { input throws(ImageError) in
      try input.withDescriptor { descriptor throws(ImageError) in
        try FrameIndexReading(descriptor, header).read(from: descriptor)
      }
    }
  }
}

/// Reads frames of the index by their places.
private struct FrameIndexReading: ~Copyable {
  private let header: ImageHeader
  private let checksum: IdentifierChecksum
  private let trailer: ImageTrailer
  private var entries: [IndexEntry] = []

  init(_ descriptor: borrowing OwnedDescriptor, _ header: ImageHeader) throws(ImageError) {
    self.header = header
    checksum = IdentifierChecksum(of: header.identifier)
    let size: Int
    do throws(SystemCallError) { size = try descriptor.size } catch { throw .system(error) }
    let place = size - ImageTrailer.byteCount
    guard place >= ImageHeader.byteCount else { throw .cutShort(offset: size) }
    var buffer = AlignedBuffer(byteCount: ImageTrailer.byteCount)
    var bytes = buffer.mutableBytes
    try descriptor.readExactly(into: &bytes, range: 0..<ImageTrailer.byteCount, at: place)
    trailer = try ImageTrailer(decoding: bytes.bytes, of: header, at: place)
  }

  consuming func read(from descriptor: borrowing OwnedDescriptor) throws(ImageError) -> ImageIndex {
    var offset = trailer.indexOffset
    var sequence = UInt64(trailer.totals.frameCount)
    var unpacking = FrameUnpacking(pageByteCount: header.pageByteCount)
    while offset < trailer.offset {
      offset += try readFrame(descriptor, at: offset, sequence, &unpacking)
      sequence += 1
    }
    guard offset == trailer.offset, entries.count == trailer.totals.frameCount else {
      throw .malformed(.index, offset: trailer.indexOffset)
    }
    return ImageIndex(
      totals: trailer.totals, entries: entries,
      storedByteCount: trailer.offset + ImageTrailer.byteCount)
  }

  /// Adds the entries of one frame; returns its length.
  private mutating func readFrame(
    _ descriptor: borrowing OwnedDescriptor, at offset: Int, _ sequence: UInt64,
    _ unpacking: inout FrameUnpacking
  ) throws(ImageError) -> Int {
    var memory = FrameMemory()
    var bytes = memory.mutableBytes
    try descriptor.readExactly(into: &bytes, range: 0..<FrameHead.byteCount, at: offset)
    let head = try FrameHead(
      decoding: bytes.bytes.sub(0..<FrameHead.byteCount), of: checksum, sequence: sequence,
      offset: offset)
    guard head.knownKind == .index else { throw .malformed(.index, offset: offset) }
    try descriptor.readExactly(
      into: &bytes, range: head.payloadRange, at: offset + FrameHead.byteCount)
    let found = try unpacking.unpackImage(head, in: memory, at: offset) { frame in
      Self.entries(in: frame.bytes)
    }
    guard let found else { throw .malformed(.index, offset: offset) }
    entries += found
    return FrameHead.byteCount + head.payloadByteCount
  }

  private static func entries(in bytes: RawSpan) -> [IndexEntry]? {
    var entries: [IndexEntry] = []
    for offset in stride(from: 0, to: bytes.byteCount, by: IndexEntry.byteCount) {
      guard let entry = IndexEntry(decoding: bytes, at: offset) else { return nil }
      entries.append(entry)
    }
    return entries
  }
}

extension OwnedDescriptor {
  /// All of the range, or an error.
  fileprivate func readExactly(
    into bytes: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(ImageError) {
    let count: Int
    do throws(SystemCallError) { count = try read(into: &bytes, range: range, at: offset) } catch {
      throw .system(error)
    }
    if count < range.count { throw .cutShort(offset: offset + count) }
  }
}
