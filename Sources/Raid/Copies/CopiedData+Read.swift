import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import SystemPackage

extension CopiedData {
  /// Reads the beginning of an array range, as much as one buffer takes, and says where it lies there.
  /// Blocks that one copy could not give are added to `repairs`.
  func read(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) {
    // Half the buffer is data; the rest leaves room for widening to whole blocks.
    let count = min(range.count, memory.buffer.byteCount / 2)
    let range = range.lowerBound..<range.lowerBound + count
    try locks.withLock(range, exclusive: false) { () throws(RaidError) in
      try readHolding(range, into: &memory, pieces: &pieces, repairs: &repairs)
    }
  }

  private func readHolding(
    _ range: Range<Int>, into memory: inout WorkingMemory, pieces: inout [BufferPiece],
    repairs: inout [BadBlock]
  ) throws(RaidError) {
    let slots = members.slots
    let sums = memory.sums
    let runs = try runs(of: range) { (places, count) throws(RaidError) in
      guard let choice = choose(places, count, slots) else {
        throw .lost(arrayRange: range, .missing(slot: places.first?.slot ?? 0))
      }
      return [choice]
    }
    pieces.removeAll(keepingCapacity: true)
    var place = 0
    for run in runs {
      let reader = slots[run.slot].reader(of: run.memberRange)
      // One that has failed since it was chosen gives nothing; its copies may.
      guard let member = reader ?? slots[run.slot].member ?? slots[run.slot].replacement else {
        throw .lost(arrayRange: range, .missing(slot: run.slot))
      }
      let whole = wholeBlocks(run.memberRange, of: member)
      var bad: [BadBlock] = []
      var isGone = reader == nil
      if let reader {
        var bytes = memory.buffer.mutableBytes
        do {
          try reader.readAll(
            into: &bytes, at: place, whole, slot: run.slot, sums: sums, bad: &bad)
        } catch {
          try members.fail(reader, error)
          isGone = true
        }
      }
      if isGone {
        bad = stride(from: whole.lowerBound, to: whole.upperBound, by: 4096).map {
          BadBlock(slot: run.slot, offset: $0, kind: .unreadable)
        }
      }
      for block in bad {
        let end = min(block.offset + 4096, whole.upperBound)
        try restore(
          block, end: end, place: place + block.offset - whole.lowerBound, memory: &memory)
      }
      repairs.append(contentsOf: bad)
      let lead = run.memberRange.lowerBound - whole.lowerBound
      for part in run.parts {
        pieces.append(.init(arrayRange: part.arrayRange, place: place + lead + part.place))
      }
      place += (whole.count + 4095) / 4096 * 4096
    }
    pieces.sort { $0.arrayRange.lowerBound < $1.arrayRange.lowerBound }
  }

  /// What became of a bad block.
  enum Restoration: Equatable {
    case fromAnotherCopy
    /// No copy agrees with its sum, and the range is in doubt after a crash: taken as it is.
    case keptInDoubt
  }

  /// Puts the right content of a bad block into the buffer, from another copy.
  @discardableResult
  func restore(
    _ block: BadBlock, end: Int, place: Int, memory: inout WorkingMemory
  ) throws(RaidError) -> Restoration {
    let slots = members.slots
    let count = end - block.offset
    let sums = memory.sums
    var bytes = memory.buffer.mutableBytes
    let own = slots[block.slot].member
    guard
      let (start, length) = placement.arrayRange(
        at: .init(slot: block.slot, offset: block.offset), limit: count)
    else {
      // Behind the array's end nothing is kept.
      bytes.zero(place..<place + count)
      return .fromAnotherCopy
    }
    var places: [CopyPlacement.Place] = []
    _ = placement.locate(start, into: &places)
    for other in places where other.slot != block.slot {
      let range = other.offset..<other.offset + count
      guard let member = slots[other.slot].reader(of: range) else { continue }
      do {
        let finding = try member.readChecked(
          into: &bytes, range: place..<place + count, at: other.offset, sums: sums)
        if finding == .good { return .fromAnotherCopy }
      } catch {
        try members.fail(member, error)
      }
    }
    let arrayRange = start..<start + length
    if isDoubtful(arrayRange), let own, !own.isFailed, block.kind == .mismatch {
      do {
        try own.read(into: &bytes, range: place..<place + count, at: block.offset)
        return .keptInDoubt
      } catch {
        if error.endsUse { try members.fail(own, error) }
        throw .lost(arrayRange: arrayRange, .unreadable(member: own.name))
      }
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
    guard let member = slot.reader(of: block.offset..<block.offset + 1) else { return false }
    let end = min(block.offset + 4096, max(member.dataByteCount, block.offset + 512))
    let place = memory.buffer.byteCount - 4096
    let range = place..<place + end - block.offset
    let sums = memory.sums
    do {
      var bytes = memory.buffer.mutableBytes
      let now = try member.readChecked(
        into: &bytes, range: range, at: block.offset, sums: sums)
      if now == .good { return true }
    } catch {
      try members.fail(member, error)
      return false
    }
    let result = try restore(block, end: end, place: place, memory: &memory)
    guard result == .fromAnotherCopy else { return false }
    member.count {
      if block.kind == .unreadable { $0.unreadableBlocks &+= 1 } else { $0.damagedBlocks &+= 1 }
    }
    let again: Member.ReadFinding
    do {
      try member.write(memory.buffer.bytes, range: range, at: block.offset, sums: sums)
      var bytes = memory.buffer.mutableBytes
      again = try member.readChecked(
        into: &bytes, range: range, at: block.offset, sums: sums)
    } catch {
      try members.fail(member, error)
      return false
    }
    guard again == .good else {
      try members.fail(member, .unreadable(offset: block.offset, errno: .ioError))
      return false
    }
    member.count { $0.repairedBlocks &+= 1 }
    if block.kind == .unreadable { member.countCorrectedRead() }
    return true
  }
}
