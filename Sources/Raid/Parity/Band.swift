import RaidGeometry

/// What an operation on a parity array handles at once: some whole rows, or the same columns of the
/// chunks of one row. On every member it is one contiguous range, so each member is read and written
/// in one piece; in the working buffer every slot has a column of its own.
///
/// ```
///          slot 0   slot 1   slot 2            in the buffer
/// row r    D0       D1       P        ┐
/// row r+1  D3       P        D2       ├ band   | slot 0: D0 D3 P | slot 1: D1 P D4 | slot 2: P D2 D5 |
/// row r+2  P        D4       D5       ┘
/// ```
///
/// A *part* of a band is a piece of every member's range, of whole blocks, that lies where it does in the
/// band: it may begin and end inside a row.
struct Band {
  /// Where it lies in every member's data.
  let memberRange: Range<Int>
  let chunkByteCount: Int
  /// The data offset that lies where a column starts in the buffer.
  private let origin: Int
  /// Bytes of the buffer that each slot is given.
  let stride: Int

  init(rows: Range<Int>, columns: Range<Int>, chunkByteCount: Int) {
    precondition(rows.count == 1 || columns == 0..<chunkByteCount)
    self.chunkByteCount = chunkByteCount
    origin = rows.lowerBound * chunkByteCount + columns.lowerBound
    let byteCount = rows.count * columns.count
    memberRange = origin..<origin + byteCount
    stride = (byteCount + 4095) / 4096 * 4096 + 4096
  }

  private init(_ part: Range<Int>, of band: Band) {
    precondition(
      part.lowerBound >= band.memberRange.lowerBound
        && part.upperBound <= band.memberRange.upperBound)
    memberRange = part
    chunkByteCount = band.chunkByteCount
    origin = band.origin
    stride = band.stride
  }

  /// These data offsets of the band, in the same places of the buffer.
  func part(_ memberRange: Range<Int>) -> Band { Band(memberRange, of: self) }

  /// Bytes of one member.
  var byteCount: Int { memberRange.count }
  /// All rows of which it has something.
  var rows: Range<Int> {
    memberRange.lowerBound / chunkByteCount..<(memberRange.upperBound - 1) / chunkByteCount + 1
  }
  /// What it has of a row: data offsets.
  func piece(ofRow row: Int) -> Range<Int> {
    (row * chunkByteCount..<(row + 1) * chunkByteCount).clamped(to: memberRange)
  }

  /// Where a data offset of a slot lies in the working buffer.
  func place(_ slot: Int, _ memberOffset: Int) -> Int { slot * stride + memberOffset - origin }
  /// Where a slot's bytes start in the working buffer.
  func column(_ slot: Int) -> Int { place(slot, memberRange.lowerBound) }

  /// Bytes that a column may take when a buffer is shared by so many; a page is left between columns,
  /// so that they do not all fall into the same sets of a cache.
  static func columnLimit(bufferByteCount: Int, columnCount: Int) -> Int {
    bufferByteCount / columnCount / 4096 * 4096 - 4096
  }
}

extension ParityPlacement {
  /// The largest band from `row` on, up to `end`, whose columns keep to a limit; nil when not even one
  /// row does.
  func wholeRows(from row: Int, to end: Int, columnLimit: Int) -> Band? {
    let count = min(end - row, columnLimit / chunkByteCount)
    guard count > 0 else { return nil }
    return Band(
      rows: row..<row + count, columns: 0..<chunkByteCount, chunkByteCount: chunkByteCount)
  }

  /// The band over all slots that starts at a member offset: whole rows where they fit, else a part of
  /// one row's chunks.
  func band(atMemberOffset offset: Int, columnLimit: Int) -> Band {
    let row = offset / chunkByteCount
    let column = offset % chunkByteCount
    if column == 0, let band = wholeRows(from: row, to: rowCount, columnLimit: columnLimit) {
      return band
    }
    return Band(
      rows: row..<row + 1,
      columns: column..<min(chunkByteCount, column + columnLimit), chunkByteCount: chunkByteCount)
  }
}
