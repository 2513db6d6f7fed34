import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import RaidGeometry
import Synchronization

extension ParityStripes {
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
    window.column(placement.slotCount + column)
  }

  /// Writes the data columns `touched` of a window, whose new bytes lie at `incoming`.
  private func write(
    _ window: Band, _ touched: [Int], memory: inout WorkingMemory
  ) throws(RaidError) {
    var offset = window.memberRange.lowerBound
    while offset < window.memberRange.upperBound {
      let (readers, end) = readers(at: offset, in: window)
      let part = window.part(offset..<end)
      do throws(RaidError) {
        try write(part, touched, readers, memory: &memory)
      } catch {
        guard case .lost = error else { throw error }
        // What can be done without differs from block to block.
        for block in Swift.stride(from: offset, to: end, by: 4096) {
          let piece = part.part(block..<block + 4096)
          do throws(RaidError) {
            try write(piece, touched, readers, memory: &memory)
          } catch {
            throw refusal(ofPartOf: piece.rows.lowerBound, error)
          }
        }
      }
      offset = end
    }
  }

  /// Why a part of a row can't be written: only all of it can, since that asks for nothing that is there.
  private func refusal(ofPartOf row: Int, _ error: RaidError) -> RaidError {
    guard case .lost(_, .tooManyBad(let members)) = error else { return error }
    let start = row * placement.rowByteCount
    return .lost(
      arrayRange: start..<start + placement.rowByteCount, .onlyTogether(members: members))
  }

  /// The same where all of the window has the same readers.
  ///
  /// - Throws: `lost` when neither way to the parity is open; nothing has been written then.
  private func write(
    _ window: Band, _ touched: [Int], _ readers: [Member?], memory: inout WorkingMemory
  ) throws(RaidError) {
    let plan = plan(ofRow: window.rows.lowerBound)
    let untouched = plan.order.filter { !touched.contains($0) }
    let parity = plan.pattern.paritySlots
    let canUpdate =
      touched.allSatisfy { readers[plan.pattern.dataSlots[$0]] != nil }
      && parity.allSatisfy { readers[$0] != nil || members.slots[$0].writable.isEmpty }
      && !isDoubtful(window.memberRange)
    let livingParity = parity.indices.filter { readers[parity[$0]] != nil }
    let canReconstruct = untouched.allSatisfy { readers[plan.pattern.dataSlots[$0]] != nil }
    let updateReads = touched.count + livingParity.count
    if !canUpdate {
      try rebuildParity(window, plan, touched, untouched, memory: &memory)
    } else {
      let updatesFirst = !canReconstruct || updateReads < untouched.count
      do throws(RaidError) {
        if updatesFirst {
          try updateParity(window, plan, touched, livingParity, memory: &memory)
        } else {
          try rebuildParity(window, plan, touched, untouched, memory: &memory)
        }
      } catch {
        // What one way has to read and nobody has, the other may do without.
        guard case .lost = error else { throw error }
        if updatesFirst {
          try rebuildParity(window, plan, touched, untouched, memory: &memory)
        } else {
          try updateParity(window, plan, touched, livingParity, memory: &memory)
        }
      }
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
    try loadAll(window, .slots(wanted), into: &memory)
    var bytes = memory.buffer.mutableBytes
    for column in touched {
      xor(
        in: &bytes, at: window.column(plan.pattern.dataSlots[column]),
        with: incoming(column, window), byteCount: window.byteCount)
    }
    let ordered = plan.order.filter { touched.contains($0) }
    let update = update(of: ordered.map { plan.pattern.codePositions[$0] }, livingParity)
    let sources = ordered.map { window.column(plan.pattern.dataSlots[$0]) }
    let outputs = livingParity.map { window.column(plan.pattern.paritySlots[$0]) }
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
      try loadAll(window, .slots(wanted), into: &memory)
    }
    let sources = plan.order.map { column in
      touched.contains(column)
        ? incoming(column, window) : window.column(plan.pattern.dataSlots[column])
    }
    let outputs = plan.pattern.paritySlots.map { window.column($0) }
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
    var columns = touched.map { column in
      StripeUpdate.Column(slot: plan.pattern.dataSlots[column], place: incoming(column, window))
    }
    columns += plan.pattern.paritySlots.map { .init(slot: $0, place: window.column($0)) }
    let blocks = (window.byteCount + 4095) / 4096
    let scratch = memory.sums
    let slots = members.slots
    try scratch.with(count: blocks * columns.count) { (sums) throws(RaidError) in
      for (index, column) in columns.enumerated() {
        let keeper = slots[column.slot].writable.first { $0.sums != nil }
        guard let register = sumRegister(column.slot, keeper) else { continue }
        var span = sums.mutableSpan
        blockSums(
          of: memory.buffer.bytes, range: column.place..<column.place + window.byteCount,
          firstBlock: UInt64(window.memberRange.lowerBound / 4096),
          prefixRegister: register, into: &span, at: index * blocks)
      }
      let update = StripeUpdate(
        memberRange: window.memberRange, columns: columns, blocksPerColumn: blocks)
      try put(update, sums: sums, memory: memory)
    }
  }
}
