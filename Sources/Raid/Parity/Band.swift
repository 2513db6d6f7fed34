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
struct Band {
  let rows: Range<Int>
  /// Bytes of each chunk; all of it when there is more than one row.
  let columns: Range<Int>
  let chunkByteCount: Int

  init(rows: Range<Int>, columns: Range<Int>, chunkByteCount: Int) {
    precondition(rows.count == 1 || columns == 0..<chunkByteCount)
    self.rows = rows
    self.columns = columns
    self.chunkByteCount = chunkByteCount
  }

  /// Bytes of one member.
  var byteCount: Int { rows.count * columns.count }
  /// Where the band lies in every member's data.
  var memberRange: Range<Int> {
    let start = rows.lowerBound * chunkByteCount + columns.lowerBound
    return start..<start + byteCount
  }

  /// Where a slot's column starts in the working buffer, `stride` bytes being given to each.
  func column(_ slot: Int, _ stride: Int) -> Int { slot * stride }
  /// Where a row of a slot's column starts.
  func chunk(_ slot: Int, row: Int, _ stride: Int) -> Int {
    slot * stride + (row - rows.lowerBound) * columns.count
  }

  /// Bytes that a column may take when a buffer is shared by so many; a page is left between columns,
  /// so that they do not all fall into the same sets of a cache.
  static func columnLimit(bufferByteCount: Int, columnCount: Int) -> Int {
    bufferByteCount / columnCount / 4096 * 4096 - 4096
  }
  var stride: Int { (byteCount + 4095) / 4096 * 4096 + 4096 }
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
