import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

extension Assembly {
  /// The same members, as they will be when some have been taken back. Nothing is written.
  func takingBack(_ returning: [ForcedStart.Returning]) -> Assembly {
    if returning.isEmpty { return self }
    var newest = reference
    // What was in flight when a member left is so whatever the others have said since.
    let isDirty = returning.contains { one in
      if case .marked = one.evidence { return false }
      return !members[one.index].superblock.isClean
    }
    if isDirty { newest.isClean = false }
    var standings = self.standings
    var holders = self.holders
    for one in returning {
      standings[one.index] = .active(slot: one.slot)
      holders[one.slot].member = one.index
      let number = Int(members[one.index].superblock.deviceNumber)
      if newest.roles.indices.contains(number) {
        newest.roles[number] = MDRole.slot(one.slot).rawValue
      }
    }
    let indices = Set(returning.map(\.index))
    let changed = members.enumerated().map { index, probe -> MemberProbe in
      guard standings[index].isUsed else { return probe }
      var superblock = probe.superblock
      superblock.roles = newest.roles
      if indices.contains(index) { superblock.takeArrayState(of: newest) }
      return MemberProbe(probe, superblock: superblock)
    }
    return Assembly(
      self, reference: newest, members: changed, standings: standings, holders: holders,
      returningSlots: Set(returning.map(\.slot)))
  }

  /// Whether rows with parity were being written when the array was left, and neither a journal nor a member
  /// in each slot can say what is in them.
  func hasDoubt(_ shape: ArrayShape) -> Bool {
    guard case .parity = shape.placement, !reference.isClean else { return false }
    guard reference.features.contains(.writeJournal) else { return true }
    guard let scan = try? JournalScan(journalPlaces, shape: shape) else { return true }
    return scan.isIncomplete || scan.hasDoubt
  }
}

extension MDSuperblock {
  /// Takes over what is the same on all members and changes while an array runs, the count of events, too.
  fileprivate mutating func takeArrayState(of other: MDSuperblock) {
    events = other.events
    resyncOffsetSectors = other.resyncOffsetSectors
    slotCount = other.slotCount
    sizeSectors = other.sizeSectors
    nameBytes = other.nameBytes
    features.set(.writeJournal, other.features.contains(.writeJournal))
  }
}
