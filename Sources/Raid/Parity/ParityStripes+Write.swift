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
      try intent?.begin(memberRange) { (page, range) throws(RaidError) in
        try members.storeIntent(page, range, isOurs: intent?.isOurs ?? false)
      }
      defer { intent?.end(memberRange) }
      do throws(RaidError) {
        try body()
      } catch {
        // Some members may have the bytes and others not.
        doubt(memberRange)
        throw error
      }
    }
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
          at: band.chunk(slot, row: row, band.stride))
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
        source.sub(place + new.lowerBound - range.lowerBound..<place + new.upperBound - range.lowerBound),
        at: index * 4096 + new.lowerBound - block.lowerBound)
      try writePart(of: block, from: merged.bytes, at: index * 4096, memory: &memory)
      middle = block == first
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
    _ = try load(
      band, .slots((0..<placement.slotCount).map { $0 == slot }), into: &memory)
    let from = band.column(slot, band.stride)
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
      for slot in 0..<placement.slotCount {
        for member in slots[slot].writable {
          try store(
            member, memory.buffer.bytes, at: band.column(slot, band.stride), band.memberRange,
            sums: sums, from: slot * blocksPerColumn)
        }
      }
    }
  }

  private func store(
    _ member: Member, _ bytes: RawSpan, at place: Int, _ memberRange: Range<Int>,
    sums: [UInt32], from start: Int
  ) throws(RaidError) {
    do {
      try member.writeSummed(bytes, at: place, memberRange, sums: sums, from: start)
    } catch {
      try members.fail(member, error)
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
      for start in Swift.stride(from: 0, to: band.columns.count, by: strip) {
        let count = min(strip, band.columns.count - start)
        sources.removeAll(keepingCapacity: true)
        outputs.removeAll(keepingCapacity: true)
        for column in plan.order {
          sources.append(
            band.chunk(plan.pattern.dataSlots[column], row: row, band.stride) + start)
        }
        for slot in plan.pattern.paritySlots {
          outputs.append(band.chunk(slot, row: row, band.stride) + start)
        }
        var bytes = memory.buffer.mutableBytes
        plan.encoding.apply(
          in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: count)
        let block = ((row - band.rows.lowerBound) * band.columns.count + start) / 4096
        for slot in 0..<placement.slotCount {
          guard let sums = (slots[slot].member ?? slots[slot].replacement)?.sums else { continue }
          let at = band.chunk(slot, row: row, band.stride) + start
          var span = found.mutableSpan
          blockSums(
            of: memory.buffer.bytes, range: at..<at + count,
            firstBlock: UInt64(band.memberRange.lowerBound / 4096 + block),
            prefixRegister: sums.prefixRegister, into: &span, at: slot * blocksPerColumn + block)
        }
      }
    }
  }

  /// Columns that are coded and summed together: what stays in a core's cache.
  private var stripByteCount: Int {
    max(4096, min(64 << 10, (384 << 10) / placement.slotCount / 4096 * 4096))
  }

  /// Writes part of one row.
  ///
  /// Where the first and the last chunk are not written whole, the row's columns fall into up to three
  /// windows in each of which the same chunks change; each window is written by itself.
  ///
  /// - Parameters:
  ///   - source: holds the new bytes from `place` on.
  ///   - range: array bytes within one row; multiples of 4096.
  func writePart(
    of range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    let chunk = placement.chunkByteCount
    let row = range.lowerBound / placement.rowByteCount
    let start = range.lowerBound - row * placement.rowByteCount
    let end = range.upperBound - row * placement.rowByteCount
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount,
      columnCount: placement.slotCount + placement.dataColumnCount)
    var column = 0
    let cuts = [start % chunk, (end - 1) % chunk + 1, chunk].sorted()
    for cut in cuts where cut > column {
      let touched = (start / chunk...(end - 1) / chunk).filter { index in
        index * chunk + column >= start && index * chunk + cut <= end
      }
      while column < cut {
        let next = min(cut, column + limit)
        if !touched.isEmpty {
          let window = Band(rows: row..<row + 1, columns: column..<next, chunkByteCount: chunk)
          var bytes = memory.buffer.mutableBytes
          for index in touched {
            let from = place + index * chunk + column - start
            bytes.copy(
              source.sub(from..<from + window.byteCount), at: incoming(index, window))
          }
          try write(window, touched, memory: &memory)
        }
        column = next
      }
    }
  }

  /// Where a data column's new bytes lie in the buffer: behind the columns of all slots.
  private func incoming(_ column: Int, _ window: Band) -> Int {
    (placement.slotCount + column) * window.stride
  }

  /// Writes the data columns `touched` of a window, whose new bytes lie at `incoming`.
  private func write(
    _ window: Band, _ touched: [Int], memory: inout WorkingMemory
  ) throws(RaidError) {
    let row = window.rows.lowerBound
    let plan = plan(ofRow: row)
    let readers = readers(of: window)
    let untouched = plan.order.filter { !touched.contains($0) }
    let parity = plan.pattern.paritySlots
    let canUpdate =
      touched.allSatisfy { readers[plan.pattern.dataSlots[$0]] != nil }
      && parity.allSatisfy { readers[$0] != nil || members.slots[$0].writable.isEmpty }
      && !isDoubtful(window.memberRange)
    let livingParity = parity.indices.filter { readers[parity[$0]] != nil }
    let canReconstruct = untouched.allSatisfy { readers[plan.pattern.dataSlots[$0]] != nil }
    let updateReads = touched.count + livingParity.count
    if canUpdate, !canReconstruct || updateReads < untouched.count {
      try updateParity(window, plan, touched, livingParity, memory: &memory)
    } else {
      try rebuildParity(window, plan, touched, untouched, memory: &memory)
    }
    try store(window, plan, touched, memory: &memory)
  }

  /// Read-modify-write: parity changes by what the data changes by.
  private func updateParity(
    _ window: Band, _ plan: RowPlan, _ touched: [Int], _ livingParity: [Int],
    memory: inout WorkingMemory
  ) throws(RaidError) {
    var wanted = [Bool](repeating: false, count: placement.slotCount)
    for column in touched { wanted[plan.pattern.dataSlots[column]] = true }
    for index in livingParity { wanted[plan.pattern.paritySlots[index]] = true }
    _ = try load(window, .slots(wanted), into: &memory)
    let stride = window.stride
    var bytes = memory.buffer.mutableBytes
    for column in touched {
      xor(
        in: &bytes, at: window.column(plan.pattern.dataSlots[column], stride),
        with: incoming(column, window), byteCount: window.byteCount)
    }
    let ordered = plan.order.filter { touched.contains($0) }
    let update = update(of: ordered.map { plan.pattern.codePositions[$0] }, livingParity)
    let sources = ordered.map { window.column(plan.pattern.dataSlots[$0], stride) }
    let outputs = livingParity.map { window.column(plan.pattern.paritySlots[$0], stride) }
    update.apply(
      in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: window.byteCount,
      accumulating: true)
  }

  /// Reconstruct-write: parity anew from the old and new data of the whole row.
  private func rebuildParity(
    _ window: Band, _ plan: RowPlan, _ touched: [Int], _ untouched: [Int],
    memory: inout WorkingMemory
  ) throws(RaidError) {
    if !untouched.isEmpty {
      var wanted = [Bool](repeating: false, count: placement.slotCount)
      for column in untouched { wanted[plan.pattern.dataSlots[column]] = true }
      _ = try load(window, .slots(wanted), into: &memory)
    }
    let stride = window.stride
    let sources = plan.order.map { column in
      touched.contains(column)
        ? incoming(column, window) : window.column(plan.pattern.dataSlots[column], stride)
    }
    let outputs = plan.pattern.paritySlots.map { window.column($0, stride) }
    var bytes = memory.buffer.mutableBytes
    plan.encoding.apply(
      in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: window.byteCount)
  }

  /// What parities change by when the data at code positions does. Small writes change one column, and
  /// these plans are kept.
  private func update(of positions: [Int], _ parities: [Int]) -> CodingPlan {
    guard positions.count == 1, parities.count == placement.parityCount else {
      return code.encoding(positions: positions, parities: parities)
    }
    if let plan = updates.withLock({ $0[positions[0]] }) { return plan }
    let plan = code.encoding(positions: positions, parities: parities)
    updates.withLock { $0[positions[0]] = plan }
    return plan
  }

  private func store(
    _ window: Band, _ plan: RowPlan, _ touched: [Int], memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    for column in touched {
      try store(
        slots[plan.pattern.dataSlots[column]], from: incoming(column, window), window, &memory)
    }
    for slot in plan.pattern.paritySlots {
      try store(slots[slot], from: window.column(slot, window.stride), window, &memory)
    }
  }

  private func store(
    _ slot: MemberSet.Slot, from place: Int, _ window: Band, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let sums = memory.sums
    for member in slot.writable {
      do {
        try member.write(
          memory.buffer.bytes, range: place..<place + window.byteCount,
          at: window.memberRange.lowerBound, sums: sums)
      } catch {
        try members.fail(member, error)
      }
    }
  }
}

