import BinaryCodec
import Compression

/// What the index says of a frame.
///
/// | offset | size | content                                                                |
/// | -----: | ---: | ---------------------------------------------------------------------- |
/// |      0 |    2 | kind                                                                   |
/// |      2 |    1 | codec                                                                  |
/// |      3 |    1 | flags                                                                  |
/// |      4 |    4 | space                                                                  |
/// |      8 |    8 | offset of the frame's head                                             |
/// |     16 |    8 | address of the first page of a block; else the head's position         |
/// |     24 |    8 | end of the last page of a block; else the position behind the data     |
/// |     32 |    4 | bytes that follow the head                                             |
/// |     36 |    4 | bytes of the data as they were                                         |
package struct IndexEntry: Equatable, Sendable {
  /// Nil for a kind that is newer than this program.
  package var kind: FrameKind? { FrameKind(rawValue: rawKind) }
  package var codec: Codec? { Codec(rawValue: rawCodec) }

  let rawKind: UInt16
  let rawCodec: UInt8
  let flags: UInt8
  package let space: UInt32
  /// Of the frame's head in the image.
  package let offset: Int
  /// Of pages in their space, or of bytes in the state or the file.
  package let range: Range<UInt64>
  /// What follows the head.
  package let payloadByteCount: Int
  package let rawByteCount: Int

  static let byteCount = 40
  /// How many fit into a frame.
  static let frameLimit = FrameHead.rawByteLimit / byteCount

  /// `table` is the frame's; it may be anything as yet.
  init(_ head: FrameHead, table: RawSpan, at offset: Int, pageByteCount: Int) {
    rawKind = head.kind
    rawCodec = head.codec
    flags = head.flags
    space = head.space
    self.offset = offset
    if head.knownKind == .block {
      let (first, end) = PageRuns(table).addresses(pageByteCount: pageByteCount)
      range = first..<max(first, end)
    } else {
      range = head.position..<head.position &+ UInt64(head.rawByteCount)
    }
    payloadByteCount = head.payloadByteCount
    rawByteCount = head.rawByteCount
  }

  func encode(into table: inout MutableRawSpan, at start: Int) {
    table.store(rawKind, at: start)
    table.store(rawCodec, at: start + 2)
    table.store(flags, at: start + 3)
    table.store(space, at: start + 4)
    table.store(UInt64(offset), at: start + 8)
    table.store(range.lowerBound, at: start + 16)
    table.store(range.upperBound, at: start + 24)
    table.store(UInt32(payloadByteCount), at: start + 32)
    table.store(UInt32(rawByteCount), at: start + 36)
  }

  /// Nil where a number makes no sense.
  init?(decoding table: RawSpan, at start: Int) {
    rawKind = table.integer(at: start)
    rawCodec = table.integer(at: start + 2)
    flags = table.integer(at: start + 3)
    space = table.integer(at: start + 4)
    let place: UInt64 = table.integer(at: start + 8)
    let lower: UInt64 = table.integer(at: start + 16)
    let upper: UInt64 = table.integer(at: start + 24)
    guard place <= UInt64(Int.max), lower <= upper else { return nil }
    offset = Int(place)
    range = lower..<upper
    payloadByteCount = Int(table.integer(at: start + 32, as: UInt32.self))
    rawByteCount = Int(table.integer(at: start + 36, as: UInt32.self))
  }
}
