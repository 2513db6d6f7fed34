import BlockStorage
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Reads the next part of an array range, as much as one buffer takes, and says where it lies there.
  /// Blocks that had to be computed are added to `repairs`.
  ///
  /// - Parameters:
  ///   - range: array bytes; multiples of 4096.
  ///   - pieces: filled with what was read: `range`'s beginning, in order.
  func read(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount, columnCount: placement.slotCount)
    let (band, column) = readBand(of: range, columnLimit: limit)
    let wanted: Wanted
    if let column {
      let slot = placement.pattern(ofRow: band.rows.lowerBound).dataSlots[column]
      wanted = .slots((0..<placement.slotCount).map { $0 == slot })
    } else {
      wanted = .data
    }
    let bad = try locks.withLock(band.rows, exclusive: false) {
      () throws(RaidError) -> [BadBlock] in
      if !allowsDoubt, isDoubtful(band.memberRange) { try requireReaders(of: wanted, in: band) }
      return try load(band, wanted, into: &memory)
    }
    repairs.append(contentsOf: bad)
    pieces.removeAll(keepingCapacity: true)
    for row in band.rows {
      let pattern = placement.pattern(ofRow: row)
      for (index, slot) in pattern.dataSlots.enumerated() where column == nil || column == index {
        let start =
          row * placement.rowByteCount + index * placement.chunkByteCount + band.columns.lowerBound
        pieces.append(
          BufferPiece(
            arrayRange: start..<start + band.columns.count,
            place: band.chunk(slot, row: row, band.stride)))
      }
    }
  }

  /// Refuses rows in doubt of which something would have to be computed: after a crash their parity may
  /// be of other data, and what comes out neither the old content nor the new.
  private func requireReaders(of wanted: Wanted, in band: Band) throws(RaidError) {
    let readers = readers(of: band)
    for row in band.rows {
      let start = row * placement.chunkByteCount
      guard
        isDoubtful(start + band.columns.lowerBound..<start + band.columns.upperBound)
      else { continue }
      let pattern = placement.pattern(ofRow: row)
      for (column, slot) in pattern.dataSlots.enumerated()
      where readers[slot] == nil && wanted.includes(slot, in: pattern) {
        let chunk = row * placement.rowByteCount + column * placement.chunkByteCount
        throw .lost(
          arrayRange: chunk + band.columns.lowerBound..<chunk + band.columns.upperBound,
          .inDoubt(slot: slot))
      }
    }
  }

  /// Whole rows where the range has them and they fit, else a part of one chunk and its data column.
  private func readBand(of range: Range<Int>, columnLimit: Int) -> (Band, column: Int?) {
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
