import BlockStorage
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Reads the next part of an array range, as much as one buffer takes and up to the first byte that is
  /// lost, and says where it lies there. Blocks that had to be computed are added to `repairs`.
  ///
  /// - Parameters:
  ///   - range: array bytes; multiples of 4096.
  ///   - pieces: filled with what was read: `range`'s beginning, in order.
  /// - Throws: `lost` when that is the first byte of all.
  func read(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount, columnCount: placement.slotCount)
    let (band, column) = readBand(of: range, columnLimit: limit)
    let wanted = wanted(column, ofRow: band.rows.lowerBound)
    let loaded = try locks.withLock(band.rows, exclusive: false) {
      () throws(RaidError) -> Loaded in
      try load(band, wanted, refusesDoubt: !allowsDoubt, into: &memory)
    }
    repairs.append(contentsOf: loaded.restored)
    let end = loaded.losses.map { arrayRange(of: $0).lowerBound }.min() ?? Int.max
    pieces.removeAll(keepingCapacity: true)
    for var piece in self.pieces(of: band, column: column) {
      let start = piece.arrayRange.lowerBound
      guard start < end else { break }
      piece.arrayRange = start..<min(piece.arrayRange.upperBound, end)
      pieces.append(piece)
    }
    if pieces.isEmpty { throw lost(loaded.losses) }
  }

  /// The data of all rows of a band, or one data column of its only row.
  func wanted(_ column: Int?, ofRow row: Int) -> Wanted {
    guard let column else { return .data }
    let slot = placement.pattern(ofRow: row).dataSlots[column]
    return .slots((0..<placement.slotCount).map { $0 == slot })
  }

  /// The data of a band, or of one data column of it, in the order of the array.
  func pieces(of band: Band, column: Int?) -> [BufferPiece] {
    var pieces: [BufferPiece] = []
    for row in band.rows {
      let pattern = placement.pattern(ofRow: row)
      let piece = band.piece(ofRow: row)
      let inChunk = piece.lowerBound - row * placement.chunkByteCount
      for (index, slot) in pattern.dataSlots.enumerated() where column == nil || column == index {
        let start = row * placement.rowByteCount + index * placement.chunkByteCount + inChunk
        pieces.append(
          BufferPiece(
            arrayRange: start..<start + piece.count, place: band.place(slot, piece.lowerBound)))
      }
    }
    return pieces
  }

  /// Whole rows where the range has them and they fit, else a part of one chunk and its data column.
  func readBand(of range: Range<Int>, columnLimit: Int) -> (Band, column: Int?) {
    let row = range.lowerBound / placement.rowByteCount
    let inRow = range.lowerBound % placement.rowByteCount
    if inRow == 0,
      let band = placement.wholeRows(
        from: row, to: range.upperBound / placement.rowByteCount, columnLimit: columnLimit)
    {
      return (band, nil)
    }
    let column = inRow / placement.chunkByteCount
    let start = inRow % placement.chunkByteCount
    let count = min(range.count, placement.chunkByteCount - start, columnLimit)
    let band = Band(
      rows: row..<row + 1, columns: start..<start + count,
      chunkByteCount: placement.chunkByteCount)
    return (band, column)
  }
}
