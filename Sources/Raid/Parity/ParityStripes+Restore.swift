import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import SystemPackage

extension ParityStripes {
  /// What became of a block that its member could not give.
  enum Restoration: Equatable {
    /// Computed from the others; agrees with the block's sum where one is kept.
    case recovered
    /// The data is right, its sum was not.
    case sumWasWrong
    /// In doubt after a crash, and nothing else speaks: taken as it is.
    case keptInDoubt
    /// Its sum is damaged, and the others say the same as it does.
    case confirmed
    /// Its sum is damaged, and nothing else speaks: taken as it is.
    case keptUnproven
  }

  /// Puts the right content of a bad block into its place in the band's buffer.
  @discardableResult
  func restore(
    _ block: BadBlock, in band: Band, memory: inout WorkingMemory
  ) throws(RaidError) -> Restoration {
    let result = try restore(block, memory: &memory)
    memory.copyBlock(block.slot, to: band.place(block.slot, block.offset))
    return result
  }

  /// Puts the right content of a bad block into its slot's block of `memory.blocks`.
  ///
  /// The other members give their blocks, checked. What they compute counts when the block's own sum
  /// confirms it; a block that equals what they compute was right all along. After a crash, in a range
  /// that was being written, data stands as it is when nothing confirms the computed block: it is the
  /// old or the new content, and the parity may be of the other. Others whose sums are damaged are asked only
  /// where there is no other way, and never against a block that has just as little to show.
  func restore(
    _ block: BadBlock, memory: inout WorkingMemory
  ) throws(RaidError) -> Restoration {
    let row = block.offset / placement.chunkByteCount
    let slots = members.slots
    let range = block.offset..<block.offset + 4096
    let sums = memory.sums
    var isKnown = [Bool](repeating: false, count: placement.slotCount)
    var isUnproven = isKnown
    var bytes = memory.blocks.mutableBytes
    // A member that is to replace the block's own may have it.
    if let other = slots[block.slot].otherReader(of: range),
      try give(other, range, into: &bytes, at: block.slot * 4096, sums) == .good
    {
      if block.kind != .unproven { return .recovered }
      return try settleUnproven(block, slots, isRecovered: true, in: &bytes) ?? .recovered
    }
    for slot in 0..<placement.slotCount where slot != block.slot {
      guard let member = slots[slot].reader(of: range) else { continue }
      for case let member? in [member, slots[slot].otherReader(of: range)] where !isKnown[slot] {
        let finding = try give(member, range, into: &bytes, at: slot * 4096, sums)
        isKnown[slot] = finding == .good
        isUnproven[slot] = finding == .unproven(at: block.offset)
      }
    }
    func recoverOwn(in bytes: inout MutableRawSpan) -> Bool {
      recover(
        row: row, wanted: [block.slot], isKnown: { isKnown[$0] }, column: { $0 * 4096 },
        byteCount: 4096, in: &bytes)
    }
    var isRecovered = recoverOwn(in: &bytes)
    if block.kind == .unproven {
      // Where the others contradict each other, one of them is wrong, although its sum says nothing of it.
      let isAgreed =
        isRecovered && agrees(row, isKnown: { isKnown[$0] || $0 == block.slot }, in: &bytes)
      if let result = try settleUnproven(block, slots, isRecovered: isAgreed, in: &bytes) {
        return result
      }
    }
    var isVouchedFor = true
    for slot in isKnown.indices where !isRecovered && isUnproven[slot] {
      isVouchedFor = false
      isKnown[slot] = true
      isRecovered = recoverOwn(in: &bytes)
    }
    // A member that is still being built has sums that say nothing yet; nor do those of blocks that a
    // scrub could not look at.
    guard
      let member = [slots[block.slot].member, slots[block.slot].replacement]
        .compactMap({ $0 }).first(where: {
          $0.validByteCount >= range.upperBound && !$0.badBlocks.overlaps(range)
        })
    else {
      guard isRecovered else { throw lost(block, slots, isKnown) }
      if !isVouchedFor { members.countUnproven() }
      return .recovered
    }
    // Parity is what the data says, whatever it was before.
    let pattern = placement.pattern(ofRow: row)
    if block.kind != .mismatch, isDoubtful(range), pattern.paritySlots.contains(block.slot),
      pattern.dataSlots.allSatisfy({ isKnown[$0] }),
      recover(
        row: row, wanted: [block.slot], isKnown: pattern.dataSlots.contains, column: { $0 * 4096 },
        byteCount: 4096, in: &bytes)
    {
      return .recovered
    }
    if isRecovered, block.kind != .mismatch || member.isFailed {
      let own = block.slot * 4096..<block.slot * 4096 + 4096
      let disagrees = disagreesWithItsSum(bytes.bytes, range: own, block, member, sums)
      // In doubt it may be the sum that is old, or the parity: nothing says which.
      if disagrees { throw lost(block, slots, isKnown) }
      // And without a sum nothing says that the parity is of this data, unless there is more of it, which agrees.
      if isDoubtful(range), !allowsDoubt,
        !member.confirms(bytes.bytes, range: own, at: block.offset, sums: sums),
        !isVouchedFor || isKnown.count(where: { $0 }) <= placement.dataColumnCount
          || !agrees(row, isKnown: { isKnown[$0] || $0 == block.slot }, in: &bytes)
      {
        throw lost([
          Loss(slot: block.slot, memberRange: range, reason: .inDoubt(slot: block.slot))
        ])
      }
      return .recovered
    }
    let own = block.slot * 4096..<block.slot * 4096 + 4096
    if isRecovered, !disagreesWithItsSum(bytes.bytes, range: own, block, member, sums) {
      return .recovered
    }
    // One of the others may be wrong, although its sum says nothing of it: the block's own sum proves who does without.
    let mayDoWithout = isRecovered && !isDoubtful(range)
    for slot in isKnown.indices where mayDoWithout && isKnown[slot] {
      let isEnough = recover(
        row: row, wanted: [block.slot], isKnown: { isKnown[$0] && $0 != slot },
        column: { $0 * 4096 }, byteCount: 4096, in: &bytes)
      if isEnough, member.confirms(bytes.bytes, range: own, at: block.offset, sums: sums) {
        return .recovered
      }
    }
    if mayDoWithout { _ = recoverOwn(in: &bytes) }
    // The sum confirms neither what is there nor what the others say.
    guard block.kind == .mismatch, !member.isFailed else { throw lost(block, slots, isKnown) }
    let spare = placement.slotCount * 4096
    do {
      try member.read(into: &bytes, range: spare..<spare + 4096, at: block.offset)
    } catch {
      if error.endsUse { try members.fail(member, error) }
      throw lost(block, slots, isKnown)
    }
    let isSame =
      isRecovered
      && equal(bytes.bytes, block.slot * 4096..<block.slot * 4096 + 4096, spare)
    guard isSame || isDoubtful(range) else { throw lost(block, slots, isKnown) }
    bytes.copyWithin(from: spare..<spare + 4096, to: block.slot * 4096)
    return isSame ? .sumWasWrong : .keptInDoubt
  }

