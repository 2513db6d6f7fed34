import BlockStorage
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Which slots' bytes an operation needs of a band.
  enum Wanted {
    /// The data of each row.
    case data
    /// These slots of each row.
    case slots([Bool])

    func includes(_ slot: Int, in pattern: RowPattern) -> Bool {
      switch self {
      case .data: if case .data = pattern.roles[slot] { true } else { false }
      case .slots(let slots): slots[slot]
      }
    }
  }

  /// Fills the columns of the slots that are wanted with what the array says they hold: read and checked,
  /// or computed from others. What else it had to read lies in the other columns.
  ///
  /// - Parameter isExcluded: slots to compute although they could be read.
  /// - Returns: the blocks that members could not give, now right in the buffer.
  func load(
    _ band: Band, _ wanted: Wanted, isExcluded: (Int) -> Bool = { _ in false },
    into memory: inout WorkingMemory
  ) throws(RaidError) -> [BadBlock] {
    let readers = readers(of: band, isExcluded: isExcluded)
    var bad: [BadBlock] = []
    var lostRows: [(row: Int, slots: [Int])] = []
    // By slot, and in it by row.
    var needed = [Bool](repeating: false, count: placement.slotCount * band.rows.count)
    for row in band.rows {
      let lost = try plan(row: row, wanted, readers, band, &needed)
      if !lost.isEmpty { lostRows.append((row, lost)) }
    }
    for slot in 0..<placement.slotCount {
      guard let member = readers[slot] else { continue }
      // Rows that follow each other are read in one piece.
      var row = 0
      while row < band.rows.count {
        let first = row
        while row < band.rows.count, needed[slot * band.rows.count + row] { row += 1 }
        if row > first {
          let start = band.memberRange.lowerBound + first * band.columns.count
          try read(
            member, slot: slot, into: &memory,
            at: band.chunk(slot, row: band.rows.lowerBound + first, band.stride),
            start..<start + (row - first) * band.columns.count, bad: &bad)
        }
        row += 1
      }
    }
    for block in bad {
      try restore(block, in: band, memory: &memory)
    }
    for (row, slots) in lostRows {
      var bytes = memory.buffer.mutableBytes
      let isRecovered = recover(
        row: row, wanted: slots,
        isKnown: {
          needed[$0 * band.rows.count + row - band.rows.lowerBound] && readers[$0] != nil
        },
        column: { band.chunk($0, row: row, band.stride) }, byteCount: band.columns.count,
        in: &bytes)
      guard isRecovered else { throw lost(row: row, readers) }
    }
    return bad
  }

  /// Who gives each slot's part of the band; nil where nobody can.
  func readers(of band: Band, isExcluded: (Int) -> Bool = { _ in false }) -> [Member?] {
    members.slots.enumerated().map { index, slot in
      isExcluded(index) ? nil : slot.reader(of: band.memberRange)
    }
  }

  /// Decides which slots of a row to read, and returns those that are wanted and can't be.
  private func plan(
    row: Int, _ wanted: Wanted, _ readers: [Member?], _ band: Band, _ needed: inout [Bool]
  ) throws(RaidError) -> [Int] {
    let pattern = placement.pattern(ofRow: row)
    let rowIndex = row - band.rows.lowerBound
    func need(_ slot: Int) { needed[slot * band.rows.count + rowIndex] = true }
    var lost: [Int] = []
    for slot in 0..<placement.slotCount where wanted.includes(slot, in: pattern) {
      if readers[slot] == nil { lost.append(slot) } else { need(slot) }
    }
    if lost.isEmpty { return [] }
    var unknown = 0
    for slot in pattern.dataSlots {
      if readers[slot] == nil { unknown += 1 } else { need(slot) }
    }
    for slot in pattern.paritySlots where unknown > 0 && readers[slot] != nil {
      need(slot)
      unknown -= 1
    }
    guard unknown == 0 else { throw self.lost(row: row, readers) }
    return lost
  }

  private func lost(row: Int, _ readers: [Member?]) -> RaidError {
    let missing = readers.firstIndex { $0 == nil } ?? 0
    let start = row * placement.rowByteCount
    return .lost(
      arrayRange: start..<start + placement.rowByteCount, .missing(slot: missing))
  }

  /// Reads a range of one member and checks it; blocks that are not good are added to `bad`.
  func read(
    _ member: Member, slot: Int, into memory: inout WorkingMemory, at place: Int,
    _ memberRange: Range<Int>, bad: inout [BadBlock]
  ) throws(RaidError) {
    let sums = memory.sums
    var bytes = memory.buffer.mutableBytes
    do {
      try member.readAll(
        into: &bytes, at: place, memberRange, slot: slot, sums: sums, bad: &bad)
    } catch {
      // The member is gone: everything of this range has to come from the others.
      try members.fail(member, error)
      for offset in stride(from: memberRange.lowerBound, to: memberRange.upperBound, by: 4096) {
        bad.append(BadBlock(slot: slot, offset: offset, kind: .unreadable))
      }
    }
  }
}

extension Member {
  /// Reads a range and checks it; where that fails, block by block, adding those that are not good to
  /// `bad`.
  func readAll(
    into bytes: inout MutableRawSpan, at place: Int, _ range: Range<Int>, slot: Int,
    sums: SumScratch, bad: inout [BadBlock]
  ) throws(DeviceError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let at = place + offset - range.lowerBound
      let rest = range.upperBound - offset
      let finding = try readChecked(
        into: &bytes, range: at..<at + rest, at: offset, sums: sums)
      let badOffset: Int
      switch finding {
      case .good: return
      case .unreadable(let piece): badOffset = piece
      case .mismatch(let block): badOffset = block
      }
      // Everything before is good. The next pieces are read block by block.
      let end = min(range.upperBound, badOffset + (128 << 10))
      for block in stride(from: badOffset, to: end, by: 4096) {
        let at = place + block - range.lowerBound
        let count = min(4096, range.upperBound - block)
        switch try readChecked(into: &bytes, range: at..<at + count, at: block, sums: sums) {
        case .good: break
        case .unreadable: bad.append(BadBlock(slot: slot, offset: block, kind: .unreadable))
        case .mismatch: bad.append(BadBlock(slot: slot, offset: block, kind: .mismatch))
        }
      }
      offset = end
    }
  }
}
