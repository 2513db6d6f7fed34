import RaidGeometry

// Where superblocks say the place of every member, there is nothing to search.

extension RecoverySearch {
  /// Adds the layout that superblocks state, and the same without members that missed the last changes.
  mutating func addStated(_ reference: SuperblockTrace, _ known: SuperblockFindings) {
    let order = fixed.map { $0 ?? 0 }
    // By device, which is by slot here: every device was put where it belongs.
    let sizes = order.map { device in
      guard reference.level.usesWholeMembers, let given = givenIndexes[device] else {
        return reference.memberByteCount
      }
      return known.best[given]?.memberByteCount ?? reference.memberByteCount
    }
    let choice = DataOffsets.Choice(offset: reference.dataOffset, weight: 0, text: "")
    guard
      var made = candidate(
        reference.level, reference.layout, reference.chunkByteCount, order, choice, sizes: sizes)
    else { return }
    let whole = known.best.values.count { $0.isIntact }
    made.note(
      .superblock, 20 + 10 * Double(whole) + 3 * Double(known.best.count - whole),
      "\(known.best.count) members have superblocks of the array, \(whole) of them undamaged")
    let stale = made.order.indices.filter { slot in
      made.order[slot].flatMap { givenIndexes[$0] }.map { known.isStale($0) } ?? false
    }
    if !stale.isEmpty {
      var without = made
      for slot in stale { without.order[slot] = nil }
      // md never uses such a member; that its parity agrees nearly everywhere proves nothing.
      if without.shape.survives(present: without.order.map { $0 != nil }) {
        without.note(
          .superblock, 150, "members that missed the last changes are left out: \(stale.count)")
        candidates.append(without)
      }
    }
    candidates.append(made)
  }
}