extension Member {
  /// Pieces of zeros at least so long are not written where zeros are already.
  private static let sparsePiece = 64 << 10

  /// Writes a range whose sums are known. Where new and old content are zeros nothing is written, so
  /// that sparse members stay sparse.
  ///
  /// - Parameters:
  ///   - place: where the bytes start in `buffer`.
  ///   - memberRange: data offsets.
  ///   - start: the first sum's place in `sums`.
  func writeSummed(
    _ buffer: RawSpan, at place: Int, _ memberRange: Range<Int>, sums scratch: [UInt32],
    from start: Int
  ) throws(DeviceError) {
    guard let sums else {
      try device.write(
        buffer, range: place..<place + memberRange.count, at: dataOffset + memberRange.lowerBound)
      return
    }
    let first = memberRange.lowerBound / 4096
    let count = (memberRange.count + 4095) / 4096
    var pending = 0  // bytes of the range from here on are not written yet
    var done = 0
    while done < memberRange.count {
      let piece = min(Self.sparsePiece, memberRange.count - done)
      let blocks = done / 4096..<(done + piece + 4095) / 4096
      let isZero = scratch[start + blocks.lowerBound] == 0
        && blocks.allSatisfy { scratch[start + $0] == 0 }
      // The sums of a new member say zeros whatever it holds: only a hole is known to be zeros.
      if isZero,
        isHole(memberRange.lowerBound + done..<memberRange.lowerBound + done + piece)
      {
        try writePending(buffer, place, memberRange, pending..<done)
        pending = done + piece
      }
      done += piece
    }
    try writePending(buffer, place, memberRange, pending..<memberRange.count)
    try sums.record(scratch, from: start, count: count, firstBlock: first)
  }

  private func writePending(
    _ buffer: RawSpan, _ place: Int, _ memberRange: Range<Int>, _ part: Range<Int>
  ) throws(DeviceError) {
    guard !part.isEmpty else { return }
    try device.write(
      buffer, range: place + part.lowerBound..<place + part.upperBound,
      at: dataOffset + memberRange.lowerBound + part.lowerBound)
  }
}
