import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import RaidGeometry
import Synchronization

extension ParityStripes {
  /// Writes any range of the array, row by row: whole rows in bands, the rest by parts.
  ///
  /// - Parameter place: where the range starts in `source`.
  func write(
    _ range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let row = offset / placement.rowByteCount
      let at = place + offset - range.lowerBound
      let wholeRows = (range.upperBound - offset) / placement.rowByteCount
      if offset % placement.rowByteCount == 0,
        let band = writeBand(fromRow: row, rowCount: wholeRows, memory: memory)
      {
        try holding(band.rows, band.memberRange) { () throws(RaidError) in
          scatter(source, at: at, over: band, memory: &memory)
          try writeWholeRows(band, memory: &memory)
        }
        offset += band.rows.count * placement.rowByteCount
      } else {
        let end = min(range.upperBound, (row + 1) * placement.rowByteCount)
        let chunks = row * placement.chunkByteCount..<(row + 1) * placement.chunkByteCount
        try holding(row..<row + 1, chunks) { () throws(RaidError) in
          try writeInRow(offset..<end, from: source, at: at, memory: &memory)
        }
        offset = end
      }
    }
  }

  /// Holds rows for writing, and marks them as being written.
  func holding(
    _ rows: Range<Int>, _ memberRange: Range<Int>, _ body: () throws(RaidError) -> Void
  ) throws(RaidError) {
    try locks.withLock(rows, exclusive: true) { () throws(RaidError) in
      let mark = try mark(memberRange)
      defer { intent?.end(memberRange, mark) }
      do throws(RaidError) {
        try body()
      } catch {
        // Some members may have the bytes and others not. Where there is a journal, it knows better. What could not
        // be read was wanted before anything was written, unless somebody failed on the way.
        let isRefused = error.isLoss && !members.hasUnrecordedFailure
        if journal?.isLive != true, !isRefused { doubt(memberRange) }
        throw error
      }
    }
  }

  /// Marks what is about to be written in the bitmap: at once, unless a journal makes up for it. A member that
  /// is not there needs the bits.
  private func mark(_ memberRange: Range<Int>) throws(RaidError) -> WriteIntent.Mark {
    guard let intent else { return .none }
    if let journal, journal.isLive, members.isComplete {
      intent.beginDeferred(memberRange)
      return .deferred
    }
    do throws(RaidError) {
      try intent.begin(memberRange) { (page, range) throws(RaidError) in
        try members.storeIntent(page, range, isOurs: intent.isOurs)
      }
    } catch {
      // Nothing was written, and the journal knows that.
      if journal?.isLive == true { intent.end(memberRange, .stored) }
      throw error
    }
    return .stored
  }

  /// Copies array bytes to where a band has them.
  private func scatter(
    _ source: RawSpan, at place: Int, over band: Band, memory: inout WorkingMemory
  ) {
    var bytes = memory.buffer.mutableBytes
    var from = place
    for row in band.rows {
      for slot in placement.pattern(ofRow: row).dataSlots {
        bytes.copy(
          source.sub(from..<from + placement.chunkByteCount),
          at: band.place(slot, row * placement.chunkByteCount))
        from += placement.chunkByteCount
      }
    }
  }

  /// Writes a range within a row. Blocks that it does not fill are read first.
  private func writeInRow(
    _ range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    let whole = range.lowerBound / 4096 * 4096..<(range.upperBound + 4095) / 4096 * 4096
    if whole == range {
      try writePart(of: range, from: source, at: place, memory: &memory)
      return
    }
    var merged = AlignedBuffer(byteCount: min(whole.count, 2 * 4096))
    // The first and the last block, or the only one, with what they hold beside the new bytes.
    let first = whole.lowerBound..<whole.lowerBound + 4096
    let last = whole.upperBound - 4096..<whole.upperBound
    var middle = range
    let edges = first == last ? [first] : [first, last]
    for index in edges.indices {
      let block = edges[index]
      let new = range.clamped(to: block)
      if new == block { continue }
      try loadBlock(block.lowerBound, into: &merged, at: index * 4096, memory: &memory)
      var bytes = merged.mutableBytes
      bytes.copy(
        source.sub(
          place + new.lowerBound - range.lowerBound..<place + new.upperBound - range.lowerBound),
        at: index * 4096 + new.lowerBound - block.lowerBound)
      try writePart(of: block, from: merged.bytes, at: index * 4096, memory: &memory)
      middle =
        block == first
        ? block.upperBound..<max(block.upperBound, middle.upperBound)
        : middle.lowerBound..<max(middle.lowerBound, block.lowerBound)
    }
    if !middle.isEmpty {
      try writePart(
        of: middle, from: source, at: place + middle.lowerBound - range.lowerBound,
        memory: &memory)
    }
  }

  private func loadBlock(
    _ offset: Int, into target: inout AlignedBuffer, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    let row = offset / placement.rowByteCount
    let inRow = offset % placement.rowByteCount
    let column = inRow % placement.chunkByteCount
    let slot = placement.pattern(ofRow: row).dataSlots[inRow / placement.chunkByteCount]
    let band = Band(
      rows: row..<row + 1, columns: column..<column + 4096,
      chunkByteCount: placement.chunkByteCount)
    try loadAll(band, .slots((0..<placement.slotCount).map { $0 == slot }), into: &memory)
    let from = band.column(slot)
    var bytes = target.mutableBytes
    bytes.copy(memory.buffer.bytes.sub(from..<from + 4096), at: place)
  }

  /// The band of whole rows that a write from a row's start can fill at once.
  func writeBand(fromRow row: Int, rowCount: Int, memory: borrowing WorkingMemory) -> Band? {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount, columnCount: placement.slotCount)
    return placement.wholeRows(from: row, to: row + rowCount, columnLimit: limit)
  }

  /// Writes whole rows whose data lies in the buffer, each chunk in its slot's column: computes the
  /// parity and all sums while the bytes are in the cache, and reads nothing.
  ///
  /// The caller holds the rows and has announced the range to the intent bitmap.
  func writeWholeRows(_ band: Band, memory: inout WorkingMemory) throws(RaidError) {
    let blocksPerColumn = (band.byteCount + 4095) / 4096
    let slots = members.slots
    let scratch = memory.sums
    try scratch.with(count: blocksPerColumn * placement.slotCount) {
      (sums) throws(RaidError) in
      encode(band, slots, sums: &sums, blocksPerColumn, &memory)
      let update = StripeUpdate(
        memberRange: band.memberRange,
        columns: slots.indices.map { .init(slot: $0, place: band.column($0)) },
        blocksPerColumn: blocksPerColumn)
      try put(update, sums: sums, memory: memory)
    }
  }

  /// Computes parity and sums, strip by strip.
  private func encode(
    _ band: Band, _ slots: [MemberSet.Slot], sums found: inout [UInt32], _ blocksPerColumn: Int,
    _ memory: inout WorkingMemory
  ) {
    let strip = stripByteCount
    var sources: [Int] = []
    var outputs: [Int] = []
    for row in band.rows {
      let plan = plan(ofRow: row)
      let piece = band.piece(ofRow: row)
      for start in Swift.stride(from: piece.lowerBound, to: piece.upperBound, by: strip) {
        let count = min(strip, piece.upperBound - start)
        sources.removeAll(keepingCapacity: true)
        outputs.removeAll(keepingCapacity: true)
        for column in plan.order {
          sources.append(band.place(plan.pattern.dataSlots[column], start))
        }
        for slot in plan.pattern.paritySlots {
          outputs.append(band.place(slot, start))
        }
        var bytes = memory.buffer.mutableBytes
        plan.encoding.apply(
          in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: count)
        let block = (start - band.memberRange.lowerBound) / 4096
        for slot in 0..<placement.slotCount {
          guard let register = sumRegister(slot, slots[slot].member ?? slots[slot].replacement)
          else { continue }
          let at = band.place(slot, start)
          var span = found.mutableSpan
          blockSums(
            of: memory.buffer.bytes, range: at..<at + count,
            firstBlock: UInt64(band.memberRange.lowerBound / 4096 + block),
            prefixRegister: register, into: &span, at: slot * blocksPerColumn + block)
        }
      }
    }
  }

  /// Columns that are coded and summed together: what stays in a core's cache.
  private var stripByteCount: Int {
    max(4096, min(64 << 10, (384 << 10) / placement.slotCount / 4096 * 4096))
  }
}
