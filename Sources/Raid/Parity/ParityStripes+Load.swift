import BlockStorage
import LinuxSystem
import RaidGeometry

// A member may lack single blocks: md's log lists them, reading fails, or the content disagrees with its
// sum. What is known before reading cuts a band into parts, in each of which the same members can be
// read from end to end: most bands have one. What turns out while reading is restored block by block.
// So a row is lost only where too many of its own blocks are.

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

  /// Bytes of a slot that nobody has, and nothing computes.
  struct Loss {
    var slot: Int
    /// Data offsets, within one row.
    var memberRange: Range<Int>
    var reason: LossReason
  }

  /// What came of loading a band.
  struct Loaded {
    /// Blocks that members could not give, now right in the buffer.
    var restored: [BadBlock] = []
    /// Blocks in doubt after a crash, which lie in the buffer as their members have them.
    var inDoubt: [BadBlock] = []
    /// What the buffer does not have of what was wanted.
    var losses: [Loss] = []
  }

  /// Fills the columns of the slots that are wanted with what the array says they hold: read and checked,
  /// or computed from others. What else it had to read lies in the other columns.
  ///
  /// - Parameters:
  ///   - isExcluded: slots to compute although they could be read.
  ///   - refusesDoubt: call what would have to be computed lost in rows in doubt: after a crash their
  ///     parity may be of other data, and what comes out neither the old content nor the new.
  func load(
    _ band: Band, _ wanted: Wanted, isExcluded: (Int) -> Bool = { _ in false },
    refusesDoubt: Bool = false, into memory: inout WorkingMemory
  ) throws(RaidError) -> Loaded {
    var loaded = Loaded()
    var offset = band.memberRange.lowerBound
    while offset < band.memberRange.upperBound {
      let (readers, end) = readers(at: offset, in: band, isExcluded: isExcluded)
      let part = band.part(offset..<end)
      // When a member fails in the middle, the part is loaded from those who are left.
      if try load(part, wanted, readers, refusesDoubt: refusesDoubt, into: &memory, &loaded) {
        offset = end
      }
    }
    return loaded
  }

  /// The same for who needs everything.
  func loadAll(
    _ band: Band, _ wanted: Wanted, into memory: inout WorkingMemory
  ) throws(RaidError) {
    let loaded = try load(band, wanted, into: &memory)
    if !loaded.losses.isEmpty { throw lost(loaded.losses) }
  }

  /// Who gives each slot's part of a band from a data offset on, nil where nobody can; and up to where
  /// that is so.
  func readers(
    at offset: Int, in band: Band, isExcluded: (Int) -> Bool = { _ in false }
  ) -> (readers: [Member?], end: Int) {
    var end = band.memberRange.upperBound
    var readers: [Member?] = []
    readers.reserveCapacity(placement.slotCount)
    for (index, slot) in members.slots.enumerated() {
      if isExcluded(index) {
        readers.append(nil)
      } else {
        let (reader, limit) = slot.reader(at: offset, limit: end)
        readers.append(reader)
        end = limit
      }
    }
    return (readers, end)
  }

  /// Loads a part of a band that has the same readers all over.
  ///
  /// - Returns: false when a member failed, and it is to be done again.
  private func load(
    _ part: Band, _ wanted: Wanted, _ readers: [Member?], refusesDoubt: Bool,
    into memory: inout WorkingMemory, _ loaded: inout Loaded
  ) throws(RaidError) -> Bool {
    let rows = part.rows
    let isRecoverable = readers.count { $0 != nil } >= placement.dataColumnCount
    var bad: [BadBlock] = []
    var lackingRows: [(row: Int, slots: [Int])] = []
    // By slot, and in it by row.
    var needed = [Bool](repeating: false, count: placement.slotCount * rows.count)
    for row in rows {
      let lacking = plan(
        row: row, wanted, readers, isRecoverable: isRecoverable,
        need: { needed[$0 * rows.count + row - rows.lowerBound] = true })
      if !lacking.isEmpty { lackingRows.append((row, lacking)) }
    }
    for slot in 0..<placement.slotCount {
      guard let member = readers[slot] else { continue }
      // Rows that follow each other are read in one piece.
      var row = rows.lowerBound
      while row < rows.upperBound {
        let first = row
        while row < rows.upperBound, needed[slot * rows.count + row - rows.lowerBound] { row += 1 }
        if row > first {
          let range =
            part.piece(ofRow: first).lowerBound..<part.piece(ofRow: row - 1).upperBound
          let isThere = try read(
            member, slot: slot, into: &memory, at: part.place(slot, range.lowerBound), range,
            bad: &bad)
          if !isThere { return false }
        }
        row += 1
      }
    }
    let unrestored = try restore(bad, in: part, wanted, &memory, &loaded)
    for (row, slots) in lackingRows {
      let piece = part.piece(ofRow: row)
      let isInDoubt = refusesDoubt && isDoubtful(piece)
      guard isRecoverable, !isInDoubt else {
        for slot in slots {
          loaded.losses.append(
            Loss(
              slot: slot, memberRange: piece,
              reason: isInDoubt ? .inDoubt(slot: slot) : reason(readers)))
        }
        continue
      }
      try recover(
        row, slots, piece, from: part, except: unrestored,
        isKnown: {
          needed[$0 * rows.count + row - rows.lowerBound] && readers[$0] != nil
        }, &memory, &loaded)
    }
    return true
  }

  /// Decides which slots of a row to read, and returns those that are wanted and can't be.
  private func plan(
    row: Int, _ wanted: Wanted, _ readers: [Member?], isRecoverable: Bool, need: (Int) -> Void
  ) -> [Int] {
    let pattern = placement.pattern(ofRow: row)
    var lacking: [Int] = []
    for slot in 0..<placement.slotCount where wanted.includes(slot, in: pattern) {
      if readers[slot] == nil { lacking.append(slot) } else { need(slot) }
    }
    guard !lacking.isEmpty, isRecoverable else { return lacking }
    var unknown = 0
    for slot in pattern.dataSlots {
      if readers[slot] == nil { unknown += 1 } else { need(slot) }
    }
    for slot in pattern.paritySlots where unknown > 0 && readers[slot] != nil {
      need(slot)
      unknown -= 1
    }
    return lacking
  }

  /// Puts the blocks right that were found to be bad.
  ///
  /// - Returns: data offsets of those of which too much is lost, in order.
  private func restore(
    _ bad: [BadBlock], in part: Band, _ wanted: Wanted, _ memory: inout WorkingMemory,
    _ loaded: inout Loaded
  ) throws(RaidError) -> [Int] {
    var unrestored: Set<Int> = []
    for block in bad {
      do throws(RaidError) {
        switch try restore(block, in: part, memory: &memory) {
        case .recovered, .sumWasWrong: loaded.restored.append(block)
        case .keptInDoubt: loaded.inDoubt.append(block)
        case .confirmed: break
        case .keptUnproven: members.countUnproven()
        }
      } catch {
        guard case .lost(_, let reason) = error else { throw error }
        unrestored.insert(block.offset)
        let pattern = placement.pattern(ofRow: block.offset / placement.chunkByteCount)
        if wanted.includes(block.slot, in: pattern) {
          loaded.losses.append(
            Loss(
              slot: block.slot, memberRange: block.offset..<block.offset + 4096, reason: reason))
        }
      }
    }
    return unrestored.sorted()
  }

  /// Computes slots of a piece of a row: all at once between the blocks of which not everything that was
  /// read is right, and these from whatever else there is.
  private func recover(
    _ row: Int, _ slots: [Int], _ piece: Range<Int>, from part: Band, except unrestored: [Int],
    isKnown: (Int) -> Bool, _ memory: inout WorkingMemory, _ loaded: inout Loaded
  ) throws(RaidError) {
    var start = piece.lowerBound
    for offset in unrestored.filter(piece.contains) + [piece.upperBound] {
      if start < offset {
        var bytes = memory.buffer.mutableBytes
        let isRecovered = recover(
          row: row, wanted: slots, isKnown: isKnown, column: { part.place($0, start) },
          byteCount: offset - start, in: &bytes)
        precondition(isRecovered, "enough of a row was read, and it does not suffice")
      }
      start = offset + 4096
      if offset == piece.upperBound { break }
      for slot in slots {
        do throws(RaidError) {
          try restore(
            BadBlock(slot: slot, offset: offset, kind: .unreadable), in: part, memory: &memory)
        } catch {
          guard case .lost(_, let reason) = error else { throw error }
          loaded.losses.append(
            Loss(slot: slot, memberRange: offset..<offset + 4096, reason: reason))
        }
      }
    }
  }

  /// Why what these can't give is lost.
  private func reason(_ readers: [Member?]) -> LossReason {
    let slots = members.slots
    let bad = readers.indices.compactMap { slot in
      readers[slot] == nil ? slots[slot].writable.first?.name : nil
    }
    if bad.isEmpty { return .missing(slot: readers.firstIndex { $0 == nil } ?? 0) }
    return .tooManyBad(members: bad)
  }

  /// Reads a range of one member and checks it; blocks that are not good are added to `bad`.
  ///
  /// - Returns: false when the member is gone, and everything has to come from the others.
  func read(
    _ member: Member, slot: Int, into memory: inout WorkingMemory, at place: Int,
    _ memberRange: Range<Int>, bad: inout [BadBlock]
  ) throws(RaidError) -> Bool {
    let sums = memory.sums
    var bytes = memory.buffer.mutableBytes
    do {
      try member.readAll(
        into: &bytes, at: place, memberRange, slot: slot, sums: sums, bad: &bad)
      return true
    } catch {
      try members.fail(member, error)
      return false
    }
  }
}

