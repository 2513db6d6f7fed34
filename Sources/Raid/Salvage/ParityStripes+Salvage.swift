import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

extension ParityStripes {
  /// Reads the beginning of an array range, as much as one buffer takes, and finds all of it that is whole.
  ///
  /// - Parameters:
  ///   - range: array bytes; multiples of 4096.
  ///   - acceptsUnproven: takes sectors of a block that no sum confirms although sums are kept.
  /// - Returns: up to where `found` tells of everything.
  func salvage(
    _ range: Range<Int>, acceptsUnproven: Bool, into memory: inout WorkingMemory,
    _ found: inout SalvagedBytes
  ) throws(RaidError) -> Int {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount, columnCount: placement.slotCount)
    let (band, column) = readBand(of: range, columnLimit: limit)
    let wanted = wanted(column, ofRow: band.rows.lowerBound)
    let losses = try locks.withLock(band.rows, exclusive: false) {
      () throws(RaidError) -> [Loss] in
      let loaded = try load(band, wanted, refusesDoubt: !allowsDoubt, into: &memory)
      let losses =
        loaded.losses + unconfirmed(loaded.restored + loaded.inDoubt, in: band, wanted, &memory)
      members.state.withLock { $0.blocksRestored += loaded.restored.count }
      return try salvage(losses, in: band, acceptsUnproven: acceptsUnproven, memory: &memory)
    }
    found.removeAll()
    found.pieces = pieces(of: band, column: column)
    found.losses = losses.map { (arrayRange(of: $0), $0.reason) }
    return found.pieces.last?.arrayRange.upperBound ?? range.upperBound
  }

  /// Blocks in doubt that were put together from others, or taken as they are, and that no sum confirms:
  /// after a crash the parity may be of other data.
  private func unconfirmed(
    _ restored: [BadBlock], in band: Band, _ wanted: Wanted, _ memory: inout WorkingMemory
  ) -> [Loss] {
    if allowsDoubt { return [] }
    let slots = members.slots
    let sums = memory.sums
    return restored.compactMap { block in
      let range = block.offset..<block.offset + 4096
      let pattern = placement.pattern(ofRow: block.offset / placement.chunkByteCount)
      guard wanted.includes(block.slot, in: pattern), isDoubtful(range) else { return nil }
      let place = band.place(block.slot, block.offset)
      let isConfirmed = slots[block.slot].writable.contains {
        $0.confirms(memory.buffer.bytes, range: place..<place + 4096, at: block.offset, sums: sums)
      }
      if isConfirmed { return nil }
      return Loss(slot: block.slot, memberRange: range, reason: .inDoubt(slot: block.slot))
    }
  }

  /// Finds what of lost blocks can be had sector by sector.
  ///
  /// - Returns: what stays lost.
  private func salvage(
    _ losses: [Loss], in band: Band, acceptsUnproven: Bool, memory: inout WorkingMemory
  ) throws(RaidError) -> [Loss] {
    var rest: [Loss] = []
    for loss in losses {
      var start = loss.memberRange.lowerBound
      for offset in stride(from: start, to: loss.memberRange.upperBound, by: 4096) {
        guard mayHaveSectors(loss.slot, offset) else { continue }
        let sectors = try sectors(
          ofSlot: loss.slot, at: offset, acceptsUnproven: acceptsUnproven, memory: &memory)
        if sectors.isEmpty { continue }
        memory.copyBlock(loss.slot, to: band.place(loss.slot, offset))
        for gap in [start - offset..<0] + sectors.gaps(byteCount: 4096) where !gap.isEmpty {
          var part = loss
          part.memberRange = offset + gap.lowerBound..<offset + gap.upperBound
          rest.append(part)
        }
        start = offset + 4096
      }
      var part = loss
      part.memberRange = start..<loss.memberRange.upperBound
      if !part.memberRange.isEmpty { rest.append(part) }
    }
    return rest
  }

  /// Whether there is anybody who may have some of a block's sectors, or enough others for the rest.
  private func mayHaveSectors(_ slot: Int, _ offset: Int) -> Bool {
    let range = offset..<offset + 4096
    let slots = members.slots
    if slots[slot].reader(of: range) != nil { return true }
    return slots.count { $0.reader(of: range) != nil } >= placement.dataColumnCount
  }

  /// Puts a block together sector by sector in its slot's block of `memory.blocks`.
  ///
  /// A sector of a block that could not be read whole agrees with no sum. So where the block's member keeps
  /// sums, it counts when the block is whole then and agrees with its own; and others count who keep none.
  private func sectors(
    ofSlot slot: Int, at offset: Int, acceptsUnproven: Bool, memory: inout WorkingMemory
  ) throws(RaidError) -> SectorSet {
    let range = offset..<offset + 4096
    let sums = memory.sums
    let slots = members.slots
    var bytes = memory.blocks.mutableBytes
    var known = [SectorSet](repeating: SectorSet(), count: placement.slotCount)
    var proven = known
    for index in known.indices {
      guard let member = slots[index].reader(of: range) else { continue }
      do {
        known[index] = try member.readSectors(
          into: &bytes, range: index * 4096..<(index + 1) * 4096, at: offset, sums: sums)
      } catch {
        try members.fail(member, error)
      }
      if known[index] == .all || !member.hasTrustedSums { proven[index] = known[index] }
    }
    let row = offset / placement.chunkByteCount
    let whole = fill(slot, row, known, in: &bytes)
    let isConfirmed = slots[slot].writable.contains {
      $0.confirms(bytes.bytes, range: slot * 4096..<(slot + 1) * 4096, at: offset, sums: sums)
    }
    if acceptsUnproven || whole == .all && isConfirmed { return whole }
    // In rows in doubt the parity may be of other data.
    if isDoubtful(range) && !allowsDoubt { return proven[slot] }
    // What is there of the member's own stays, and what was computed is computed again.
    let again = fill(slot, row, proven, in: &bytes)
    if again == .all, known[slot] != .all, isDenied(bytes.bytes, slot, at: offset, sums) {
      return proven[slot]
    }
    return again
  }

  /// Whether a member keeps a sum of its block that is believed, and it is not that of these bytes.
  private func isDenied(
    _ bytes: RawSpan, _ slot: Int, at offset: Int, _ sums: SumScratch
  ) -> Bool {
    members.slots[slot].writable.contains { member in
      let finding = try? member.check(
        bytes, range: slot * 4096..<(slot + 1) * 4096, at: offset, sums: sums)
      return if case .mismatch? = finding { true } else { false }
    }
  }

  /// Computes the sectors of a slot's block that are not known from those of others that are.
  ///
  /// - Returns: the slot's sectors that are known then.
  private func fill(
    _ slot: Int, _ row: Int, _ known: [SectorSet], in bytes: inout MutableRawSpan
  ) -> SectorSet {
    var whole = known[slot]
    for sector in 0..<SectorSet.count where !known[slot].contains(sector) {
      let isRecovered = recover(
        row: row, wanted: [slot], isKnown: { $0 != slot && known[$0].contains(sector) },
        column: { $0 * 4096 + sector * SectorSet.byteCount }, byteCount: SectorSet.byteCount,
        in: &bytes)
      if isRecovered { whole.insert(sector) }
    }
    return whole
  }
}
