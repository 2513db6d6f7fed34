import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import SystemPackage

extension CopiedData {
  /// Reads the beginning of an array range, as much as one buffer takes and up to the first byte that is
  /// lost, and says where it lies there. Blocks that one copy could not give are added to `repairs`.
  ///
  /// - Throws: `lost` when that is the first byte of all.
  func read(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) {
    // Half the buffer is data; the rest leaves room for widening to whole blocks.
    let count = min(range.count, memory.buffer.byteCount / 2)
    let range = range.lowerBound..<range.lowerBound + count
    try locks.withLock(range, exclusive: false) { () throws(RaidError) in
      // When a member fails in the middle, all is read from those who are left.
      while try !readHolding(range, into: &memory, pieces: &pieces, repairs: &repairs) {}
    }
  }

  /// - Returns: false when a member failed, and it is to be done again.
  func readHolding(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) -> Bool {
    let slots = members.slots
    var losses: [(arrayRange: Range<Int>, reason: LossReason)] = []
    var restored: [BadBlock] = []
    pieces.removeAll(keepingCapacity: true)
    var place = 0
    for run in try readRuns(range, slots, &losses) {
      let bad: [BadBlock]
      let whole: Range<Int>
      do {
        (bad, whole) = try read(run, at: place, &memory)
      } catch {
        if let reader = run.reader { try members.fail(reader, error) }
        return false
      }
      for block in bad {
        let end = min(block.offset + 4096, whole.upperBound)
        do throws(RaidError) {
          let result = try restore(
            block, end: end, place: place + block.offset - whole.lowerBound, memory: &memory)
          switch result {
          case .fromAnotherCopy: restored.append(block)
          case .confirmed, .keptInDoubt: break
          case .keptUnproven: members.countUnproven()
          }
        } catch {
          guard case .lost(let lost, let reason) = error else { throw error }
          losses.append((lost, reason))
        }
      }
      let lead = run.memberRange.lowerBound - whole.lowerBound
      for part in run.parts {
        pieces.append(.init(arrayRange: part.arrayRange, place: place + lead + part.place))
      }
      place += (whole.count + 4095) / 4096 * 4096
    }
    repairs.append(contentsOf: restored)
    pieces.sort { $0.arrayRange.lowerBound < $1.arrayRange.lowerBound }
    if let end = losses.map(\.arrayRange.lowerBound).min() {
      if end <= range.lowerBound { throw .lost(firstOf: losses) }
      pieces.removeAll { $0.arrayRange.lowerBound >= end }
      for index in pieces.indices {
        pieces[index].arrayRange = pieces[index].arrayRange.clamped(to: range.lowerBound..<end)
      }
    }
    return true
  }

  /// What to read from whom; ends where nobody can be asked, which is then the first of `losses`.
  func readRuns(
    _ range: Range<Int>, _ slots: [MemberSet.Slot],
    _ losses: inout [(arrayRange: Range<Int>, reason: LossReason)]
  ) throws(RaidError) -> [Run] {
    var loss: (byteCount: Int, reason: LossReason)?
    let isDoubtful = isDoubtful(range)
    let runs = try runs(of: range) { (places, count) throws(RaidError) in
      if let choice = choose(places, &count, slots, isDoubtful: isDoubtful) { return [choice] }
      let bad = places.compactMap { slots[$0.slot].writable.first?.name }
      loss = (
        count,
        bad.isEmpty ? .missing(slot: places.first?.slot ?? 0) : .tooManyBad(members: bad)
      )
      return []
    }
    if let loss {
      let end = runs.flatMap(\.parts).map(\.arrayRange.upperBound).max() ?? range.lowerBound
      losses.append((end..<end + loss.byteCount, loss.reason))
    }
    return runs
  }

  /// Reads a run and says which of its blocks are bad, and how far it was widened to whole ones.
  func read(
    _ run: Run, at place: Int, _ memory: inout WorkingMemory
  ) throws(DeviceError) -> (bad: [BadBlock], whole: Range<Int>) {
    guard let reader = run.reader else { preconditionFailure("a run to read has a reader") }
    let whole = wholeBlocks(run.memberRange, of: reader)
    var bad: [BadBlock] = []
    let sums = memory.sums
    var bytes = memory.buffer.mutableBytes
    try reader.readAll(into: &bytes, at: place, whole, slot: run.slot, sums: sums, bad: &bad)
    return (bad, whole)
  }

  /// What became of a bad block.
  enum Restoration: Equatable {
    case fromAnotherCopy
    /// No copy agrees with its sum, and the range is in doubt after a crash: taken as it is.
    case keptInDoubt
    /// Its sum is damaged, and another copy, whose sum is not, says the same.
    case confirmed
    /// Its sum is damaged, and no copy is known to be right: taken as it is.
    case keptUnproven
  }

