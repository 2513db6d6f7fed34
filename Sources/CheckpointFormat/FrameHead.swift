import BinaryCodec
import Compression

/// What a frame holds. The numbers are in images.
package enum FrameKind: UInt16, Sendable {
  /// What the processes are, but for their memory: opaque here.
  case state = 1
  /// Pages of memory.
  case block = 2
  /// Bytes of a file that is kept whole.
  case content = 3
  /// Which pages are the same as others.
  case references = 4
  /// Where all frames are.
  case index = 5
}

/// What stands before the bytes of each frame.
///
/// | offset | size | content                                                        |
/// | -----: | ---: | -------------------------------------------------------------- |
/// |      0 |    2 | kind                                                           |
/// |      2 |    1 | codec: 0 none, 1 zlib, 2 zstd, 3 lz4                            |
/// |      3 |    1 | flags: 1 the last frame of the state; 128 may be skipped        |
/// |      4 |    4 | space: which memory, which file                                 |
/// |      8 |    8 | number of the frame, from 0                                     |
/// |     16 |    8 | position: of the bytes in the state or the file, else 0         |
/// |     24 |    4 | bytes of the table                                              |
/// |     28 |    4 | bytes of the data as stored                                     |
/// |     32 |    4 | bytes of the data as they were                                  |
/// |     36 |    4 | CRC-32C of table and stored data                                |
/// |     40 |    4 | zero                                                            |
/// |     44 |    4 | CRC-32C of the image's UUID and bytes 0 to 43                   |
struct FrameHead: Equatable, Sendable {
  var kind: UInt16
  var codec: UInt8 = 0
  var flags: UInt8 = 0
  var space: UInt32 = 0
  var sequence: UInt64 = 0
  var position: UInt64 = 0
  var tableByteCount = 0
  var storedByteCount = 0
  var rawByteCount = 0
  var checksum: UInt32 = 0

  static let byteCount = 48
  /// The most data that any frame stands for.
  static let rawByteLimit = 256 << 10
  /// A run for each of the smallest pages.
  static let tableByteLimit =
    rawByteLimit / Int(ImageHeader.pageByteCounts.lowerBound) * PageRun.byteCount

  /// The state ends with this frame.
  static let lastFlag: UInt8 = 1
  /// Who does not know the kind may go on without.
  static let optionalFlag: UInt8 = 128

  private enum Offset {
    static let kind = 0, codec = 2, flags = 3, space = 4, sequence = 8, position = 16
    static let tableByteCount = 24, storedByteCount = 28, rawByteCount = 32, payloadChecksum = 36
    static let reserved = 40, checksum = 44
  }

  /// How many bytes follow the head.
  var payloadByteCount: Int { tableByteCount + storedByteCount }

  /// Nil for a kind that is newer than this program.
  var knownKind: FrameKind? { FrameKind(rawValue: kind) }

  func encode(into block: inout MutableRawSpan, at offset: Int, of image: IdentifierChecksum) {
    block.zero(offset..<offset + Self.byteCount)
    block.store(kind, at: offset + Offset.kind)
    block.store(codec, at: offset + Offset.codec)
    block.store(flags, at: offset + Offset.flags)
    block.store(space, at: offset + Offset.space)
    block.store(sequence, at: offset + Offset.sequence)
    block.store(position, at: offset + Offset.position)
    block.store(UInt32(tableByteCount), at: offset + Offset.tableByteCount)
    block.store(UInt32(storedByteCount), at: offset + Offset.storedByteCount)
    block.store(UInt32(rawByteCount), at: offset + Offset.rawByteCount)
    block.store(checksum, at: offset + Offset.payloadChecksum)
    let own = image.checksum(before: block.bytes.sub(offset..<offset + Offset.checksum))
    block.store(own, at: offset + Offset.checksum)
  }

  /// What the bytes say, once their checksum is right and all counts are within their limits.
  /// `offset` is where they are in the image.
  init(
    decoding block: RawSpan, of image: IdentifierChecksum, sequence expected: UInt64, offset: Int
  ) throws(ImageError) {
    precondition(block.byteCount == Self.byteCount)
    let own: UInt32 = block.integer(at: Offset.checksum)
    guard own == image.checksum(before: block.sub(0..<Offset.checksum)) else {
      throw .checksum(.frameHead(expected), offset: offset)
    }
    kind = block.integer(at: Offset.kind)
    codec = block.integer(at: Offset.codec)
    flags = block.integer(at: Offset.flags)
    space = block.integer(at: Offset.space)
    sequence = block.integer(at: Offset.sequence)
    position = block.integer(at: Offset.position)
    tableByteCount = Int(block.integer(at: Offset.tableByteCount, as: UInt32.self))
    storedByteCount = Int(block.integer(at: Offset.storedByteCount, as: UInt32.self))
    rawByteCount = Int(block.integer(at: Offset.rawByteCount, as: UInt32.self))
    checksum = block.integer(at: Offset.payloadChecksum)
    guard sequence == expected else { throw .malformed(.sequence, offset: offset) }
    guard block.integer(at: Offset.reserved, as: UInt32.self) == 0 else {
      throw .malformed(.reserved, offset: offset)
    }
    if let wrong = senselessField { throw .malformed(wrong, offset: offset) }
  }

  init(kind: FrameKind) { self.kind = kind.rawValue }

  /// The first field that no frame can have so, whatever the page size.
  private var senselessField: ImageField? {
    if knownKind == nil && flags & Self.optionalFlag == 0 { return .kind }
    if rawByteCount > Self.rawByteLimit { return .rawCount }
    if tableByteCount > Self.tableByteLimit { return .tableCount }
    guard let codec = Codec(rawValue: codec) else { return .codec }
    // Compressing that does not shrink is no use, so nobody does it.
    let isCountRight =
      codec == .none ? storedByteCount == rawByteCount : storedByteCount < rawByteCount
    if !isCountRight { return .storedCount }
    guard let kind = knownKind else { return nil }
    if flags & ~(kind == .state ? Self.lastFlag : 0) != 0 { return .flags }
    if kind == .block ? tableByteCount == 0 : tableByteCount != 0 { return .tableCount }
    if kind != .state && rawByteCount == 0 { return .rawCount }
    if kind != .state && kind != .content && position != 0 { return .position }
    if position > UInt64(Int64.max) - UInt64(Self.rawByteLimit) { return .position }
    return nil
  }
}

/// The register after an image's UUID: heads are checked from there on, so that one image's frames are
/// wrong in every other.
struct IdentifierChecksum: Sendable {
  private let start: CRC32C

  init(of identifier: Identifier) {
    var checksum = CRC32C()
    checksum.update(identifier.bytes.rawBytes)
    start = checksum
  }

  func checksum(before bytes: RawSpan) -> UInt32 {
    var checksum = start
    checksum.update(bytes)
    return checksum.value
  }
}
