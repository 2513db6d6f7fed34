import BlockStorage
import MDFormat

extension Assembly {
  /// What these devices make, where as much as possible is to be read: a member that has lost its end
  /// counts with what is left of it.
  ///
  /// - Throws: `notStartable`, as for an array that is to be used.
  package init(salvaging devices: [any BlockDevice]) throws(RaidError) {
    try self.init(
      devices: devices.map { device in
        do throws(RaidError) {
          _ = try MemberProbe(device)
          return device
        } catch {
          guard case .notStartable(.unreadableSuperblock(_, .cutShort(_, _, let sectors))) = error,
            sectors <= Int.max / 512
          else { return device }
          return CutShortDevice(device, byteCount: sectors * 512)
        }
      })
  }

  /// The event counts of those that the array went on without, each once, the newest first.
  package var formerEvents: [UInt64] {
    Set(members.indices.filter { standings[$0].isFormer }.map { members[$0].superblock.events })
      .sorted(by: >)
  }

  /// The same members, where slots that nobody has all of are also given to the newest of those that the
  /// array went on without: what these hold may be old. nil when there are none.
  ///
  /// - Parameter events: leaves out who is older than that.
  package func withFormerMembers(since events: UInt64 = 0) -> Assembly? {
    var holders = self.holders
    var standings = self.standings
    var isChanged = false
    for slot in holders.indices {
      let former = members.indices.filter { index in
        standings[index].isFormer && members[index].superblock.role == .slot(slot)
          && members[index].superblock.events >= events
          && members[index].superblock.hasShape(of: reference)
      }.max { members[$0].superblock.events < members[$1].superblock.events }
      guard let former else { continue }
      // Who is being filled goes first, as far as it has come, and who has the place, but for what it lists as bad.
      if holders[slot].member == nil {
        holders[slot].member = former
        standings[former] = .active(slot: slot)
      } else if holders[slot].replacement == nil {
        holders[slot].replacement = former
        standings[former] = .replacement(slot: slot, upTo: .max)
      } else {
        continue
      }
      isChanged = true
    }
    return isChanged ? Assembly(self, standings: standings, holders: holders) : nil
  }

  private init(
    _ assembly: Assembly, standings: [Standing], holders: [(member: Int?, replacement: Int?)]
  ) {
    reference = assembly.reference
    members = assembly.members
    self.standings = standings
    self.holders = holders
    slotsNotGiven = assembly.slotsNotGiven
    unusable = assembly.unusable
    disregardedJournal = assembly.disregardedJournal
    isMendedByLogs = assembly.isMendedByLogs
    returningSlots = assembly.returningSlots
  }

  /// The same members, where some that were out of date are taken for current.
  init(
    _ assembly: Assembly, reference: MDSuperblock, members: [MemberProbe], standings: [Standing],
    holders: [(member: Int?, replacement: Int?)], returningSlots: Set<Int>
  ) {
    self.reference = reference
    self.members = members
    self.standings = standings
    self.holders = holders
    slotsNotGiven = assembly.slotsNotGiven.filter { !returningSlots.contains($0) }
    unusable = assembly.unusable
    disregardedJournal = assembly.disregardedJournal
    isMendedByLogs = assembly.isMendedByLogs
    self.returningSlots = returningSlots
  }
}

extension Assembly.Standing {
  /// Whether the array went on without the member, which has its data of then.
  fileprivate var isFormer: Bool {
    switch self {
    case .failed, .stale, .split, .former: true
    case .active, .rebuilding, .replacement, .spare, .journal, .duplicate, .unusable: false
    }
  }
}

extension MDSuperblock {
  /// Whether bytes lie where the array of another superblock has them.
  func hasShape(of other: MDSuperblock) -> Bool {
    level == other.level && layout == other.layout && chunkSectors == other.chunkSectors
      && creationTime == other.creationTime && sizeSectors == other.sizeSectors
      && slotCount == other.slotCount && version == other.version && !isReshaping
      && !other.isReshaping
  }
}