  /// Puts the right content of a bad block into the buffer, from another copy.
  ///
  /// Copies whose sums are damaged are asked last, and never against a block that has just as little to show.
  @discardableResult
  func restore(
    _ block: BadBlock, end: Int, place: Int, memory: inout WorkingMemory
  ) throws(RaidError) -> Restoration {
    let slots = members.slots
    let count = end - block.offset
    let sums = memory.sums
    // The member, or who is to replace one that is gone.
    let holder = slots[block.slot]
    let own = holder.reader(of: block.offset..<block.offset + count) ?? holder.member
    guard
      let (start, length) = placement.arrayRange(
        at: .init(slot: block.slot, offset: block.offset), limit: count)
    else {
      // Behind the array's end nothing is kept.
      var bytes = memory.buffer.mutableBytes
      bytes.zero(place..<place + count)
      return .fromAnotherCopy
    }
    var places: [CopyPlacement.Place] = []
    _ = placement.locate(start, into: &places)
    var unproven: (member: Member, offset: Int)?
    var proven: (member: Member, offset: Int)?
    for copy in places {
      let range = copy.offset..<copy.offset + count
      let slot = slots[copy.slot]
      // Of the block's own slot, only who is to replace the member that could not give it.
      let readers = [
        copy.slot == block.slot ? nil : slot.reader(of: range), slot.otherReader(of: range),
      ]
      for case let member? in readers {
        let finding: Member.ReadFinding
        do {
          var bytes = memory.buffer.mutableBytes
          finding = try member.readChecked(
            into: &bytes, range: place..<place + count, at: copy.offset, sums: sums)
        } catch {
          try members.fail(member, error)
          continue
        }
        switch finding {
        case .good:
          guard block.kind == .unproven, let own else { return .fromAnotherCopy }
          if try holds(own, at: block.offset, place..<place + count, &memory) { return .confirmed }
          if proven == nil { proven = (member, copy.offset) }
        case .unproven: if unproven == nil { unproven = (member, copy.offset) }
        case .mismatch, .unreadable, .vanished: break
        }
      }
    }
    var bytes = memory.buffer.mutableBytes
    if let (member, offset) = proven {
      do {
        let finding = try member.readChecked(
          into: &bytes, range: place..<place + count, at: offset, sums: sums)
        if finding == .good { return .fromAnotherCopy }
      } catch {
        try members.fail(member, error)
      }
    }
    let arrayRange = start..<start + length
    let isDoubtful = isDoubtful(arrayRange)
    if isDoubtful,
      let member = try readWritten(arrayRange, places, into: &bytes, at: place..<place + count)
    {
      guard member === own else { return .fromAnotherCopy }
      return block.kind == .unproven ? .confirmed : .keptInDoubt
    }
    if let own, !own.isFailed, isDoubtful, block.kind == .mismatch {
      do {
        try own.read(into: &bytes, range: place..<place + count, at: block.offset)
        return .keptInDoubt
      } catch {
        if error.endsUse { try members.fail(own, error) }
        if unproven == nil { throw .lost(arrayRange: arrayRange, .unreadable(member: own.name)) }
      }
    }
    let isOwn = block.kind == .unproven
    if let (member, offset) = isOwn ? own.map({ ($0, block.offset) }) ?? unproven : unproven {
      do {
        try member.read(into: &bytes, range: place..<place + count, at: offset)
        if isDoubtful || !isDisproved(bytes.bytes, place..<place + count, places, sums) {
          if isOwn { return .keptUnproven }
          members.countUnproven()
          return .fromAnotherCopy
        }
      } catch {
        if error.endsUse { try members.fail(member, error) }
      }
    }
    if try readInDoubt(
      arrayRange, places, into: &bytes, at: place..<place + count,
      where: { $1 !== own })
    {
      return .fromAnotherCopy
    }
    guard let own else { throw .lost(arrayRange: arrayRange, .missing(slot: block.slot)) }
    if places.count > 1 {
      throw .lost(
        arrayRange: arrayRange,
        .tooManyBad(members: places.compactMap { slots[$0.slot].member?.name }))
    }
    throw .lost(
      arrayRange: arrayRange,
      block.kind == .unreadable
        ? .unreadable(member: own.name)
        : .damaged(member: own.name, mayBeForeignWrite: hidesForeignWrites))
  }

