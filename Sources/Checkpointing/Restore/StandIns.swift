import LinuxSystem
import SystemPackage

/// Has processes of the tree make calls by which the kernel notes who made them, such as those that
/// SO_PEERCRED tells of. In the place of one that has ended since, another stands for a moment that has its
/// number and its rights.
final class StandIns {
  private let builders: [ProcessBuilder]
  private let restoration: Restoration
  /// Those that are there only for this.
  private var temporary: [Int32: ProcessBuilder] = [:]
  private var taken: Set<Int32> = []

  init(_ builders: [ProcessBuilder], _ restoration: Restoration) {
    (self.builders, self.restoration) = (builders, restoration)
  }

  /// Calls `body` with a process that has the identity as its own.
  func perform<Value: ~Copyable>(
    as identity: PeerIdentity, _ body: (ProcessBuilder) throws(CheckpointError) -> Value
  ) throws(CheckpointError) -> Value {
    guard let caller = try process(identity.process) ?? builders.first else {
      throw .inconsistent(.noProcess)
    }
    let own = try Credentials(
      of: about(caller.id) { () throws(SystemCallError) in
        try ProcessStatus(of: caller.id)
      })
    guard try take(identity, caller, from: own) else { return try body(caller) }
    let result: Value
    do throws(CheckpointError) {
      result = try body(caller)
    } catch {
      try? giveBack(own, caller)
      throw error
    }
    try giveBack(own, caller)
    return result
  }

  /// The process with this number, a temporary one if none of the tree has it; nil where that can't be.
  private func process(_ number: Int32) throws(CheckpointError) -> ProcessBuilder? {
    if let builder = builders.first(where: { $0.state.id == number }) { return builder }
    if let builder = temporary[number] { return builder }
    guard number > 0, let root = builders.first, !taken.contains(number),
      !restoration.state.processes.contains(where: {
        $0.id == number || $0.threads.contains { $0.id == number }
      })
    else { return nil }
    var state = ProcessState()
    state.id = number
    state.exitSignal = 0
    do throws(CheckpointError) {
      let builder = try ProcessBuilder(state, stub: root.makeChild(state), restoration)
      temporary[number] = builder
      try builder.enter()
      return builder
    } catch {
      guard case .numberTaken = error else { throw error }
      taken.insert(number)
      return nil
    }
  }

  /// The process of the tree that has the number.
  func member(_ number: Int32) -> ProcessBuilder? {
    builders.first { $0.state.id == number }
  }

  /// A process that can open what /proc tells of the one with the number: itself, or another where it is one of
  /// those that have ended.
  func witness(of number: Int32) -> ProcessBuilder? {
    let isZombie = restoration.state.processes.contains {
      $0.id == number && $0.life == .zombie
    }
    return isZombie ? builders.first : member(number)
  }

  /// Makes sure that the number means some process, for those who name one; returns what it is for us.
  func require(_ number: Int32) throws(CheckpointError) -> ProcessID? {
    number > 0 ? try process(number)?.id : nil
  }

  /// Whether the caller has to be given back its own rights.
  private func take(
    _ identity: PeerIdentity, _ caller: ProcessBuilder, from own: Credentials
  ) throws(CheckpointError) -> Bool {
    if caller.state.id != identity.process {
      restoration.warn(
        caller.state.id, "a Unix socket",
        "process \(identity.process) had made it, whose number is another's now; its other end is told"
          + " that this process did")
    }
    let groups = identity.supplementaryGroups.map(UInt64.init)
    let isOwn =
      own.users[1] == UInt64(identity.user) && own.groups[1] == UInt64(identity.group)
    if isOwn && own.supplementaryGroups == groups { return false }
    let result = try inside(caller.id) { () throws(InjectionError) -> Int in
      try setGroups(groups, caller)
      let group = try caller.injector.callForResult(
        .setresgid, [.max, UInt64(identity.group), .max])
      let user = try caller.injector.callForResult(.setresuid, [.max, UInt64(identity.user), .max])
      // Files are found with the rights that we have.
      _ = try caller.injector.callForResult(.setfsuid, [own.users[1]])
      _ = try caller.injector.callForResult(.setfsgid, [own.groups[1]])
      return min(group, user)
    }
    if result < 0 {
      restoration.warn(
        caller.state.id, "a Unix socket",
        "its other end is told another user and group than \(identity.user) and \(identity.group),"
          + " which can't be had here")
    }
    return true
  }

  private func setGroups(
    _ groups: [UInt64], _ caller: ProcessBuilder
  ) throws(InjectionError) {
    guard groups.count <= 4096 else { return }
    let list = try caller.injector.put(
      groups.flatMap { UInt32(truncatingIfNeeded: $0).littleEndianBytes })
    _ = try caller.injector.callForResult(.setgroups, [UInt64(groups.count), list])
  }

  private func giveBack(
    _ own: Credentials, _ caller: ProcessBuilder
  ) throws(CheckpointError) {
    try inside(caller.id) { () throws(InjectionError) in
      _ = try caller.injector.callForResult(.setresuid, [.max, own.users[1], .max])
      _ = try caller.injector.callForResult(.setresgid, [.max, own.groups[1], .max])
      try setGroups(own.supplementaryGroups, caller)
    }
  }

  /// Ends those that are only here for this.
  func dismiss() throws(CheckpointError) {
    for builder in temporary.values {
      end(builder)
      guard let root = builders.first else { continue }
      // __WALL
      try root.call(
        .wait4, "wait4", UInt64(UInt32(bitPattern: builder.state.id)), 0, 0x4000_0000, 0)
    }
    temporary = [:]
  }

  func abandon() {
    for builder in temporary.values { end(builder) }
    temporary = [:]
  }

  private func end(_ builder: ProcessBuilder) {
    try? builder.id.send(signal: 9)
    while let stop = try? builder.leader.wait(), !stop.isEnd {}
  }
}
