import BinaryCodec
import BlockStorage
import MDFormat
import RaidGeometry

/// Which of the given members make up the array, and as what: the rules of Linux md (drivers/md/md.c,
/// `analyze_sbs`) and of mdadm's Assemble.c, and nothing beyond them.
///
/// The newest superblock, by events, has the last word on every member's role. Members one event
/// behind it are as good; older ones are stale, and never used. A member that calls the newest one
/// failed, while that one calls it active, comes from a split array and is left out. (One that calls all of the
/// others failed, and could have gone on without them, is left out by md, too; only that it may have been written
/// on its own is not told there.)
package struct Assembly: Sendable {
  /// What a given member is to the array.
  package enum Standing: Equatable, Sendable {
    /// In sync, or so far: bytes of the member's data.
    case active(slot: Int)
    case rebuilding(slot: Int, upTo: Int)
    case replacement(slot: Int, upTo: Int)
    case spare
    case journal
    /// Not used: the newest superblock calls it failed.
    case failed
    /// Not used: so many events, where the newest has so many.
    case stale(events: UInt64, newest: UInt64)
    /// Not used: its own superblock disowns those that are, and what was written there may be nowhere else.
    case split
    /// Not used: another member has its place already.
    case duplicate
    /// Not used, and not needed: while it was away or failed, another has been brought in sync in its slot.
    case former(slot: Int)
    /// Not used: something of it that counts can't be read.
    case unusable(StartObstacle)
  }

  /// A device that was given and tells too little to be a member.
  package struct Unusable: Sendable {
    package let device: any BlockDevice
    /// `device`, `unreadableSuperblock` or `lostSuperblock`.
    package let reason: StartObstacle
  }

  /// The newest superblock.
  package let reference: MDSuperblock
  /// Those that were given, in their order, whether used or not.
  package let members: [MemberProbe]
  /// One for each member.
  package internal(set) var standings: [Standing]
  /// By slot: the index of the member that has it, and of its replacement.
  package let holders: [(member: Int?, replacement: Int?)]
  /// Slots that the newest superblock says are taken by a member that was not given.
  package let slotsNotGiven: [Int]
  /// Devices that were given and are left out, as if they had not been.
  package let unusable: [Unusable]
  /// Why what a journal may hold is not laid over the members, where that was allowed.
  package let disregardedJournal: StartObstacle?
  /// Partial parity logs were found whole on all members that are there, and have been laid over them: a
  /// member that is missing can be computed after a crash, too, but for what was being written to it
  /// (Linux: "starting dirty degraded array with PPL").
  package let isMendedByLogs: Bool
  /// Slots whose members were out of date, and are about to be taken back.
  let returningSlots: Set<Int>
  /// Members were being taken back by force, and not all of them know yet.
  var isTakingBack: Bool {
    zip(members, standings).contains { $1.isUsed && $0.superblock.features.contains(.takingBack) }
  }
  /// Those that have a slot: in sync, being rebuilt, or to replace another.
  var membersInSlots: [MemberProbe] {
    zip(members, standings).compactMap { member, standing in
      switch standing {
      case .active, .rebuilding, .replacement: member
      case .spare, .journal, .failed, .stale, .split, .duplicate, .former, .unusable: nil
      }
    }
  }
  /// The index of the journal member; nil where there is none.
  package var journal: Int? { standings.firstIndex(of: .journal) }

  /// What these devices make. One whose superblock can't be read or decoded is left out; one that has
  /// none was never a member, unless what we keep at its end is of this array.
  ///
  /// - Throws: `notStartable`, also when a device has no superblock or no device has one that counts.
  package init(devices: [any BlockDevice]) throws(RaidError) {
    var probes: [MemberProbe] = []
    var unusable: [Unusable] = []
    var bare: [(device: any BlockDevice, error: RaidError)] = []
    for device in devices {
      do throws(RaidError) {
        probes.append(try MemberProbe(device))
      } catch {
        guard case .notStartable(let reason) = error else { throw error }
        if reason.meansNoMember {
          bare.append((device, error))
        } else {
          unusable.append(Unusable(device: device, reason: reason))
        }
      }
    }
    for (device, error) in bare {
      guard let id = probes.first?.superblock.arrayID,
        (try? MetadataErasure.formerArray(of: device)) == id
      else { throw error }
      unusable.append(Unusable(device: device, reason: .lostSuperblock(member: device.name)))
    }
    if probes.isEmpty, let first = unusable.first { throw .notStartable(first.reason) }
    try self.init(probes, unusable: unusable)
  }

  /// - Throws: `notStartable`, when the members are not of one array or none are of use.
  package init(_ members: [MemberProbe], unusable: [Unusable] = []) throws(RaidError) {
    self.unusable = unusable
    disregardedJournal = nil
    isMendedByLogs = false
    returningSlots = []
    guard let first = members.first else { throw .notStartable(.noMembers) }
    if let other = members.first(where: { $0.superblock.arrayID != first.superblock.arrayID }) {
      throw .notStartable(.mixed(first.name, other.name))
    }
    let newest = Self.newest(of: members)
    reference = members[newest].superblock
    // Where an update that began or ended a reshape was cut off, what it was to say is known.
    let members = members.map { probe in
      let followed = probe.superblock.following(members[newest].superblock)
      // What the newest says need not make sense of another member.
      guard followed != probe.superblock,
        (try? followed.validate(memberSectors: probe.device.byteCount / 512)) != nil
      else { return probe }
      return MemberProbe(probe, superblock: followed)
    }
    var standings = [Standing](repeating: .spare, count: members.count)
    var holders = [(member: Int?, replacement: Int?)](
      repeating: (nil, nil), count: Self.slotLimit(reference))
    // Of two that claim one place the newer has it.
    let inOrder = members.indices.sorted {
      (members[$1].superblock.events, $0) < (members[$0].superblock.events, $1)
    }
    var hasJournal = false
    for index in inOrder {
      let member = members[index]
      var standing = Self.standing(of: member.superblock, members[newest].superblock)
      if standing.isUsed, case .failure(let obstacle) = member.badBlocks {
        standing = .unusable(obstacle)
      }
      switch standing {
      case .active(let slot), .rebuilding(let slot, _):
        guard holders.indices.contains(slot) else {
          throw .notStartable(
            .contradiction(field: "role", member.name, members[newest].name))
        }
        if holders[slot].member == nil {
          holders[slot].member = index
        } else {
          standing = .duplicate
        }
      case .replacement(let slot, _):
        guard holders.indices.contains(slot) else { break }
        if holders[slot].replacement == nil {
          holders[slot].replacement = index
        } else {
          standing = .duplicate
        }
      case .journal:
        if hasJournal { standing = .duplicate }
        hasJournal = true
      case .spare, .failed, .stale, .split, .duplicate, .former, .unusable: break
      }
      standings[index] = standing
      if standing.isUsed,
        let field = Self.disagreement(member.superblock, members[newest].superblock)
      {
        // A spare that was not there when the array changed is none of its spares any more.
        guard standing == .spare, member.superblock.events < reference.events else {
          throw .notStartable(.contradiction(field: field, member.name, members[newest].name))
        }
        standings[index] = .stale(events: member.superblock.events, newest: reference.events)
      }
    }
    for index in members.indices {
      guard let slot = Self.slotLost(by: members[index], standings[index]),
        holders.indices.contains(slot), let holder = holders[slot].member,
        case .active = standings[holder],
        members[holder].superblock.deviceID != members[index].superblock.deviceID
      else { continue }
      standings[index] = .former(slot: slot)
    }
    self.standings = standings
    self.holders = holders
    self.members = Self.withNumbersOfTheirOwn(members, standings, reference)
    let spares = Set(
      members.indices.filter { standings[$0] == .spare }
        .map { Int(members[$0].superblock.deviceNumber) })
    var recorded = Set<Int>()
    for (number, role) in reference.roles.enumerated() where !spares.contains(number) {
      if case .slot(let slot)? = MDRole(rawValue: role) { recorded.insert(slot) }
    }
    slotsNotGiven = holders.indices.filter {
      holders[$0].member == nil && holders[$0].replacement == nil && recorded.contains($0)
    }
    guard let shape = try? ArrayShapes(self, assumesSizes: true).old else { return }
    for index in members.indices where mayHaveGoneOnAlone(index, shape) {
      self.standings[index] = .split
    }
  }

  /// Whether a member that the others went on without counts on none of them, and those that it does count on
  /// are enough for an array: then there may be two, each with something that the other has not.
  private func mayHaveGoneOnAlone(_ index: Int, _ shape: ArrayShape) -> Bool {
    switch standings[index] {
    case .stale, .failed, .former: break
    default: return false
    }
    let own = members[index].superblock
    guard case .slot = own.role else { return false }
    // Somebody else may have its number by now.
    let users = holders.compactMap(\.member).filter {
      members[$0].superblock.deviceNumber != own.deviceNumber
    }
    let counts = users.contains { user in
      if case .slot = own.role(ofDevice: Int(members[user].superblock.deviceNumber)) {
        true
      } else {
        false
      }
    }
    return !users.isEmpty && !counts
      && shape.survives(present: (0..<shape.slotCount).map(own.listedSlots.contains))
  }

  /// Spares under numbers that nobody else has. The superblocks know members by their number alone, and one that was
  /// not there when another came may have the same: then whatever they say of the other, that it is in sync in a slot
  /// at last, would be said of the spare.
  private static func withNumbersOfTheirOwn(
    _ members: [MemberProbe], _ standings: [Standing], _ newest: MDSuperblock
  ) -> [MemberProbe] {
    func number(_ probe: MemberProbe) -> Int { Int(probe.superblock.deviceNumber) }
    var taken = Set(members.indices.filter { standings[$0] != .spare }.map { number(members[$0]) })
    for (number, role) in newest.roles.enumerated() {
      if case .slot? = MDRole(rawValue: role) { taken.insert(number) }
    }
    return zip(members, standings).map { probe, standing in
      guard standing == .spare, !taken.insert(number(probe)).inserted,
        let free = newest.roles.indices.first(where: {
          !taken.contains($0) && newest.role(ofDevice: $0) == .spare
        })
      else { return probe }
      taken.insert(free)
      var superblock = probe.superblock
      superblock.deviceNumber = UInt32(free)
      return MemberProbe(probe, superblock: superblock)
    }
  }

  /// The slot that a member had before the array went on without it.
  private static func slotLost(by member: MemberProbe, _ standing: Standing) -> Int? {
    switch standing {
    case .failed, .stale:
      if case .slot(let slot) = member.superblock.role { slot } else { nil }
    case .active, .rebuilding, .replacement, .spare, .journal, .split, .duplicate, .former,
      .unusable:
      nil
    }
  }

  private static func slotLimit(_ superblock: MDSuperblock) -> Int {
    max(superblock.slotCount, superblock.previousSlotCount)
  }

  /// Spares' events may lag, so one that has a slot goes before one that has none. Of others with as many events,
  /// those who went on without somebody are newer than he is: his last update was cut off before it reached them. The
  /// time of the update decides only between halves that went on without each other.
  private static func newest(of members: [MemberProbe]) -> Int {
    func rank(_ probe: MemberProbe) -> (UInt64, Int) {
      if case .slot = probe.superblock.role { return (probe.superblock.events, 1) }
      return (probe.superblock.events, 0)
    }
    return members.indices.reduce(0) { best, index in
      let (old, new) = (members[best], members[index])
      if rank(new) != rank(old) { return rank(new) > rank(old) ? index : best }
      let (oldDisowns, newDisowns) = (
        old.superblock.disowns(new.superblock), new.superblock.disowns(old.superblock)
      )
      if oldDisowns != newDisowns { return newDisowns ? index : best }
      let (oldSeconds, newSeconds) = (
        old.superblock.updateSeconds, new.superblock.updateSeconds
      )
      if oldDisowns, oldSeconds == newSeconds {
        // Any, so that it is always the same.
        let isFirst =
          new.superblock.deviceID.description < old.superblock.deviceID.description
        return isFirst ? index : best
      }
      return newSeconds > oldSeconds ? index : best
    }
  }

  private static func standing(of superblock: MDSuperblock, _ newest: MDSuperblock) -> Standing {
    if superblock.version == .v0_90 { return legacyStanding(of: superblock, newest) }
    switch newest.role(ofDevice: Int(superblock.deviceNumber)) {
    case .journal:
      // What it holds would be laid over members that have moved on (Linux: `super_1_validate`).
      return superblock.isStale(beside: newest)
        ? .stale(events: superblock.events, newest: newest.events) : .journal
    case .faulty:
      return superblock.isStale(beside: newest)
        ? .stale(events: superblock.events, newest: newest.events) : .failed
    case .spare:
      // One that thinks itself active while the newest does not know it has been taken out.
      if case .slot = superblock.role, superblock.events < newest.events {
        return .stale(events: superblock.events, newest: newest.events)
      }
      return .spare
    case .slot(let slot):
      // A spare is given a place by the others' superblocks first. Until its own knows, and says how much of
      // what belongs there it has, it has nothing. (Linux, too, goes by the member's own table.) Or somebody
      // else has its number.
      if superblock.role == .spare { return .spare }
      if superblock.isStale(beside: newest) {
        return .stale(events: superblock.events, newest: newest.events)
      }
      if superblock.role(ofDevice: Int(newest.deviceNumber)) == .faulty { return .split }
      let valid = Int(clamping: superblock.recoveryOffsetSectors).multipliedOrMax(by: 512)
      if superblock.features.contains(.replacement) {
        return .replacement(
          slot: slot, upTo: superblock.features.contains(.recoveryOffset) ? valid : Int.max)
      }
      if superblock.features.contains(.recoveryOffset) {
        return .rebuilding(slot: slot, upTo: valid)
      }
      return .active(slot: slot)
    }
  }

  private static func legacyStanding(
    of superblock: MDSuperblock, _ newest: MDSuperblock
  ) -> Standing {
    if superblock.isStale(beside: newest) {
      return .stale(events: superblock.events, newest: newest.events)
    }
    switch newest.role(ofDevice: Int(superblock.deviceNumber)) {
    case .slot(let slot): return .active(slot: slot)
    case .faulty: return .failed
    case .journal: return .journal
    case .spare: return .spare
    }
  }

  /// Which of what md demands to be the same on all members is not (`super_1_validate`; mdadm's `compare_super1`).
  private static func disagreement(_ a: MDSuperblock, _ b: MDSuperblock) -> String? {
    if a.level != b.level {
      "level"
    } else if a.layout != b.layout {
      "layout"
    } else if a.chunkSectors != b.chunkSectors {
      "chunk size"
    } else if a.creationTime != b.creationTime {
      "creation time"
    } else if a.sizeSectors != b.sizeSectors {
      "size"
    } else if a.slotCount != b.slotCount {
      "number of members"
    } else if a.version != b.version {
      "metadata version"
    } else if a.isReshaping != b.isReshaping {
      "reshape"
    } else {
      nil
    }
  }

  /// Slots without a member that could give all of its data. A replacement that has all of it may have been
  /// cut off before it was given the slot.
  package var slotsNotInSync: [Int] {
    holders.indices.filter { slot in
      if let index = holders[slot].member, case .active = standings[index] { return false }
      guard let index = holders[slot].replacement else { return true }
      return members[index].superblock.features.contains(.recoveryOffset)
    }
  }
}

