import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension CopiedData {
  /// Where the part of a scrub that starts at an array offset ends: what has its copies in one piece,
  /// as far as a column for each copy fits into the buffer.
  func scrubPartEnd(_ offset: Int) -> Int {
    min(placement.byteCount, offset + scrubLimit)
  }

  private var scrubLimit: Int {
    let columns = WorkingMemory.byteCount(slotCount: placement.slotCount) / placement.copyCount
    return max(4096, min(1 << 20, columns / 4096 * 4096 - 2 * 4096))
  }

  /// Checks all copies of an array range, and makes them alike where it is known what they should be.
  ///
  /// A copy that agrees with its sum is right. Without sums, what more than half of the copies say is
  /// right; two copies that differ can't be told apart.
  func scrub(
    _ range: Range<Int>, repairs: Bool, log: ScrubLog, memory: inout WorkingMemory
  ) throws(RaidError) {
    var offset = range.lowerBound
    var places: [CopyPlacement.Place] = []
    while offset < range.upperBound {
      let piece = min(
        range.upperBound - offset, placement.locate(offset, into: &places), scrubLimit)
      let run = evenByteCount(places, limit: piece, members.slots)
      // Where a linear member ends inside a block, the block is checked whole with its first part.
      let part = offset..<offset + run
      try locks.withLock(part, exclusive: true) { () throws(RaidError) in
        try scrubHolding(part, places, repairs: repairs, log: log, memory: &memory)
      }
      offset += run
    }
  }

  private func scrubHolding(
    _ part: Range<Int>, _ places: [CopyPlacement.Place], repairs: Bool, log: ScrubLog,
    memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    let doubtful = isDoubtful(part)
    let stride = (part.count + 4095) / 4096 * 4096 + 2 * 4096
    let sums = memory.sums
    var copies: [(place: CopyPlacement.Place, member: Member, whole: Range<Int>)] = []
    for place in places {
      let range = place.offset..<place.offset + part.count
      let slot = slots[place.slot]
      // What a member's log calls bad is put right from others.
      guard let member = slot.reader(of: range) ?? slot.lister(of: range) else { continue }
      copies.append((place, member, wholeBlocks(range, of: member)))
    }
    guard !copies.isEmpty else { return }
    if copies.allSatisfy({ $0.member.isHole($0.whole) && $0.member.isReadable($0.whole) }) {
      log.update { $0.skippedByteCount += part.count * copies.count }
      return
    }
    // Blocks that a copy has nothing to say about, or of which nobody knows; offsets in the part.
    var silent = [Set<Int>](repeating: [], count: copies.count)
    // Blocks whose sum is damaged.
    var unproven = silent
    var postponed: [(copy: Int, block: BadBlock)] = []
    for (index, copy) in copies.enumerated() {
      var bad: [BadBlock] = []
      var bytes = memory.buffer.mutableBytes
      do throws(DeviceError) {
        if copy.member.isReadable(copy.whole) {
          try copy.member.readAll(
            into: &bytes, at: index * stride, copy.whole, slot: copy.place.slot, sums: sums,
            bad: &bad)
        } else {
          bad = Swift.stride(from: copy.whole.lowerBound, to: copy.whole.upperBound, by: 4096).map {
            BadBlock(slot: copy.place.slot, offset: $0, kind: .unreadable)
          }
        }
      } catch {
        try members.fail(copy.member, error)
        silent[index] = Set(Swift.stride(from: 0, to: part.count, by: 4096))
        continue
      }
      // What a crash has left goes by the first copy; else nobody has a voice who has it from another one.
      for block in bad where doubtful || copies.count == 1 {
        let isSolved = try scrub(
          block, copy.member, copy.whole, at: index * stride,
          isInDoubt: doubtful && block.kind != .unreadable && block.kind != .vanished, repairs, log,
          &memory)
        if !isSolved { silent[index].insert(block.offset - copy.place.offset) }
      }
      guard !doubtful, copies.count > 1 else { continue }
      for block in bad {
        let offset = block.offset - copy.place.offset
        if block.kind == .unproven {
          unproven[index].insert(offset)
        } else {
          silent[index].insert(offset)
          postponed.append((index, block))
        }
      }
    }
    log.update { $0.checkedByteCount += part.count * copies.count }
    if copies.count > 1 {
      let holders = copies.map { ($0.place, $0.member) }
      let unknown = try makeAlike(
        holders, silent, unproven, part, stride, doubtful, repairs, log, &memory)
      for (index, block) in postponed {
        let (place, member, whole) = copies[index]
        let offset = block.offset - place.offset
        if unknown.contains(offset) || member.isFailed { continue }
        let isSolved = try scrub(
          block, member, whole, at: index * stride, isInDoubt: false, repairs, log, &memory)
        if isSolved {
          silent[index].remove(offset)
        } else {
          // Its sum says that those are wrong, too, whose own sums say nothing.
          for other in copies.indices where unproven[other].contains(offset) {
            silent[other].insert(offset)
          }
        }
      }
      for index in copies.indices { silent[index].formUnion(unknown) }
    }
    for (index, copy) in copies.enumerated() where !copy.member.isFailed {
      let lost = Set(silent[index].map { $0 + copy.place.offset })
      try renewSums(
        copy.member, copy.whole, at: index * stride, doubtful, except: lost, repairs: repairs, log,
        &memory)
    }
  }

  private func scrub(
    _ block: BadBlock, _ member: Member, _ whole: Range<Int>, at place: Int, isInDoubt: Bool,
    _ repairs: Bool, _ log: ScrubLog, _ memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    let problem: ScrubReport.Problem =
      switch block.kind {
      case .unreadable: .unreadable
      case .mismatch, .vanished: .damaged
      case .unproven: .differingCopy
      }
    let end = min(block.offset + 4096, whole.upperBound)
    do throws(RaidError) {
      let result = try restore(
        block, end: end, place: place + block.offset - whole.lowerBound, memory: &memory)
      if result == .keptUnproven { log.update { $0.unprovenBlockCount += 1 } }
      if result != .fromAnotherCopy { return true }
    } catch {
      guard case .lost = error else { throw error }
      if member.isFailed { return false }
      member.count {
        if block.kind == .unreadable { $0.unreadableBlocks &+= 1 } else { $0.damagedBlocks &+= 1 }
      }
      log.add(problem, .unrepairable, member, slot: block.slot, at: block.offset)
      return false
    }
    // What a crash has cut off is no damage.
    guard repairs else {
      log.add(problem, .left, member, slot: block.slot, at: block.offset)
      return true
    }
    let isGood = try repairHolding(block, memory: &memory)
    if isInDoubt, isGood {
      log.update { $0.resyncedBlockCount += 1 }
      return true
    }
    log.add(problem, isRepaired: isGood, member, slot: block.slot, at: block.offset)
    return true
  }

  /// Compares the copies block by block, and writes the right one over those that differ. Returns the
  /// blocks, as offsets in the part, of which nobody knows what they should be.
  private func makeAlike(
    _ copies: [(place: CopyPlacement.Place, member: Member)], _ silent: [Set<Int>],
    _ unproven: [Set<Int>], _ part: Range<Int>, _ stride: Int, _ doubtful: Bool, _ repairs: Bool,
    _ log: ScrubLog,
    _ memory: inout WorkingMemory
  ) throws(RaidError) -> Set<Int> {
    var unknown = Set<Int>()
    // Only linear has blocks that do not start on a multiple of 4096, and linear has no copies.
    for block in Swift.stride(from: 0, to: part.count, by: 4096) {
      let count = min(4096, part.count - block)
      if areAlike(memory.buffer.bytes, block, count, silent, stride) { continue }
      let voices = copies.indices.filter { !silent[$0].contains(block) }
      let copies = voices.map {
        (place: copies[$0].place, member: copies[$0].member, start: $0 * stride + block)
      }
      if copies.count < 2 { continue }
      let places = copies.map(\.start)
      let proven = zip(voices, copies).map { index, copy in
        copy.member.trustsSums && !unproven[index].contains(block)
      }
      guard let (right, wrong) = judge(memory.buffer.bytes, places, proven, count, doubtful) else {
        log.add(
          .differingCopy, .cannotBeKnown, nil, slot: nil, at: copies[0].place.offset + block)
        unknown.insert(block)
        continue
      }
      for index in wrong {
        let (place, member, start) = copies[index]
        guard repairs else {
          if doubtful { continue }
          log.add(.differingCopy, .left, member, slot: place.slot, at: place.offset + block)
          continue
        }
        let from = places[right]
        do throws(DeviceError) {
          try member.write(
            memory.buffer.bytes, range: from..<from + count, at: place.offset + block,
            sums: memory.sums)
        } catch {
          try members.fail(member, error)
          continue
        }
        if doubtful {
          log.update { $0.resyncedBlockCount += 1 }
        } else {
          member.count {
            $0.damagedBlocks &+= 1; $0.repairedBlocks &+= 1
          }
          log.add(
            .differingCopy, .repaired, member, slot: place.slot, at: place.offset + block)
        }
        var target = memory.buffer.mutableBytes
        target.copyWithin(from: from..<from + count, to: start)
      }
    }
    return unknown
  }

  /// Whether all copies that have something to say about a block say the same.
  private func areAlike(
    _ bytes: RawSpan, _ block: Int, _ count: Int, _ silent: [Set<Int>], _ stride: Int
  ) -> Bool {
    var first: Int?
    for index in silent.indices where !silent[index].contains(block) {
      let start = index * stride + block
      if let first, !equal(bytes, first..<first + count, start) { return false }
      first = first ?? start
    }
    return true
  }

  /// Which of the copies, all of which agree with their sums or have none, is right, and which are not
  /// like it; nil when nothing says.
  ///
  /// - Parameter proven: who agrees with a sum. What only one side can show is right; else the majority is.
  private func judge(
    _ bytes: RawSpan, _ places: [Int], _ proven: [Bool], _ byteCount: Int, _ doubtful: Bool
  ) -> (right: Int, wrong: [Int])? {
    func unlike(_ index: Int) -> [Int] {
      let range = places[index]..<places[index] + byteCount
      return places.indices.filter { $0 != index && !equal(bytes, range, places[$0]) }
    }
    let first = unlike(0)
    if first.isEmpty || doubtful { return (0, first) }
    if let shown = proven.firstIndex(of: true), proven.contains(false) {
      let wrong = unlike(shown)
      if !wrong.contains(where: { proven[$0] }) { return (shown, wrong) }
    }
    for index in places.indices {
      let wrong = unlike(index)
      if wrong.count * 2 < places.count { return (index, wrong) }
    }
    return nil
  }

  /// Gives anew the sums that are stale, damaged or in doubt; or only counts them.
  private func renewSums(
    _ member: Member, _ whole: Range<Int>, at place: Int, _ doubtful: Bool,
    except lost: Set<Int>, repairs: Bool, _ log: ScrubLog, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let blocks = whole.lowerBound / 4096..<(whole.upperBound + 4095) / 4096
    guard let sums = member.sums else {
      if member.lacksSums, !repairs { log.update { $0.dueSumCount += blocks.count } }
      return
    }
    let scratch = memory.sums
    do throws(DeviceError) {
      let all = doubtful || !member.trustsSums
      let wanted = all ? [blocks] : try sums.damagedRanges(in: blocks)
      let due = wanted.flatMap { $0.without(lost) }
      guard repairs else {
        log.update { $0.dueSumCount += due.reduce(0) { $0 + $1.count } }
        return
      }
      for offset in lost { try sums.giveUp(offset / 4096..<offset / 4096 + 1) }
      for range in due {
        let bytes = range.lowerBound * 4096..<min(range.upperBound * 4096, whole.upperBound)
        let from = place + bytes.lowerBound - whole.lowerBound
        try member.recordSums(
          of: memory.buffer.bytes, range: from..<from + bytes.count, at: bytes.lowerBound,
          sums: scratch)
        log.update { $0.renewedSumCount += range.count }
        if !all { member.count { $0.renewedSums &+= UInt64(range.count) } }
      }
    } catch {
      try members.fail(member, error)
    }
  }
}
