import BinaryCodec
import LinuxSystem

/// Where frames go, one after the other.
struct FrameOutput: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor
  private let header: ImageHeader
  private let checksum: IdentifierChecksum
  /// The number of the next frame.
  private var sequence: UInt64 = 0
  /// How many bytes are out.
  private(set) var offset = 0
  private var whole = CRC32C()
  private(set) var totals = ImageTotals()
  /// Of the frames before the index: what memory the writing of an image takes grows only with these, by
  /// 48 bytes for each block.
  private(set) var entries: [IndexEntry] = []
  private var indexOffset = 0

  init(_ descriptor: consuming OwnedDescriptor, _ header: ImageHeader) {
    self.descriptor = descriptor
    self.header = header
    checksum = IdentifierChecksum(of: header.identifier)
  }

  mutating func writeHeader() throws(ImageError) {
    var buffer = AlignedBuffer(byteCount: ImageHeader.byteCount)
    var bytes = buffer.mutableBytes
    header.encode(into: &bytes)
    whole.update(bytes.bytes)
    try write(bytes.bytes, range: 0..<ImageHeader.byteCount)
  }

  /// Writes a frame that is ready, as the next one. After an error its memory is gone, and nothing can be written
  /// any more.
  mutating func write(_ slot: FrameSlot) throws(ImageError) {
    if slot.isEmpty { return }
    slot.head.sequence = sequence
    sequence += 1
    if slot.isPacked {
      var memory = slot.packed.take()!
      try write(slot.head, in: &memory)
      slot.packed = consume memory
    } else {
      var memory = slot.raw.take()!
      try write(slot.head, in: &memory)
      slot.raw = consume memory
    }
  }

  private mutating func write(
    _ head: FrameHead, in frame: inout FrameMemory
  ) throws(ImageError) {
    var bytes = frame.mutableBytes
    head.encode(into: &bytes, at: head.headOffset, of: checksum)
    let memory = frame.bytes
    if head.knownKind == .index {
      if indexOffset == 0 { indexOffset = offset }
    } else {
      totals.count(head)
      entries.append(
        IndexEntry(
          head, table: memory.sub(head.tableOffset..<FrameMemory.dataOffset), at: offset,
          pageByteCount: header.pageByteCount))
    }
    whole.update(memory.sub(head.headOffset..<head.tableOffset))
    try write(memory, range: head.range)
  }

  mutating func writeTrailer() throws(ImageError) {
    let trailer = ImageTrailer(
      identifier: header.identifier, offset: offset, indexOffset: indexOffset, totals: totals,
      wholeChecksum: whole.value)
    var buffer = AlignedBuffer(byteCount: ImageTrailer.byteCount)
    var bytes = buffer.mutableBytes
    trailer.encode(into: &bytes, at: 0)
    try write(bytes.bytes, range: 0..<ImageTrailer.byteCount)
  }

  /// Returns when a power cut can no longer take what was written.
  func synchronize() throws(ImageError) {
    do throws(SystemCallError) { try descriptor.synchronizeAll() } catch { throw .system(error) }
  }

  private mutating func write(_ bytes: RawSpan, range: Range<Int>) throws(ImageError) {
    do throws(SystemCallError) { try descriptor.writeStream(bytes, range: range) } catch {
      throw .system(error)
    }
    offset += range.count
  }
}
