import MDFormat
import RaidGeometry

/// Who of those that the array went on without could be taken back, and what proves it.
struct StaleMembers {
  let assembly: Assembly
  let shape: ArrayShape
  /// By slot: somebody has it who has all of its data.
  let isCurrent: [Bool]
  let intent: WriteIntent?
  /// Somebody who does not keep our marks wrote to the array since ftool did.
  let hasForeignWrite: Bool

  init(_ assembly: Assembly, _ shape: ArrayShape) {
    self.assembly = assembly
    self.shape = shape
    let empty = Set(assembly.slotsNotInSync)
    isCurrent = (0..<shape.slotCount).map { !empty.contains($0) }
    hasForeignWrite = RaidArray.hasForeignWrite(assembly, countsKnown: true)
    intent = assembly.writeIntent(
      shape, hasForeignWrite: RaidArray.hasForeignWrite(assembly, countsKnown: false))
  }

  /// Members of slots that nobody current has, the newest first.
  var candidates: [(index: Int, slot: Int)] {
    assembly.members.indices.compactMap { index -> (index: Int, slot: Int)? in
      switch assembly.standings[index] {
      case .stale, .failed, .split: break
      case .active, .rebuilding, .replacement, .spare, .journal, .duplicate, .former, .unusable:
        return nil
      }
      guard case .slot(let slot) = superblock(index).role, isCurrent.indices.contains(slot),
        !isCurrent[slot]
      else { return nil }
      return (index, slot)
    }.sorted {
      (superblock($1.index).events, $0.slot) < (superblock($0.index).events, $1.slot)
    }
  }

  /// What is marked as written, or is being written: bytes as the bitmap counts them; nil without one.
  var marked: [Range<Int>]? { intent?.markedRanges }

  func superblock(_ index: Int) -> MDSuperblock { assembly.members[index].superblock }

  /// - Parameter others: members that will have been taken back when this one is: what their superblocks say now
  ///   must not be needed, since it will be gone if the power fails in between.
  func evidence(
    for index: Int, slot: Int, besides others: Set<Int> = []
  ) -> Result<StaleEvidence, StaleRefusal> {
    if let refusal = unfit(index, slot: slot) { return .failure(refusal) }
    let eventsBehind = eventsBehindThoseThatCountOnIt(index, slot: slot)
    if eventsBehind == nil {
      let empty = slotsEmpty(since: index, slot: slot, besides: others)
      if !shape.survives(present: isCurrent.indices.map { !empty.contains($0) }) {
        return .success(.nothingWrittenSince(emptySlots: empty.sorted()))
      }
    }
    let copy = eventsBehind.map { StaleRefusal.olderCopy(eventsBehind: $0) }
    guard let intent else { return .failure(copy ?? .noBitmap) }
    let probe = assembly.members[index]
    guard probe.superblock.events >= intent.eventsCleared else {
      return .failure(copy ?? .leftBeforeBitmap(since: intent.eventsCleared))
    }
    guard !intent.isOurs || !hasForeignWrite && probe.isLastWrittenByUs else {
      return .failure(.writtenByOthers)
    }
    return .success(.marked(byteCount: lostBlocks(ofSlot: slot).count * 4096))
  }

  /// Why a member can't be what it was, whatever it has.
  private func unfit(_ index: Int, slot: Int) -> StaleRefusal? {
    let own = superblock(index)
    let reference = assembly.reference
    guard own.hasShape(of: reference), own.dataSizeSectors >= reference.sizeSectors else {
      return .otherShape
    }
    if case .failure = assembly.members[index].badBlocks { return .badBlocksUnknown }
    if own.features.contains(.recoveryOffset) || own.features.contains(.replacement) {
      return .unfinished
    }
    if assembly.holders[slot].member != nil || assembly.holders[slot].replacement != nil {
      return .slotIsBeingRebuilt
    }
    if case .slot(let other) = reference.role(ofDevice: Int(own.deviceNumber)), other != slot {
      return .numberIsTaken
    }
    let users = assembly.members.indices.filter { assembly.standings[$0].isUsed }
    if users.contains(where: { superblock($0).deviceNumber == own.deviceNumber }) {
      return .numberIsTaken
    }
    // One that calls the others failed may have gone on without them, if its side was enough.
    let disowned = users.first { other in
      own.role(ofDevice: Int(superblock(other).deviceNumber)) == .faulty
    }
    if let disowned, shape.survives(present: isCurrent.indices.map(own.listedSlots.contains)) {
      return .wentItsOwnWay(from: assembly.members[disowned].name)
    }
    return nil
  }