  /// Whether all blocks of a row that are known agree: each parity is what the others give in its place, as far as there
  /// are enough.
  private func agrees(
    _ row: Int, isKnown: (Int) -> Bool, in bytes: inout MutableRawSpan
  ) -> Bool {
    let spare = (placement.slotCount + 1) * 4096
    for slot in placement.pattern(ofRow: row).paritySlots where isKnown(slot) {
      bytes.copyWithin(from: slot * 4096..<slot * 4096 + 4096, to: spare)
      let isEnough = recover(
        row: row, wanted: [slot], isKnown: { $0 != slot && isKnown($0) }, column: { $0 * 4096 },
        byteCount: 4096, in: &bytes)
      guard isEnough else { continue }
      let isSame = equal(bytes.bytes, slot * 4096..<slot * 4096 + 4096, spare)
      bytes.copyWithin(from: spare..<spare + 4096, to: slot * 4096)
      if !isSame { return false }
    }
    return true
  }

  /// Decides about a block whose sum is damaged: it stands as it is, unless others who are right say something else
  /// and no crash can have come between.
  ///
  /// - Parameter isRecovered: what they say lies in the slot's block of `bytes`.
  /// - Returns: nil when the block can't be read either.
  private func settleUnproven(
    _ block: BadBlock, _ slots: [MemberSet.Slot], isRecovered: Bool, in bytes: inout MutableRawSpan
  ) throws(RaidError) -> Restoration? {
    let range = block.offset..<block.offset + 4096
    let spare = placement.slotCount * 4096
    guard let member = slots[block.slot].reader(of: range) else { return nil }
    do {
      try member.read(into: &bytes, range: spare..<spare + 4096, at: block.offset)
    } catch {
      if error.endsUse { try members.fail(member, error) }
      return nil
    }
    if isRecovered, equal(bytes.bytes, block.slot * 4096..<block.slot * 4096 + 4096, spare) {
      return .confirmed
    }
    if isRecovered, !isDoubtful(range) { return .recovered }
    bytes.copyWithin(from: spare..<spare + 4096, to: block.slot * 4096)
    return .keptUnproven
  }

