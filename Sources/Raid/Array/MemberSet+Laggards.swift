import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

extension MemberSet {
  /// Gives those whom an update that was cut off has not reached what the others' superblocks say.
  ///
  /// They are one event behind, and as good as the others. Were these written once more first, and that
  /// update cut off as well, then they would be two behind, and out of date for ever.
  ///
  /// Spares have nothing to lose, and may not learn that they have a slot before they are told how much of
  /// it they hold.
  func bringUpLaggards() throws(RaidError) {
    let active = active
    guard let newest = active.map(\.superblock).max(by: { $0.events < $1.events }) else { return }
    let laggards = active.filter { member in
      let superblock = member.superblock
      // One that is just coming in does not say of itself yet that it has nothing.
      return superblock.events < newest.events
        && (member.isInSync || superblock.features.contains(.recoveryOffset))
    }
    for member in laggards {
      member.record.state.withLock { state in
        state.superblock.events = newest.events
        state.superblock.resyncOffsetSectors = newest.resyncOffsetSectors
        state.superblock.roles = newest.roles
        for feature in [.writeJournal, .takingBack] as [MDFeatures] {
          state.superblock.features.set(feature, newest.features.contains(feature))
        }
        member.dropMarker(&state)
      }
    }
    try onEach(laggards) { (member) throws(DeviceError) in
      try member.storeSuperblock()
      try member.device.flush()
    }
  }
}