  /// How far the others are ahead of a member whom they still have in its slot: more than the one event that an
  /// update can be cut off at. A member that fails or is left out loses its slot in that very moment, so this is
  /// no member that left, but an older copy of one. Nil where it isn't, and where somebody was taking members
  /// back, whom the others know already.
  private func eventsBehindThoseThatCountOnIt(_ index: Int, slot: Int) -> UInt64? {
    let own = superblock(index)
    let newest = assembly.reference
    guard !assembly.isTakingBack, own.events < newest.events, newest.events - own.events > 1,
      newest.role(ofDevice: Int(own.deviceNumber)) == .slot(slot)
    else { return nil }
    return newest.events - own.events
  }

  /// Slots that were surely empty as soon as the member had left. Only a working array fills one again: so if
  /// these are too many, it has not worked since.
  private func slotsEmpty(since index: Int, slot: Int, besides others: Set<Int>) -> Set<Int> {
    let own = superblock(index)
    var empty: Set<Int> = [slot]
    // Empty already by its own word.
    for other in isCurrent.indices where !isCurrent[other] && !own.listedSlots.contains(other) {
      empty.insert(other)
    }
    // Those that stopped at the same event left with it: the next would have reached them. One event of slack
    // is for an update that was cut off; who calls the other failed was there when it failed.
    for peer in assembly.members.indices where peer != index && !others.contains(peer) {
      let theirs = superblock(peer)
      guard !assembly.standings[peer].isUsed, case .slot(let other) = theirs.role, other != slot,
        isCurrent.indices.contains(other), !isCurrent[other],
        eventsBehindThoseThatCountOnIt(peer, slot: other) == nil,
        own.role(ofDevice: Int(theirs.deviceNumber)) == .slot(other),
        theirs.role(ofDevice: Int(own.deviceNumber)) != .faulty,
        max(own.events, theirs.events) - min(own.events, theirs.events) <= 1
      else { continue }
      empty.insert(other)
    }
    // One that is being filled now, and could not have been begun on without this member, was empty before.
    for other in isCurrent.indices where !isCurrent[other] {
      guard let holder = assembly.holders[other].member,
        case .rebuilding = assembly.standings[holder],
        !shape.survives(present: isCurrent.indices.map { $0 != slot && $0 != other })
      else { continue }
      empty.insert(other)
    }
    return empty
  }

  /// Data offsets of the blocks of a slot that are marked.
  func lostBlocks(ofSlot slot: Int) -> [Int] {
    var blocks: [Int] = []
    for range in marked ?? [] {
      switch shape.placement {
      case .copies(let copies) where shape.level == .mirroredStripes:
        var places: [CopyPlacement.Place] = []
        var offset = range.lowerBound
        while offset < min(range.upperBound, copies.byteCount) {
          let count = min(range.upperBound - offset, copies.locate(offset, into: &places))
          for place in places where place.slot == slot {
            blocks += stride(
              from: place.offset / 4096 * 4096, to: place.offset + count, by: 4096)
          }
          offset += count
        }
      case .copies, .parity:
        let end = min(range.upperBound, shape.memberByteCounts[slot])
        blocks += stride(from: range.lowerBound, to: max(range.lowerBound, end), by: 4096)
      }
    }
    return shape.level == .mirroredStripes ? Set(blocks).sorted() : blocks
  }
}