  /// Lets a member give a block.
  private func give(
    _ member: Member, _ range: Range<Int>, into bytes: inout MutableRawSpan, at place: Int,
    _ sums: SumScratch
  ) throws(RaidError) -> Member.ReadFinding {
    do {
      return try member.readChecked(
        into: &bytes, range: place..<place + range.count, at: range.lowerBound, sums: sums)
    } catch {
      try members.fail(member, error)
      return .unreadable(at: range.lowerBound)
    }
  }

  private func disagreesWithItsSum(
    _ bytes: RawSpan, range: Range<Int>, _ block: BadBlock, _ member: Member,
    _ sums: SumScratch
  ) -> Bool {
    // A block of sums that is damaged or can't be read says nothing.
    (try? member.check(bytes, range: range, at: block.offset, sums: sums))
      == .mismatch(at: block.offset)
  }

  private func lost(
    _ block: BadBlock, _ slots: [MemberSet.Slot], _ isKnown: [Bool]
  ) -> RaidError {
    let bad = (0..<placement.slotCount).compactMap { slot -> String? in
      isKnown[slot] ? nil : (slots[slot].member ?? slots[slot].replacement)?.name
    }
    let loss = Loss(
      slot: block.slot, memberRange: block.offset..<block.offset + 4096,
      reason: .tooManyBad(members: bad))
    return lost([loss])
  }

  /// Writes the right content of a bad block to its member again, and reads it back.
  ///
  /// Holds the row; what was wrong may have been put right or overwritten in the meantime.
  /// - Returns: whether the block is good now.
  @discardableResult
  func repair(_ block: BadBlock) throws(RaidError) -> Bool {
    let row = block.offset / placement.chunkByteCount
    return try locks.withLock(row..<row + 1, exclusive: true) { () throws(RaidError) -> Bool in
      try memory.with { (memory) throws(RaidError) -> Bool in
        try repairHoldingRow(block, memory: &memory)
      }
    }
  }

  /// `repair`, for who holds the row already.
  func repairHoldingRow(
    _ block: BadBlock, memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    let slot = members.slots[block.slot]
    let range = block.offset..<block.offset + 4096
    guard let member = slot.reader(of: range) ?? slot.lister(of: range) else { return false }
    let own = block.slot * 4096..<block.slot * 4096 + 4096
    let sums = memory.sums
    do {
      var bytes = memory.blocks.mutableBytes
      if !member.badBlocks.overlaps(range) {
        let now = try member.readChecked(
          into: &bytes, range: own, at: block.offset, sums: sums)
        if now == .good { return true }
      }
    } catch {
      try members.fail(member, error)
      return false
    }
    switch try restore(block, memory: &memory) {
    case .keptInDoubt, .keptUnproven: return false
    case .confirmed: return true
    case .sumWasWrong:
      member.count { $0.renewedSums &+= 1 }
    case .recovered:
      member.count {
        if block.kind == .unreadable {
          $0.unreadableBlocks &+= 1
        } else {
          $0.damagedBlocks &+= 1
        }
      }
    }
    var bytes = memory.blocks.mutableBytes
    return try members.rewrite(block, of: member, from: &bytes, own, sums)
  }
}
