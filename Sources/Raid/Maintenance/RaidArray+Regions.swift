import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// Members of which nothing of ours is known any more: their headers are damaged, or another system took them into an
/// array whose other members keep sums.
extension RaidArray {
  /// Members that keep no sums although the array's do.
  package var membersLackingSums: [String] { lackingMembers.map(\.member.name) }

  private var lackingMembers: [(slot: Int, member: Member)] {
    members.slots.enumerated().flatMap { slot, holders in
      holders.writable.filter(\.lacksSums).map { (slot, $0) }
    }
  }

  /// Gives these members regions of ours anew, behind their data, which stays as it is: of none of it is the sum known
  /// until a scrub has compared it. Sums are kept there from the next time on that the array is opened.
  ///
  /// The header comes last, so that one that is cut off has changed nothing.
  ///
  /// - Returns: the names of those that have them now; the others have no room.
  package func renewRegions() throws(RaidError) -> [String] {
    if let obstacle { throw .readOnly(obstacle) }
    if isReshaping { throw .readOnly(.reshaping) }
    var made: [(slot: Int, member: Member, header: RegionHeader)] = []
    for (slot, member) in lackingMembers {
      guard let new = renewed(member, slot: slot), let header = new.header else { continue }
      do throws(DeviceError) {
        try new.prepareRegions()
        try new.member(slot: slot).sums?.distrustAll()
        if !new.superblock.features.contains(.bitmap) {
          try new.writeBitmap(shape: shape, hasBitmap: false, marksEverything: false)
        }
        try new.device.flush()
      } catch {
        throw .member(name: member.name, error)
      }
      made.append((slot, member, header))
    }
    guard !made.isEmpty else { return [] }
    try beginChanging()
    // A header counts as ours by the mark that the superblock has already.
    try members.commit(MemberSet.Change(), intent: intent)
    for (_, member, header) in made { member.record.state.withLock { $0.header = header } }
    try intent?.writeAll { (page, range) throws(RaidError) in
      try members.storeIntent(page, range, isOurs: intent?.isOurs ?? false)
    }
    for (slot, member, _) in made {
      try members.copyEvents(to: member)
      members.note(.regionsRenewed, slot: slot, member: member)
    }
    try storeRoster()
    var change = MemberSet.Change()
    if foundForeignWrite { change.sumsAreStale = true }
    try members.commit(change, intent: intent)
    return made.map(\.member.name)
  }

  /// The member with regions behind the data that it has; nil where they have no room.
  private func renewed(_ member: Member, slot: Int) -> NewMember? {
    let superblock = member.superblock
    var wanted = regionRequest(like: superblock)
    wanted.dataOffset = Int(superblock.dataOffsetSectors) * 512
    wanted.dataByteLimit = member.dataByteCount
    // As much as there is of the others, if that is less.
    var smaller = wanted
    let headers = members.active.compactMap(\.header)
    smaller.journalByteCount = headers.compactMap { $0.range(of: .journal)?.count }.min()
    smaller.hasBlanks = headers.allSatisfy { $0.range(of: .blanks) != nil }
    // Others may have put md's bitmap anywhere.
    let bitmap = superblock.bitmapSector.map { $0 * 512..<$0 * 512 + max(4096, bitmapByteCount) }
    for request in [wanted, smaller] {
      guard
        let layout = MemberLayout(memberByteCount: member.device.byteCount, request: request),
        layout.dataByteCount == member.dataByteCount
      else { continue }
      let new = NewMember(
        member.device, layout: layout, template: superblock,
        deviceNumber: Int(superblock.deviceNumber), deviceID: superblock.deviceID, slot: slot,
        hasBadBlockLog: false, isJournaled: journal != nil)
      guard let header = new.header,
        header.fits(superblock, deviceByteCount: member.device.byteCount),
        !header.regions.contains(where: { bitmap?.overlaps($0.range) == true })
      else { continue }
      return new
    }
    return nil
  }
}