extension MDSuperblock {
  /// Slots that somebody has by its role table.
  var listedSlots: Set<Int> {
    Set(
      roles.compactMap { role in
        if case .slot(let slot)? = MDRole(rawValue: role) { slot } else { nil }
      })
  }
}

extension Assembly.Standing {
  /// Whether the member takes part.
  package var isUsed: Bool {
    switch self {
    case .active, .rebuilding, .replacement, .spare, .journal: true
    case .failed, .stale, .split, .duplicate, .former, .unusable: false
    }
  }

  /// Whether it takes no part and nobody has taken its place: something for people to know.
  package var isMissed: Bool {
    if case .former = self { false } else { !isUsed }
  }
}

extension StartObstacle {
  /// The device bears no mark of a member at all.
  fileprivate var meansNoMember: Bool {
    if case .unreadableSuperblock(_, .absent) = self { true } else { false }
  }
}

extension MDSuperblock {
  /// Whether it goes on without a member, which has a slot by its own superblock.
  fileprivate func disowns(_ other: MDSuperblock) -> Bool {
    guard case .slot = other.role else { return false }
    return role(ofDevice: Int(other.deviceNumber)) == .faulty
  }

  /// More than one event behind. No sum: the count on a disk may be any number.
  fileprivate func isStale(beside newest: MDSuperblock) -> Bool {
    events < newest.events && newest.events - events > 1
  }
}

extension Int {
  /// The product, or `Int.max` when it does not fit.
  func multipliedOrMax(by factor: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
