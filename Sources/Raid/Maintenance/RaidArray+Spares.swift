import RaidGeometry

extension RaidArray {
  /// Puts spares into the slots of members that have failed while the array was open, to be filled by a rebuild: what
  /// is written from now on is written to them, too. An array that is closed already, as it is when a reshape has
  /// begun, takes none.
  ///
  /// - Returns: which spare has taken which slot, and the place of whom.
  package func takeSpares() throws(RaidError) -> [(slot: Int, spare: String, failed: String)] {
    guard members.isWritable, obstacle == nil, newMembers == nil, shape.redundancy > 0,
      !isClosed
    else { return [] }
    var taken: [(slot: Int, spare: String, failed: String)] = []
    for (slot, holder) in members.slots.enumerated() {
      guard let member = holder.member, member.isFailed, holder.replacement == nil,
        let spare = members.spares.first(where: { !$0.isFailed })
      else { continue }
      try promoteSpare(named: spare.name, toSlot: slot)
      taken.append((slot, spare.name, member.name))
    }
    return taken
  }
}