// MARK: - What is lost of the array

extension ParityStripes {
  /// The array bytes of a loss; those of its row, where it is the row's parity.
  func arrayRange(of loss: Loss) -> Range<Int> {
    let row = loss.memberRange.lowerBound / placement.chunkByteCount
    let start = row * placement.rowByteCount
    guard case .data(let column) = placement.pattern(ofRow: row).roles[loss.slot] else {
      return start..<start + placement.rowByteCount
    }
    let first =
      start + column * placement.chunkByteCount
      + loss.memberRange.lowerBound % placement.chunkByteCount
    return first..<first + loss.memberRange.count
  }

  /// The error that names the first of these.
  func lost(_ losses: [Loss]) -> RaidError {
    .lost(firstOf: losses.map { (arrayRange(of: $0), $0.reason) })
  }
}

extension Member {
  /// Reads a range and checks it; where that fails, block by block, adding those that are not good to
  /// `bad`. Those whose sum is damaged are in the buffer as they are.
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
      case .mismatch(let block), .unproven(let block), .vanished(let block): badOffset = block
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
        case .unproven: bad.append(BadBlock(slot: slot, offset: block, kind: .unproven))
        case .vanished: bad.append(BadBlock(slot: slot, offset: block, kind: .vanished))
        }
      }
      offset = end
    }
  }
}
