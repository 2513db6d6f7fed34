import BinaryCodec

/// The last bytes of an image.
///
/// | offset | size | content                                                                      |
/// | -----: | ---: | ---------------------------------------------------------------------------- |
/// |      0 |    8 | `ftoolEND`                                                                   |
/// |      8 |   16 | the image's UUID                                                             |
/// |     24 |    8 | where the trailer is, from the image's start                                  |
/// |     32 |    8 | where the first frame of the index is                                         |
/// |     40 |    8 | frames before the index                                                       |
/// |     48 |    8 | blocks among them                                                             |
/// |     56 |    8 | bytes of the state                                                            |
/// |     64 |    8 | bytes of memory                                                               |
/// |     72 |    8 | bytes of files                                                                |
/// |     80 |    8 | references                                                                    |
/// |     88 |    4 | CRC-32C of the header and all frame heads in their order, the index's too      |
/// |     92 |    4 | CRC-32C of bytes 0 to 91                                                      |
struct ImageTrailer: Equatable, Sendable {
  var identifier: Identifier
  var offset: Int
  var indexOffset: Int
  var totals: ImageTotals
  /// The heads hold the checksums of what follows them, so this one is of everything.
  var wholeChecksum: UInt32

  static let byteCount = 96
  private static let magic: UInt64 = 0x444e_456c_6f6f_7466  // "ftoolEND"

  private enum Offset {
    static let magic = 0, identifier = 8, offset = 24, indexOffset = 32, frames = 40, blocks = 48
    static let state = 56, memory = 64, content = 72, references = 80, whole = 88, checksum = 92
  }

  init(
    identifier: Identifier, offset: Int, indexOffset: Int, totals: ImageTotals,
    wholeChecksum: UInt32
  ) {
    self.identifier = identifier
    self.offset = offset
    self.indexOffset = indexOffset
    self.totals = totals
    self.wholeChecksum = wholeChecksum
  }

  func encode(into block: inout MutableRawSpan, at start: Int) {
    block.store(Self.magic, at: start + Offset.magic)
    identifier.store(in: &block, at: start + Offset.identifier)
    block.store(UInt64(offset), at: start + Offset.offset)
    block.store(UInt64(indexOffset), at: start + Offset.indexOffset)
    block.store(UInt64(totals.frameCount), at: start + Offset.frames)
    block.store(UInt64(totals.blockCount), at: start + Offset.blocks)
    block.store(UInt64(totals.stateByteCount), at: start + Offset.state)
    block.store(UInt64(totals.memoryByteCount), at: start + Offset.memory)
    block.store(UInt64(totals.contentByteCount), at: start + Offset.content)
    block.store(UInt64(totals.referenceCount), at: start + Offset.references)
    block.store(wholeChecksum, at: start + Offset.whole)
    let own = crc32c(block.bytes.sub(start..<start + Offset.checksum))
    block.store(own, at: start + Offset.checksum)
  }

  /// `place` is where the bytes were found.
  init(decoding block: RawSpan, of header: ImageHeader, at place: Int) throws(ImageError) {
    precondition(block.byteCount == Self.byteCount)
    let checksum: UInt32 = block.integer(at: Offset.checksum)
    guard block.integer(at: Offset.magic) == Self.magic,
      checksum == crc32c(block.sub(0..<Offset.checksum)),
      header.identifier == Identifier(bytes: block, at: Offset.identifier)
    else { throw .checksum(.trailer, offset: place) }
    var fields: [7 of Int] = [7 of Int](repeating: 0)
    for index in 0..<7 {
      let field: UInt64 = block.integer(at: Offset.indexOffset + 8 * index)
      guard field <= UInt64(Int.max) else { throw .malformed(.totals, offset: place) }
      fields[index] = Int(field)
    }
    let own: UInt64 = block.integer(at: Offset.offset)
    guard own == UInt64(place), fields[0] >= ImageHeader.byteCount, fields[0] < place else {
      throw .malformed(.index, offset: place)
    }
    identifier = header.identifier
    offset = place
    indexOffset = fields[0]
    totals = ImageTotals()
    totals.frameCount = fields[1]
    totals.blockCount = fields[2]
    totals.stateByteCount = fields[3]
    totals.memoryByteCount = fields[4]
    totals.contentByteCount = fields[5]
    totals.referenceCount = fields[6]
    wholeChecksum = block.integer(at: Offset.whole)
  }

  /// Whether the bytes begin as a trailer does, and not as a frame.
  static func begins(_ bytes: RawSpan) -> Bool { bytes.integer(at: 0) == magic }
}