  /// Whether the sum of any copy of a block, although that copy is not right, says that this is not its content.
  func isDisproved(
    _ bytes: RawSpan, _ range: Range<Int>, _ places: [CopyPlacement.Place], _ sums: SumScratch
  ) -> Bool {
    let slots = members.slots
    return places.contains { copy in
      guard let member = slots[copy.slot].reader(of: copy.offset..<copy.offset + range.count) else {
        return false
      }
      let finding = try? member.check(bytes, range: range, at: copy.offset, sums: sums)
      return finding == .mismatch(at: copy.offset)
    }
  }

  /// Whether a member has what lies in `range` of the buffer.
  private func holds(
    _ member: Member, at offset: Int, _ range: Range<Int>, _ memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    do {
      var own = memory.blocks.mutableBytes
      try member.read(into: &own, range: 0..<range.count, at: offset)
    } catch {
      if error.endsUse { try members.fail(member, error) }
      return false
    }
    return equal(memory.buffer.bytes, range, memory.blocks.bytes, 0)
  }

  /// Reads the first copy of a block, if there is one, that is what the journal says was being written.
  private func readWritten(
    _ arrayRange: Range<Int>, _ places: [CopyPlacement.Place], into bytes: inout MutableRawSpan,
    at part: Range<Int>
  ) throws(RaidError) -> Member? {
    guard isWritingKnown(atArrayOffset: arrayRange.lowerBound) else { return nil }
    let slots = members.slots
    for copy in places {
      let range = copy.offset..<copy.offset + part.count
      let slot = slots[copy.slot]
      for case let member? in [slot.reader(of: range), slot.otherReader(of: range)] {
        do {
          try member.read(into: &bytes, range: part, at: copy.offset)
        } catch {
          if error.endsUse { try members.fail(member, error) }
          continue
        }
        let block = part.lowerBound..<part.lowerBound + arrayRange.count
        if isWhatWasWritten(bytes.bytes, block, atArrayOffset: arrayRange.lowerBound) {
          return member
        }
      }
    }
    return nil
  }

  /// Takes the first copy of a block as it is, although no copy agrees with its sum, where a crash may have
  /// cut off what was writing there. Reads, scrubs and rebuilds take the same one.
  ///
  /// - Parameter isWanted: whom to ask.
  /// - Returns: whether there is one.
  func readInDoubt(
    _ arrayRange: Range<Int>, _ places: [CopyPlacement.Place],
    into bytes: inout MutableRawSpan, at part: Range<Int>,
    where isWanted: (CopyPlacement.Place, Member) -> Bool
  ) throws(RaidError) -> Bool {
    guard isDoubtful(arrayRange) else { return false }
    let slots = members.slots
    for copy in places {
      let range = copy.offset..<copy.offset + part.count
      guard let member = slots[copy.slot].reader(of: range), isWanted(copy, member) else {
        continue
      }
      do {
        try member.read(into: &bytes, range: part, at: copy.offset)
        return true
      } catch {
        if error.endsUse { try members.fail(member, error) }
      }
    }
    return false
  }

  /// Writes the right content of a bad block to its member again, and reads it back.
  /// - Returns: whether the block is good now.
  @discardableResult
  func repair(_ block: BadBlock) throws(RaidError) -> Bool {
    guard
      let (start, length) = placement.arrayRange(
        at: .init(slot: block.slot, offset: block.offset), limit: 4096)
    else { return true }
    return try locks.withLock(start..<start + length, exclusive: true) {
      () throws(RaidError) -> Bool in
      try memory.with { (memory) throws(RaidError) -> Bool in
        try repairHolding(block, memory: &memory)
      }
    }
  }

  /// `repair`, for who holds the range already. Uses the end of the buffer.
  func repairHolding(
    _ block: BadBlock, memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    let slot = members.slots[block.slot]
    let first = block.offset..<block.offset + 1
    guard let member = slot.reader(of: first) ?? slot.lister(of: first) else { return false }
    let end = min(block.offset + 4096, max(member.dataByteCount, block.offset + 512))
    let place = memory.buffer.byteCount - 4096
    let range = place..<place + end - block.offset
    let sums = memory.sums
    do {
      var bytes = memory.buffer.mutableBytes
      if !member.badBlocks.overlaps(first) {
        let now = try member.readChecked(
          into: &bytes, range: range, at: block.offset, sums: sums)
        if now == .good { return true }
      }
    } catch {
      try members.fail(member, error)
      return false
    }
    let result = try restore(block, end: end, place: place, memory: &memory)
    guard result == .fromAnotherCopy else { return result == .confirmed }
    member.count {
      if block.kind == .unreadable { $0.unreadableBlocks &+= 1 } else { $0.damagedBlocks &+= 1 }
    }
    var bytes = memory.buffer.mutableBytes
    return try members.rewrite(block, of: member, from: &bytes, range, sums)
  }
}
