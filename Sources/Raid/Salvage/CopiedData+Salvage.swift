import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

extension CopiedData {
  /// Reads the beginning of an array range, as much as one buffer takes, and finds all of it that is whole.
  ///
  /// - Parameters:
  ///   - range: array bytes.
  ///   - acceptsUnproven: takes blocks in doubt, and sectors of a block that no sum confirms although sums
  ///     are kept.
  /// - Returns: up to where `found` tells of everything.
  func salvage(
    _ range: Range<Int>, acceptsUnproven: Bool, into memory: inout WorkingMemory,
    _ found: inout SalvagedBytes
  ) throws(RaidError) -> Int {
    var end = range.lowerBound + min(range.count, memory.buffer.byteCount / 2)
    while true {
      let part = range.lowerBound..<end
      let outcome = try locks.withLock(part, exclusive: false) {
        () throws(RaidError) -> Outcome in
        try salvageHolding(part, acceptsUnproven, &memory, &found)
      }
      switch outcome {
      case .done: return end
      case .failed: continue
      case .tooMuch: end = range.lowerBound + max(1, (end - range.lowerBound) / 2)
      }
    }
  }

  private enum Outcome {
    case done
    /// A member failed, and it is to be done again.
    case failed
    /// So many runs that they do not fit into the buffer as whole blocks.
    case tooMuch
  }

  private func salvageHolding(
    _ range: Range<Int>, _ acceptsUnproven: Bool, _ memory: inout WorkingMemory,
    _ found: inout SalvagedBytes
  ) throws(RaidError) -> Outcome {
    let slots = members.slots
    found.removeAll()
    var runs: [Run] = []
    var offset = range.lowerBound
    while offset < range.upperBound {
      let lossesBefore = found.losses.count
      runs += try readRuns(offset..<range.upperBound, slots, &found.losses)
      guard found.losses.count > lossesBefore, let loss = found.losses.last else { break }
      offset = loss.arrayRange.upperBound
    }
    let needed = runs.reduce(0) { $0 + ($1.memberRange.count + 3 * 4096) / 4096 * 4096 }
    if needed > memory.buffer.byteCount, range.count > 1 { return .tooMuch }
    var place = 0
    for run in runs {
      let bad: [BadBlock]
      let whole: Range<Int>
      do {
        (bad, whole) = try read(run, at: place, &memory)
      } catch {
        if let reader = run.reader { try members.fail(reader, error) }
        return .failed
      }
      for block in bad {
        try salvage(
          block, end: min(block.offset + 4096, whole.upperBound),
          place: place + block.offset - whole.lowerBound, acceptsUnproven, &memory, &found)
      }
      let lead = run.memberRange.lowerBound - whole.lowerBound
      for part in run.parts {
        found.pieces.append(.init(arrayRange: part.arrayRange, place: place + lead + part.place))
      }
      place += (whole.count + 4095) / 4096 * 4096
    }
    return .done
  }

  /// Puts a bad block right in the buffer, or notes what of it is lost.
  private func salvage(
    _ block: BadBlock, end: Int, place: Int, _ acceptsUnproven: Bool,
    _ memory: inout WorkingMemory, _ found: inout SalvagedBytes
  ) throws(RaidError) {
    var loss: (arrayRange: Range<Int>, reason: LossReason)
    do throws(RaidError) {
      switch try restore(block, end: end, place: place, memory: &memory) {
      case .confirmed: return
      case .keptUnproven: return members.countUnproven()
      case .keptInDoubt where !acceptsUnproven && hasOtherCopies(block, end: end):
        loss = (0..<0, .inDoubt(slot: block.slot))
      case .keptInDoubt, .fromAnotherCopy:
        return members.state.withLock { $0.blocksRestored += 1 }
      }
    } catch {
      guard case .lost(_, let reason) = error else { throw error }
      loss = (0..<0, reason)
    }
    guard
      let (start, length) = placement.arrayRange(
        at: .init(slot: block.slot, offset: block.offset), limit: end - block.offset)
    else { return }
    let sectors = try sectors(
      of: block, end: end, place: place, start..<start + length, acceptsUnproven, &memory)
    for gap in sectors.gaps(byteCount: length) {
      loss.arrayRange = start + gap.lowerBound..<start + gap.upperBound
      found.losses.append(loss)
    }
  }

  /// Whether anybody else could be read there, who may say something else.
  private func hasOtherCopies(_ block: BadBlock, end: Int) -> Bool {
    guard
      let found = placement.arrayRange(
        at: .init(slot: block.slot, offset: block.offset), limit: end - block.offset)
    else { return false }
    var places: [CopyPlacement.Place] = []
    _ = placement.locate(found.offset, into: &places)
    let slots = members.slots
    return places.contains { copy in
      copy.slot != block.slot
        && slots[copy.slot].reader(of: copy.offset..<copy.offset + found.byteCount) != nil
    }
  }

  /// Puts a block together sector by sector from all of its copies. Sectors of members that keep sums
  /// count when the block is whole then and agrees with one.
  private func sectors(
    of block: BadBlock, end: Int, place: Int, _ arrayRange: Range<Int>, _ acceptsUnproven: Bool,
    _ memory: inout WorkingMemory
  ) throws(RaidError) -> SectorSet {
    let slots = members.slots
    let count = end - block.offset
    let sums = memory.sums
    var places: [CopyPlacement.Place] = []
    _ = placement.locate(arrayRange.lowerBound, into: &places)
    var whole = SectorSet()
    var proven = SectorSet()
    for copy in places {
      let range = copy.offset..<copy.offset + count
      for case let member? in [
        slots[copy.slot].reader(of: range), slots[copy.slot].otherReader(of: range),
      ] {
        let known = try readSectors(of: member, range, &memory)
        for sector in 0..<SectorSet.count where known.contains(sector) && !whole.contains(sector) {
          let start = sector * SectorSet.byteCount
          guard start < count else { break }
          let part = start..<min(count, start + SectorSet.byteCount)
          memory.copySector(part, to: place + start)
          whole.insert(sector)
          if !member.hasTrustedSums { proven.insert(sector) }
        }
      }
    }
    if acceptsUnproven { return whole }
    let isConfirmed = places.contains { copy in
      slots[copy.slot].writable.contains {
        $0.confirms(
          memory.buffer.bytes, range: place..<place + count, at: copy.offset, sums: sums)
      }
    }
    if isConfirmed, whole.gaps(byteCount: count).isEmpty { return whole }
    // In doubt copies may differ, and a mixture of them be neither.
    return places.count > 1 && isDoubtful(arrayRange) ? SectorSet() : proven
  }
}

extension CopiedData {
  /// Reads a block of a member to the first of `memory.blocks`.
  private func readSectors(
    of member: Member, _ range: Range<Int>, _ memory: inout WorkingMemory
  ) throws(RaidError) -> SectorSet {
    let sums = memory.sums
    var bytes = memory.blocks.mutableBytes
    do {
      return try member.readSectors(
        into: &bytes, range: 0..<range.count, at: range.lowerBound, sums: sums)
    } catch {
      try members.fail(member, error)
      return SectorSet()
    }
  }
}

extension WorkingMemory {
  /// Copies a part of the first of `blocks` to a place in `buffer`.
  fileprivate mutating func copySector(_ range: Range<Int>, to place: Int) {
    Self.copy(blocks, range, to: &buffer, at: place)
  }
}
