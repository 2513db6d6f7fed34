/// A change of shape, from its first superblock to its last (Linux: md.c, `update_raid_disks` and
/// `md_finish_reshape`; raid5.c, `raid5_start_reshape`).
extension MDSuperblock {
  /// Says that a reshape begins, with nothing moved yet.
  ///
  /// - Parameters:
  ///   - old: what the array is, in the new level's terms: the number of slots that it has so far.
  ///   - new: what it becomes.
  ///   - shiftSectors: by how much this member's data begins earlier afterwards.
  ///   - endSectors: of the array in its new shape, where it goes from there to the start; nil where it goes from
  ///     the start to the end.
  package mutating func beginReshape(
    from old: MDShape, to new: MDShape, shiftSectors: Int, endSectors: UInt64? = nil
  ) {
    (level, layout, chunkSectors) = (old.level, old.layout, old.chunkSectors)
    sizeSectors = old.sizeSectors
    slotCount = new.slotCount
    reshape = MDReshape(
      newLevel: new.level, positionSectors: endSectors ?? 0,
      deltaSlots: new.slotCount - old.slotCount,
      newLayout: new.layout, newChunkSectors: new.chunkSectors,
      newOffsetSectors: Int32(-shiftSectors))
    features.insert([.reshape])
    if shiftSectors != 0 { features.insert(.newOffset) }
    features.subtract([.raid0Layout, .reshapeBackwards])
    // With fewer members it goes without saying.
    if endSectors != nil, new.slotCount == old.slotCount { features.insert(.reshapeBackwards) }
  }

  /// Takes the new shape, everything being in its place: what the data has moved becomes room behind it.
  /// Without a reshape it changes nothing.
  package mutating func finishReshape() {
    guard isReshaping else { return }
    level = reshape.newLevel
    layout = reshape.newLayout
    chunkSectors = reshape.newChunkSectors
    let end = dataOffsetSectors &+ dataSizeSectors
    dataOffsetSectors = newDataOffsetSectors
    dataSizeSectors = end &- dataOffsetSectors
    features.subtract([.reshape, .newOffset, .reshapeBackwards])
    reshape = MDReshape()
  }

  /// Where an update of all superblocks was cut off that began or ended a reshape, or told how far it has come: what
  /// this one, which it has not reached, would say. One that begins has moved nothing yet, and one that ends has
  /// nothing left to move.
  ///
  /// - Parameter newest: one that it has reached.
  package func following(_ newest: MDSuperblock) -> MDSuperblock {
    guard events < newest.events, newest.events - events == 1 else { return self }
    var next = self
    if isReshaping, newest.isReshaping {
      var known = newest.reshape
      known.newOffsetSectors = reshape.newOffsetSectors
      known.positionSectors = reshape.positionSectors
      guard reshape == known, slotCount == newest.slotCount else { return self }
      next.reshape.positionSectors = newest.reshape.positionSectors
    } else if isReshaping == newest.isReshaping {
      // Changes for which nothing moves: more or fewer mirrors, or two mirrors as a RAID 5.
      let changes = [
        [MDLevel.raid1, MDLevel.raid5], [MDLevel.raid5, MDLevel.raid1],
        [MDLevel.raid6, MDLevel.raid5],
      ]
      guard !isReshaping,
        slotCount < newest.slotCount && level == newest.level
          || slotCount > newest.slotCount && level == MDLevel.raid1 && level == newest.level
          || sizeSectors != newest.sizeSectors && level == newest.level
            && slotCount == newest.slotCount && chunkSectors == newest.chunkSectors
            && layout == newest.layout
          || changes.contains([level, newest.level])
      else { return self }
      (next.level, next.layout, next.chunkSectors) = (
        newest.level, newest.layout, newest.chunkSectors
      )
      (next.slotCount, next.sizeSectors) = (newest.slotCount, newest.sizeSectors)
      let wasSpare = role == .spare
      next.roles = newest.roles
      if wasSpare, slotCount < newest.slotCount, case .slot = next.role {
        next.features.insert(.recoveryOffset)
        next.recoveryOffsetSectors = 0
      }
    } else if newest.isReshaping {
      guard newest.reshapesBackwards || newest.reshape.positionSectors == 0 else { return self }
      let wasSpare = role == .spare
      let shape = MDShape(
        level: newest.level, layout: newest.layout, chunkSectors: newest.chunkSectors,
        slotCount: newest.previousSlotCount, sizeSectors: newest.sizeSectors)
      let new = MDShape(
        level: newest.reshape.newLevel, layout: newest.reshape.newLayout,
        chunkSectors: newest.reshape.newChunkSectors, slotCount: newest.slotCount,
        sizeSectors: newest.sizeSectors)
      next.beginReshape(
        from: shape, to: new, shiftSectors: -Int(newest.reshape.newOffsetSectors),
        endSectors: newest.reshapesBackwards ? newest.reshape.positionSectors : nil)
      next.roles = newest.roles
      if wasSpare, case .slot(let slot) = next.role, slot < next.previousSlotCount {
        next.features.insert(.recoveryOffset)
        next.recoveryOffsetSectors = 0
      }
    } else {
      guard reshape.newLevel == newest.level, reshape.newLayout == newest.layout,
        reshape.newChunkSectors == newest.chunkSectors, slotCount == newest.slotCount
      else { return self }
      next.finishReshape()
      next.features.subtract([.recoveryOffset])
      next.roles = newest.roles
    }
    return next
  }
}

/// What of a superblock says how an array's bytes lie.
package struct MDShape: Equatable, Sendable {
  package var level: Int32
  package var layout: UInt32
  package var chunkSectors: UInt32
  package var slotCount: Int
  /// Of each member; 0 for levels that use all of them.
  package var sizeSectors: UInt64

  package init(
    level: Int32, layout: UInt32, chunkSectors: UInt32, slotCount: Int, sizeSectors: UInt64
  ) {
    self.level = level
    self.layout = layout
    self.chunkSectors = chunkSectors
    self.slotCount = slotCount
    self.sizeSectors = sizeSectors
  }
}
