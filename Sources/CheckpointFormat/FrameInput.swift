import BinaryCodec
import LinuxSystem

/// Where frames come from, one after the other, and what the image's end has to agree with.
struct FrameInput: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor
  let header: ImageHeader
  private let checksum: IdentifierChecksum
  /// How many bytes were taken.
  private(set) var offset = 0
  private(set) var sequence: UInt64 = 0
  private var whole = CRC32C()
  private(set) var totals = ImageTotals()
  /// Of what the index has to say, so that it need not be kept.
  private var expectedIndex = CRC32C()
  private var foundIndex = CRC32C()
  private var indexOffset = 0

  private(set) var isStateDone = false

  /// Reads and checks the header at the descriptor's position.
  init(_ descriptor: consuming OwnedDescriptor) throws(ImageError) {
    var buffer = AlignedBuffer(byteCount: ImageHeader.byteCount)
    var bytes = buffer.mutableBytes
    let count: Int
    do throws(SystemCallError) {
      count = try descriptor.readStream(into: &bytes, range: 0..<ImageHeader.byteCount)
    } catch { throw .system(error) }
    if count < ImageHeader.byteCount {
      // What is too short to be one may still begin as one.
      let begins = count == 0 || count >= 8 && bytes.bytes.integer(at: 0) == ImageHeader.magic
      throw begins ? .cutShort(offset: count) : .notAnImage
    }
    header = try ImageHeader(decoding: bytes.bytes)
    whole.update(bytes.bytes)
    checksum = IdentifierChecksum(of: header.identifier)
    offset = ImageHeader.byteCount
    self.descriptor = descriptor
  }

  /// The file itself, for reads at an offset.
  func withDescriptor<Result, Failure: Error>(
    _ body: (borrowing OwnedDescriptor) throws(Failure) -> Result
  ) throws(Failure) -> Result { try body(descriptor) }

  /// The head of the next frame; nil when the trailer came instead, and all agrees with it. The room of
  /// the memory, into which the payload can then be read, is used for it.
  mutating func nextHead(_ memory: inout FrameMemory) throws(ImageError) -> FrameHead? {
    let start = offset
    var room = memory.mutableBytes
    try read(into: &room, range: 0..<FrameHead.byteCount)
    if ImageTrailer.begins(room.bytes) {
      try read(into: &room, range: FrameHead.byteCount..<ImageTrailer.byteCount)
      let trailer = try ImageTrailer(
        decoding: room.bytes.sub(0..<ImageTrailer.byteCount), of: header, at: start)
      try finish(with: trailer)
      try expectEnd(&room)
      return nil
    }
    let bytes = room.bytes.sub(0..<FrameHead.byteCount)
    let head = try FrameHead(decoding: bytes, of: checksum, sequence: sequence, offset: start)
    try checkOrder(head, at: start)
    whole.update(bytes)
    sequence += 1
    return head
  }

  /// Reads what follows the head that came last to where a `FrameMemory` has it, unverified.
  mutating func readPayload(
    _ head: FrameHead, into memory: inout FrameMemory
  ) throws(ImageError) {
    let start = offset - FrameHead.byteCount
    var bytes = memory.mutableBytes
    try read(into: &bytes, range: head.payloadRange)
    if head.knownKind == .index {
      if indexOffset == 0 { indexOffset = start }
      return
    }
    totals.count(head)
    let entry = IndexEntry(
      head, table: bytes.bytes.sub(head.tableOffset..<FrameMemory.dataOffset), at: start,
      pageByteCount: header.pageByteCount)
    entry.encode(into: &bytes, at: 0)  // the room's start is free
    expectedIndex.update(bytes.bytes.sub(0..<IndexEntry.byteCount))
  }

  /// Part of the index came.
  mutating func noteIndex(_ bytes: RawSpan) { foundIndex.update(bytes) }

  private var isInIndex: Bool { indexOffset != 0 }

  /// State first, then the rest, the index after all.
  private mutating func checkOrder(_ head: FrameHead, at start: Int) throws(ImageError) {
    let kind = head.knownKind
    let isInOrder =
      switch kind {
      case .state: !isStateDone
      case .block, .content, .references, nil: isStateDone && !isInIndex
      case .index: isStateDone
      }
    guard isInOrder else { throw .malformed(.order, offset: start) }
    if kind == .state {
      guard head.position == UInt64(totals.stateByteCount) else {
        throw .malformed(.position, offset: start)
      }
      guard totals.stateByteCount + head.rawByteCount <= ImageWriter.stateByteLimit else {
        throw .malformed(.stateSize, offset: start)
      }
      isStateDone = head.flags & FrameHead.lastFlag != 0
      // An endless row of nothing would be endless work.
      guard isStateDone || head.rawByteCount > 0 else { throw .malformed(.rawCount, offset: start) }
    }
  }

  private mutating func finish(with trailer: ImageTrailer) throws(ImageError) {
    guard trailer.wholeChecksum == whole.value else {
      throw .checksum(.whole, offset: trailer.offset)
    }
    guard trailer.totals == totals else { throw .malformed(.totals, offset: trailer.offset) }
    guard isInIndex, trailer.indexOffset == indexOffset, foundIndex.value == expectedIndex.value
    else { throw .malformed(.index, offset: trailer.offset) }
  }

  private func expectEnd(_ room: inout MutableRawSpan) throws(ImageError) {
    do throws(SystemCallError) {
      if try descriptor.readStream(into: &room, range: 0..<1) == 0 { return }
    } catch { throw .system(error) }
    throw .trailingBytes(offset: offset)
  }

  private mutating func read(
    into bytes: inout MutableRawSpan, range: Range<Int>
  ) throws(ImageError) {
    let count: Int
    do throws(SystemCallError) {
      count = try descriptor.readStream(into: &bytes, range: range)
    } catch { throw .system(error) }
    offset += count
    if count < range.count { throw .cutShort(offset: offset) }
  }
}
