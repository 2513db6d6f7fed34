import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Where the part of a scrub that starts at a member offset ends: one band, or a large hole.
  func scrubPartEnd(_ offset: Int) -> Int {
    let hole = endOfHole(from: offset)
    if hole > offset { return hole }
    let limit = Band.columnLimit(
      bufferByteCount: WorkingMemory.byteCount(slotCount: placement.slotCount),
      columnCount: placement.slotCount + placement.parityCount)
    return placement.band(atMemberOffset: offset, columnLimit: limit).memberRange.upperBound
  }

  /// Checks everything in a range of member data, and puts right what is wrong where that is known.
  ///
  /// First every block against its sum; what a sum or a disk gives up is restored from the others. Then
  /// parity against data. Where all sums agree, and parity does not, a member has lost what was written to it, with
  /// the sum. There, and without sums, two parities name the wrong block if there is only one; a single parity
  /// can't.
  func scrub(
    _ memberRange: Range<Int>, repairs: Bool, log: ScrubLog, memory: inout WorkingMemory
  ) throws(RaidError) {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount,
      columnCount: placement.slotCount + placement.parityCount)
    var offset = memberRange.lowerBound
    while offset < memberRange.upperBound {
      let hole = min(endOfHole(from: offset), memberRange.upperBound)
      if hole > offset {
        log.update { $0.skippedByteCount += (hole - offset) * placement.slotCount }
        offset = hole
        continue
      }
      var band = placement.band(atMemberOffset: offset, columnLimit: limit)
      if band.memberRange.upperBound > memberRange.upperBound {
        band = placement.band(
          atMemberOffset: offset, columnLimit: memberRange.upperBound - offset)
      }
      try locks.withLock(band.rows, exclusive: true) { () throws(RaidError) in
        var offset = band.memberRange.lowerBound
        while offset < band.memberRange.upperBound {
          let (readers, end) = readers(at: offset, in: band)
          try scrubHolding(
            band.part(offset..<end), readers, repairs: repairs, log: log, memory: &memory)
          offset = end
        }
      }
      offset = band.memberRange.upperBound
    }
  }

  /// Up to which member offset all members have one hole, in whole rows; `offset` if they have none or
  /// if the hole is so small that it takes as long to find as to read.
  func endOfHole(from offset: Int, isExcluded: (Int) -> Bool = { _ in false }) -> Int {
    guard offset % placement.chunkByteCount == 0 else { return offset }
    var end = placement.rowCount * placement.chunkByteCount
    for (index, slot) in members.slots.enumerated() where !isExcluded(index) {
      let (reader, stop) = slot.reader(at: offset, limit: end)
      guard let reader else { return offset }
      end = reader.endOfHole(in: offset..<stop)
      if end - offset < 8 << 20 { return offset }
    }
    return end / placement.chunkByteCount * placement.chunkByteCount
  }

  /// Scrubs what has the same readers all over.
  private func scrubHolding(
    _ band: Band, _ given: [Member?], repairs: Bool, log: ScrubLog, memory: inout WorkingMemory
  ) throws(RaidError) {
    var readers = given
    let present = readers.compactMap { $0 }
    let hasListed = members.slots.contains { $0.lister(of: band.memberRange) != nil }
    if !hasListed, isKnownZero(band, present) {
      log.update { $0.skippedByteCount += band.byteCount * present.count }
      return
    }
    let isDoubtful = isDoubtful(band.memberRange)
    var unsolved = Set<Int>()  // member offsets of blocks that nobody can put right
    for slot in 0..<placement.slotCount {
      guard let member = readers[slot] else { continue }
      var bad: [BadBlock] = []
      let isThere = try read(
        member, slot: slot, into: &memory, at: band.column(slot), band.memberRange, bad: &bad)
      if !isThere {
        readers[slot] = nil
        continue
      }
      for block in bad {
        let isSolved = try scrub(block, in: band, member, repairs, log, &memory)
        if !isSolved { unsolved.insert(block.offset) }
      }
    }
    log.update { $0.checkedByteCount += band.byteCount * present.count }
    try scrubListed(band, &readers, &unsolved, repairs: repairs, log, &memory)
    for slot in readers.indices where readers[slot]?.isFailed == true { readers[slot] = nil }
    var compared: [ComparedRow] = []
    for row in band.rows {
      let result = try checkParity(
        row, band, readers, isDoubtful, unsolved: &unsolved, repairs: repairs, log, &memory)
      if let result { compared.append(result) }
    }
    try renewSums(
      band, readers, isDoubtful, compared, unsolved, repairs: repairs, log, &memory)
  }

  /// Puts right what members' logs call bad; whose blocks all are right in the buffer then, counts as one
  /// who can be read.
  private func scrubListed(
    _ band: Band, _ readers: inout [Member?], _ unsolved: inout Set<Int>, repairs: Bool,
    _ log: ScrubLog, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    for (slot, holder) in members.slots.enumerated() where readers[slot] == nil {
      guard let member = holder.lister(of: band.memberRange) else { continue }
      var isSolved = true
      for offset in Swift.stride(
        from: band.memberRange.lowerBound, to: band.memberRange.upperBound, by: 4096)
      {
        let block = BadBlock(slot: slot, offset: offset, kind: .unreadable)
        if try !scrub(block, in: band, member, repairs, log, &memory) {
          isSolved = false
          unsolved.insert(offset)
        }
      }
      if isSolved { readers[slot] = member }
    }
  }

  /// Whether all members have a hole here, and their sums say zero.
  func isKnownZero(_ band: Band, _ present: [Member]) -> Bool {
    guard !present.isEmpty else { return false }
    return present.allSatisfy { $0.isHole(band.memberRange) }
  }

  /// Puts one bad block right, in the buffer and, if wanted, on its member.
  private func scrub(
    _ block: BadBlock, in band: Band, _ member: Member, _ repairs: Bool, _ log: ScrubLog,
    _ memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    let problem: ScrubReport.Problem = block.kind == .unreadable ? .unreadable : .damaged
    let result: Restoration
    do throws(RaidError) {
      result = try restore(block, in: band, memory: &memory)
    } catch {
      guard case .lost(_, let reason) = error else { throw error }
      if member.isFailed { return false }
      if case .inDoubt = reason { log.update { $0.undecidedBlockCount += 1 } }
      member.count {
        if block.kind == .unreadable { $0.unreadableBlocks &+= 1 } else { $0.damagedBlocks &+= 1 }
      }
      log.add(problem, .unrepairable, member, slot: block.slot, at: block.offset)
      return false
    }
    let named: ScrubReport.Problem
    switch result {
    case .keptInDoubt, .confirmed: return true
    case .keptUnproven:
      log.update { $0.unprovenBlockCount += 1 }
      return true
    case .sumWasWrong: named = .wrongSum
    case .recovered where block.kind == .unproven:
      let pattern = placement.pattern(ofRow: block.offset / placement.chunkByteCount)
      named = pattern.paritySlots.contains(block.slot) ? .wrongParity : .wrongData
    case .recovered: named = problem
    }
    // What a crash has cut off is no damage.
    let isInDoubt =
      block.kind == .mismatch && isDoubtful(block.offset..<block.offset + 4096)
    guard repairs else {
      log.add(named, .left, member, slot: block.slot, at: block.offset)
      return true
    }
    let isGood = try repairHoldingRow(block, memory: &memory)
    if isInDoubt, isGood {
      log.update { $0.resyncedBlockCount += 1 }
      return true
    }
    log.add(named, isRepaired: isGood, member, slot: block.slot, at: block.offset)
    return true
  }

  /// A row whose parity has been compared with its data, so that the parity's columns hold their differences.
  private struct ComparedRow {
    var encoding: CodingPlan
    var sources: [Int]
    var outputs: [Int]
    var byteCount: Int

    /// What the parity should be, in place of how it differs.
    func computeParity(in memory: inout WorkingMemory) {
      var bytes = memory.buffer.mutableBytes
      encoding.apply(
        in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: byteCount)
    }
  }

  /// Compares the parity of one row with its data; nil when there is nothing to compare.
  private func checkParity(
    _ row: Int, _ band: Band, _ readers: [Member?], _ isDoubtful: Bool,
    unsolved: inout Set<Int>, repairs: Bool, _ log: ScrubLog, _ memory: inout WorkingMemory
  ) throws(RaidError) -> ComparedRow? {
    let plan = plan(ofRow: row)
    let pattern = plan.pattern
    let parities = pattern.paritySlots.indices.filter { readers[pattern.paritySlots[$0]] != nil }
    let missing = pattern.dataSlots.filter { readers[$0] == nil }
    let start = band.piece(ofRow: row).lowerBound
    let count = band.piece(ofRow: row).count
    // What is missing follows from the first parities; more of them must agree with it.
    guard parities.count > missing.count else { return nil }
    if !missing.isEmpty {
      var bytes = memory.buffer.mutableBytes
      let isRecovered = recover(
        row: row, wanted: missing, isKnown: { readers[$0] != nil },
        column: { band.place($0, start) }, byteCount: count, in: &bytes)
      guard isRecovered else { return nil }
    }
    let sources = plan.order.map { band.place(pattern.dataSlots[$0], start) }
    let outputs = parities.map { band.place(pattern.paritySlots[$0], start) }
    let encoding =
      parities.count == placement.parityCount
      ? plan.encoding
      : code.encoding(
        positions: plan.order.map { pattern.codePositions[$0] }, parities: parities)
    let compared = ComparedRow(
      encoding: encoding, sources: sources, outputs: outputs, byteCount: count)
    do {
      var bytes = memory.buffer.mutableBytes
      encoding.apply(
        in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: count,
        accumulating: true)
      if outputs.allSatisfy({ isZero(bytes.bytes, range: $0..<$0 + count) }) { return compared }
    }
    for block in Swift.stride(from: 0, to: count, by: 4096) {
      let differing = parities.indices.filter {
        !isZero(memory.buffer.bytes, range: outputs[$0] + block..<outputs[$0] + block + 4096)
      }
      if differing.isEmpty || unsolved.contains(start + block) { continue }
      let mend = diagnose(
        differing.map { parities[$0] }, parities, outputs, block, start + block, readers, plan,
        isDoubtful, memory.buffer.bytes)
      guard let mend else {
        log.add(.wrongParity, .cannotBeKnown, nil, slot: nil, at: start + block)
        unsolved.insert(start + block)
        continue
      }
      try apply(
        mend, band, start + block, readers, plan, isDoubtful, repairs, log, &memory)
    }
    return compared
  }

  /// What would make a block of a row agree with its parity.
  private enum Mend {
    /// The parities of these slots are wrong.
    case parity([Int])
    /// The data of this slot is wrong: it differs by what the first parity differs by.
    case data(slot: Int, difference: Int)
  }

  private func diagnose(
    _ differing: [Int], _ parities: [Int], _ outputs: [Int], _ block: Int, _ offset: Int,
    _ readers: [Member?], _ plan: RowPlan, _ isDoubtful: Bool, _ bytes: RawSpan
  ) -> Mend? {
    let slots = differing.map { plan.pattern.paritySlots[$0] }
    // In doubt, data stands and parity follows it; with believed sums, the data is known to be right.
    if isDoubtful { return .parity(slots) }
    func hasSum(_ slot: Int) -> Bool {
      guard let member = readers[slot], member.trustsSums, let sums = member.sums else {
        return false
      }
      return ((try? sums.storedSum(ofBlock: offset / 4096)) ?? nil) != nil
    }
    let unvouched = plan.pattern.dataSlots.filter { !hasSum($0) }
    // Data that agrees with its sums against parity that does not, or was never right.
    if unvouched.isEmpty, !slots.contains(where: hasSum) { return .parity(slots) }
    let isWhole = plan.pattern.dataSlots.allSatisfy { readers[$0] != nil }
    guard isWhole, let p = parities.firstIndex(of: 0), let q = parities.firstIndex(of: 1) else {
      guard unvouched.count == 1, readers[unvouched[0]] != nil,
        let p = parities.firstIndex(of: 0), hasSum(plan.pattern.paritySlots[0])
      else { return nil }
      // All others are right: it is the one whose sum can't be read.
      return .data(slot: unvouched[0], difference: outputs[p] + block)
    }
    // Two parities say who it is, whoever has a sum.
    switch locateError(
      in: bytes, pSyndrome: outputs[p] + block, qSyndrome: outputs[q] + block, byteCount: 4096)
    {
    case .none: return differing.count == 1 ? .parity(slots) : nil
    case .p: return differing == [0] ? .parity(slots) : nil
    case .q: return differing == [1] ? .parity(slots) : nil
    case .data(let position):
      guard let column = plan.pattern.codePositions.firstIndex(of: position) else { return nil }
      return .data(slot: plan.pattern.dataSlots[column], difference: outputs[p] + block)
    case .several: return nil
    }
  }

  private func apply(
    _ mend: Mend, _ band: Band, _ offset: Int, _ readers: [Member?], _ plan: RowPlan,
    _ isDoubtful: Bool, _ repairs: Bool, _ log: ScrubLog,
    _ memory: inout WorkingMemory
  ) throws(RaidError) {
    switch mend {
    case .data(let slot, let difference):
      guard let member = readers[slot] else { return }
      guard repairs else {
        log.add(.wrongData, .left, member, slot: slot, at: offset)
        return
      }
      let place = band.place(slot, offset)
      var bytes = memory.buffer.mutableBytes
      xor(in: &bytes, at: place, with: difference, byteCount: 4096)
      let isGood = try write(member, memory.buffer.bytes, place, offset, memory.sums)
      if isGood {
        member.count {
          $0.damagedBlocks &+= 1; $0.repairedBlocks &+= 1
        }
      }
      log.add(.wrongData, isRepaired: isGood, member, slot: slot, at: offset)
    case .parity(let slots):
      for slot in slots {
        guard let member = readers[slot] else { continue }
        if !repairs, !isDoubtful {
          log.add(.wrongParity, .left, member, slot: slot, at: offset)
          continue
        }
        if isDoubtful, !repairs { continue }
        // The column holds stored ^ right; reading the stored parity again gives the right one.
        let place = band.place(slot, offset)
        let spare = placement.slotCount * 4096
        let isGood = try rewriteParity(member, place, spare, offset, &memory)
        if isDoubtful {
          log.update { $0.resyncedBlockCount += 1 }
        } else {
          log.add(.wrongParity, isRepaired: isGood, member, slot: slot, at: offset)
          if isGood {
            member.count {
              $0.damagedBlocks &+= 1; $0.repairedBlocks &+= 1
            }
          }
        }
      }
    }
  }

  private func rewriteParity(
    _ member: Member, _ place: Int, _ spare: Int, _ offset: Int, _ memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    do throws(DeviceError) {
      var stored = memory.blocks.mutableBytes
      try member.read(into: &stored, range: spare..<spare + 4096, at: offset)
    } catch {
      try members.fail(member, error)
      return false
    }
    let words = (0..<512).map { index in
      memory.blocks.bytes.integer(at: spare + 8 * index, as: UInt64.self)
        ^ memory.buffer.bytes.integer(at: place + 8 * index, as: UInt64.self)
    }
    var block = memory.blocks.mutableBytes
    for (index, word) in words.enumerated() { block.store(word, at: spare + 8 * index) }
    return try write(member, memory.blocks.bytes, spare, offset, memory.sums)
  }

  private func write(
    _ member: Member, _ bytes: RawSpan, _ place: Int, _ offset: Int, _ sums: SumScratch
  ) throws(RaidError) -> Bool {
    do throws(DeviceError) {
      try member.write(bytes, range: place..<place + 4096, at: offset, sums: sums)
      return true
    } catch {
      try members.fail(member, error)
      return false
    }
  }

  /// Gives anew the sums that are stale, damaged or in doubt, of everything that agrees; or only counts them.
  ///
  /// They are of what every member should hold, which the columns have: of what a disk has written elsewhere, or not
  /// at all, the sum then tells.
  private func renewSums(
    _ band: Band, _ readers: [Member?], _ isDoubtful: Bool, _ compared: [ComparedRow],
    _ unsolved: Set<Int>, repairs: Bool, _ log: ScrubLog, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let scratch = memory.sums
    var hasParity = false
    for slot in 0..<placement.slotCount {
      guard let member = readers[slot], !member.isFailed else { continue }
      let blocks = band.memberRange.lowerBound / 4096..<(band.memberRange.upperBound + 4095) / 4096
      guard let sums = member.sums else {
        if member.lacksSums, !repairs { log.update { $0.dueSumCount += blocks.count } }
        continue
      }
      do throws(DeviceError) {
        let all = isDoubtful || !member.trustsSums
        let wanted = all ? [blocks] : try sums.damagedRanges(in: blocks)
        let due = wanted.flatMap { $0.without(unsolved) }
        guard repairs else {
          log.update { $0.dueSumCount += due.reduce(0) { $0 + $1.count } }
          continue
        }
        // What nobody could put right is not called right.
        for block in unsolved.lazy.map({ $0 / 4096 }) where blocks.contains(block) {
          try sums.giveUp(block..<block + 1)
        }
        if !due.isEmpty, !hasParity {
          for row in compared { row.computeParity(in: &memory) }
          hasParity = true
        }
        for range in due {
          let bytes =
            range.lowerBound * 4096..<min(range.upperBound * 4096, band.memberRange.upperBound)
          let place = band.place(slot, bytes.lowerBound)
          try member.recordSums(
            of: memory.buffer.bytes, range: place..<place + bytes.count, at: bytes.lowerBound,
            sums: scratch)
          log.update { $0.renewedSumCount += range.count }
          if !all { member.count { $0.renewedSums &+= UInt64(range.count) } }
        }
      } catch {
        try members.fail(member, error)
      }
    }
  }
}
