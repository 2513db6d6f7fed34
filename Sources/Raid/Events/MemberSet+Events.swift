import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization
import SystemPackage

extension MemberSet {
  /// Remembers that something happened, until the members are next written to.
  ///
  /// - Parameter member: whom it concerns.
  func note(
    _ kind: ArrayEvent.Kind, cause: UInt32 = 0, slot: Int? = nil, member: Member? = nil,
    counts: ArrayEvent.Counts = .init(), at time: (seconds: UInt64, microseconds: UInt32)? = nil
  ) {
    let now = Machine.now()
    var event = ArrayEvent(
      kind, cause: cause, slot: slot, counts: counts,
      at: time ?? (UInt64(now.seconds), UInt32(now.microseconds)))
    if let member {
      event.memberID = member.superblock.deviceID
      event.memberName = member.name
    }
    events.add(event)
  }

  /// Remembers what happened to a member that takes no part.
  func note(_ kind: ArrayEvent.Kind, cause: UInt32 = 0, probe: MemberProbe) {
    let now = Machine.now()
    var event = ArrayEvent(
      kind, cause: cause, at: (UInt64(now.seconds), UInt32(now.microseconds)))
    if case .slot(let slot) = probe.superblock.role { event.slot = slot }
    event.memberID = probe.superblock.deviceID
    event.memberName = probe.name
    events.add(event)
  }

  /// Remembers that a member has failed, and why.
  ///
  /// - Parameter slot: where it was.
  func noteFailure(of member: Member, slot: Int?, _ cause: DeviceError) {
    let (reason, offset): (ArrayEvent.FailureCause, Int) =
      switch cause {
      case .unreadable(let offset, _): (.unreadable, offset)
      case .unwritable(let offset, _): (.unwritable, offset)
      case .full(let offset): (.full, offset)
      case .flushFailed: (.flushFailed, 0)
      case .gone: (.gone, 0)
      case .truncated(let offset): (.truncated, offset)
      }
    note(
      .memberFailed, cause: reason.rawValue, slot: slot, member: member,
      counts: .init(Int(cause.errno?.rawValue ?? 0), offset))
  }

  /// Writes what waits to the rings of these members, which are to be flushed after.
  func storeEvents(on keepers: [Member]) throws(RaidError) {
    try events.write(for: keepers) { (waiting) throws(RaidError) in
      try onEach(keepers) { (member) throws(DeviceError) in
        try member.eventRing?.write(waiting)
      }
    }
  }

  /// Gives a member that comes the history that the others have, so that it is not lost with them.
  func copyEvents(to member: Member) throws(RaidError) {
    guard let ring = member.eventRing else { return }
    let known = (active + spares).filter { $0 !== member }.compactMap { $0.eventRing?.read() }
    let history = [ArrayEvent].merging(known)
    if history.isEmpty { return }
    try onEach([member]) { (_) throws(DeviceError) in try ring.write(history) }
  }
}
