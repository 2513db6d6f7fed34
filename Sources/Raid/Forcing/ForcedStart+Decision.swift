import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

extension ForcedStart {
  /// Decides which members to take back. Nothing is written.
  ///
  /// - Throws: `readOnly` for an array whose superblocks are not written by ftool; `notStartable` for members
  ///   that make no array.
  package init(_ assembly: Assembly) throws(RaidError) {
    let shape = try ArrayShapes(assembly, assumesSizes: true).old
    if let obstacle = Self.obstacle(assembly) { throw .readOnly(obstacle) }
    let stale = StaleMembers(assembly, shape)
    keepsLogs = !assembly.reference.features.isDisjoint(with: .anyPartialParityLog)
    isUnderWay = assembly.isTakingBack
    var (chosen, refused) = Self.choose(stale)
    var present = stale.isCurrent
    for one in chosen { present[one.slot] = true }
    let isEnough = shape.survives(present: present)
    if !isEnough {
      refused += chosen.map { ($0.index, .notNeeded) }
      chosen = []
      present = stale.isCurrent
    }
    self.assembly = assembly
    self.refused = refused
    returning = chosen.sorted { $0.slot < $1.slot }
    emptySlots = present.indices.filter { !present[$0] }
    byteCount = shape.byteCount
    let forced = assembly.takingBack(chosen)
    let isInDoubt = isEnough && !keepsLogs && !emptySlots.isEmpty && forced.hasDoubt(shape)
    endsDoubt = isInDoubt
    let lacking = chosen.filter { if case .marked = $0.evidence { true } else { false } }
    lost =
      lacking.isEmpty
      ? isUnderWay ? Self.listed(forced) : ArrayExtent()
      : Self.extent(
        of: stale.marked ?? [], on: Set(emptySlots + lacking.map(\.slot)), shape)
    let inDoubt =
      isInDoubt && lacking.isEmpty
      ? stale.marked ?? [0..<(shape.memberByteCounts.max() ?? 0)] : []
    doubtful = Self.extent(of: inDoubt, on: Set(emptySlots), shape, ifBeyondRedundancy: false)
    if !isEnough {
      verdict = .impossible
    } else {
      verdict = chosen.isEmpty && !isInDoubt && !isUnderWay ? .startsAlready : .possible
    }
  }

  /// What is lost by the lists of those who were taken back before.
  private static func listed(_ assembly: Assembly) -> ArrayExtent {
    var options = RaidArray.Options()
    options.allowsDegraded = true
    options.allowsDoubt = true
    var extent = ArrayExtent()
    guard let array = try? RaidArray.open(assembly, options: options) else { return extent }
    for offset in array.listedLosses { extent.append(offset..<min(offset + 4096, array.byteCount)) }
    return extent
  }

  private static func obstacle(_ assembly: Assembly) -> WriteObstacle? {
    let reference = assembly.reference
    if reference.version == .v0_90 { return .metadata090 }
    if reference.isReshaping { return .reshaping }
    if reference.features.contains(.clustered) { return .clustered }
    if reference.features.contains(.journal) || assembly.journal != nil { return .hasJournal }
    return nil
  }

  /// The newest that can be taken back, as few as are needed; and why the others are not.
  private static func choose(
    _ stale: StaleMembers
  ) -> (chosen: [Returning], refused: [(index: Int, reason: StaleRefusal)]) {
    var chosen: [Returning] = []
    var refused: [(index: Int, reason: StaleRefusal)] = []
    func isEnough(_ members: [Returning]) -> Bool {
      var present = stale.isCurrent
      for one in members { present[one.slot] = true }
      return stale.shape.survives(present: present)
    }
    for (index, slot) in stale.candidates {
      if isEnough(chosen) || chosen.contains(where: { $0.slot == slot }) {
        let isSplit = stale.assembly.standings[index] == .split
        refused.append((index, isSplit ? .wentItsOwnWay(from: nil) : .notNeeded))
        continue
      }
      switch decide(index, slot, stale) {
      case .success(let one): chosen.append(one)
      case .failure(let reason): refused.append((index, reason))
      }
    }
    // With copies, one that is older may make a newer one needless.
    for one in chosen.reversed() {
      let others = chosen.filter { $0.index != one.index }
      guard isEnough(others) else { continue }
      chosen = others
      refused.append((one.index, .notNeeded))
    }
    // What proves one of them must still stand when the power fails after another has been written.
    for one in chosen {
      let others = Set(chosen.map(\.index)).subtracting([one.index])
      chosen.removeAll { $0.index == one.index }
      switch decide(one.index, one.slot, stale, besides: others) {
      case .success(let same): chosen.append(same)
      case .failure(let reason): refused.append((one.index, reason))
      }
    }
    return (chosen, refused)
  }

  private static func decide(
    _ index: Int, _ slot: Int, _ stale: StaleMembers, besides others: Set<Int> = []
  ) -> Result<Returning, StaleRefusal> {
    stale.evidence(for: index, slot: slot, besides: others).flatMap { evidence in
      guard case .marked = evidence else {
        return .success(
          Returning(index: index, slot: slot, evidence: evidence, lostBlocks: []))
      }
      let blocks = stale.lostBlocks(ofSlot: slot)
      guard hasRoom(for: blocks, stale.assembly.members[index]) else {
        return .failure(.noRoomForLosses(byteCount: blocks.count * 4096))
      }
      return .success(
        Returning(index: index, slot: slot, evidence: evidence, lostBlocks: blocks))
    }
  }

  /// Whether the member's list of bad blocks has room for these.
  private static func hasRoom(for blocks: [Int], _ probe: MemberProbe) -> Bool {
    let capacity = probe.superblock.badBlockCapacity(memberByteCount: probe.device.byteCount)
    return BadBlockList(probe.listedBadBlocks ?? [], capacity: capacity).insert(blocks)
  }

  /// What of the array lies on some slots, where ranges of the bitmap's bytes are concerned.
  ///
  /// - Parameter ifBeyondRedundancy: only where the other slots can't give it.
  private static func extent(
    of ranges: [Range<Int>], on slots: Set<Int>, _ shape: ArrayShape,
    ifBeyondRedundancy: Bool = true
  ) -> ArrayExtent {
    var extent = ArrayExtent()
    switch shape.placement {
    case .parity(let rows):
      if ifBeyondRedundancy, slots.count <= rows.parityCount { return extent }
      var pieces: [Range<Int>] = []
      var rowOfPieces = 0
      for range in ranges {
        let end = min(range.upperBound, rows.rowCount * rows.chunkByteCount)
        var offset = range.lowerBound
        while offset < end {
          let row = offset / rows.chunkByteCount
          let next = min(end, (row + 1) * rows.chunkByteCount)
          if row != rowOfPieces {
            extent.append(inAnyOrder: pieces)
            pieces.removeAll(keepingCapacity: true)
            rowOfPieces = row
          }
          pieces += rows.arrayRanges(of: offset..<next, on: slots)
          offset = next
        }
      }
      extent.append(inAnyOrder: pieces)
    case .copies(let copies):
      var places: [CopyPlacement.Place] = []
      for range in ranges {
        var offset = range.lowerBound
        let end = min(range.upperBound, shape.byteCount)
        while offset < end {
          let count = min(end - offset, copies.locate(offset, into: &places))
          if places.allSatisfy({ slots.contains($0.slot) }) {
            extent.append(offset..<offset + count)
          }
          offset += count
        }
      }
    }
    return extent
  }
}
