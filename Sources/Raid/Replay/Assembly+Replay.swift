import BlockStorage
import MDFormat
import RaidGeometry

extension Assembly {
  /// The same array with what its journal or its partial parity logs hold laid over its members, for
  /// reading only; without such logs, the array as it is. Nothing is written.
  ///
  /// - Parameter allowsDoubt: go on without a journal that is missing, stale or damaged, and read what
  ///   the members have: some of it may be older than what was acknowledged, or torn.
  /// - Throws: `notStartable` when a log that counts can't be read, or is not there.
  package func replayed(allowsDoubt: Bool = false) throws(RaidError) -> Assembly {
    let needsJournal = reference.features.contains(.journal) || journal != nil
    let hasPartialParity = !reference.features.isDisjoint(with: .anyPartialParityLog)
    guard needsJournal || hasPartialParity && !reference.isClean else { return self }
    guard !reference.isReshaping, case .parity(let placement) = try ArrayShapes(self).old.placement
    else { throw .notStartable(.unsupported("a log of an array of this shape")) }
    if needsJournal { return try withJournal(placement, allowsDoubt) }
    guard placement.parityCount == 1 else {
      throw .notStartable(.unsupported("a partial parity log of an array with two parities"))
    }
    return try withPartialParity(placement)
  }

  /// mdadm's rule: a journal must be there, and not be older than the newest member by more than an
  /// event (Assemble.c, `journal_clean`).
  private func withJournal(
    _ placement: ParityPlacement, _ allowsDoubt: Bool
  ) throws(RaidError) -> Assembly {
    let obstacle: StartObstacle
    do throws(RaidError) {
      guard let index = journal else { throw .notStartable(journalObstacle) }
      let replay = try JournalReplay(self, journal: index, placement)
      guard replay.beginning != nil else { return withOverlays(replay) }
      obstacle = .damagedJournal(member: members[index].name)
    } catch {
      guard case .notStartable(let reason) = error else { throw error }
      obstacle = reason
    }
    guard allowsDoubt else { throw .notStartable(obstacle) }
    return Assembly(self, devices: [:], disregardedJournal: obstacle)
  }

  /// Why no member serves as the journal.
  private var journalObstacle: StartObstacle {
    for (member, standing) in zip(members, standings) where member.superblock.role == .journal {
      if case .stale(let events, let newest) = standing {
        return .staleJournal(member: member.name, events: events, newest: newest)
      }
    }
    return .missingJournal
  }

  private func withOverlays(_ replay: JournalReplay) -> Assembly {
    var devices: [Int: any BlockDevice] = [:]
    for (slot, holder) in holders.enumerated() {
      for index in [holder.member, holder.replacement].compactMap(\.self) {
        let offset = Int(members[index].superblock.dataOffsetSectors) * 512
        guard let overlay = replay.overlay(ofSlot: slot, dataOffset: offset) else { continue }
        devices[index] = OverlayDevice(members[index].device, overlay)
      }
    }
    return Assembly(self, devices: devices)
  }

  /// With all logs whole and something in them the array is in sync then (Linux: `ppl_init_log`), unless
  /// a resync was under way; otherwise it is as unclean as before.
  private func withPartialParity(_ placement: ParityPlacement) throws(RaidError) -> Assembly {
    var sources: [SlotSource] = []
    for slot in 0..<placement.slotCount { sources.append(try SlotSource(self, slot: slot)) }
    var devices: [Int: any BlockDevice] = [:]
    var entryCount = 0
    var areWhole = true
    for (slot, holder) in holders.enumerated() {
      guard let index = holder.member else { continue }
      let replay = try PartialParityReplay(members[index], slot: slot, placement, sources)
      if !replay.isEmpty { devices[index] = OverlayDevice(members[index].device, replay) }
      entryCount += replay.entryCount
      if replay.isIncomplete { areWhole = false }
    }
    return Assembly(
      self, devices: devices,
      isClean: areWhole && reference.resyncOffsetSectors == 0 && entryCount > 0,
      isMendedByLogs: areWhole)
  }

  /// The same members, some of them behind other devices; known to be in sync, if so.
  init(
    _ assembly: Assembly, devices: [Int: any BlockDevice], isClean: Bool = false,
    disregardedJournal: StartObstacle? = nil, isMendedByLogs: Bool = false
  ) {
    var newest = assembly.reference
    if isClean { newest.isClean = true }
    reference = newest
    members = assembly.members.enumerated().map { index, probe in
      devices[index].map { MemberProbe(probe, device: $0) } ?? probe
    }
    standings = assembly.standings
    holders = assembly.holders
    slotsNotGiven = assembly.slotsNotGiven
    unusable = assembly.unusable
    self.disregardedJournal = disregardedJournal
    self.isMendedByLogs = isMendedByLogs
    returningSlots = assembly.returningSlots
  }
}
