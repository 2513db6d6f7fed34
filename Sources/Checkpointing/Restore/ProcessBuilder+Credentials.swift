import BinaryCodec
import LinuxSystem

extension ProcessBuilder {
  /// Gives the thread that calls the rights that it had: groups while that is still allowed, then users with
  /// all capabilities kept, then what takes a capability to set, and at last only those that it had.
  func setCredentials(of index: Int) throws(CheckpointError) {
    let thread = state.threads.indices.contains(index) ? state.threads[index] : nil
    let wanted = thread?.credentials ?? state.credentials
    guard wanted.users.count == 4, wanted.groups.count == 4, wanted.capabilities.count == 5 else {
      throw .malformed(.outOfRange(20))
    }
    let id = threads[index].id
    let status = try about(id) { () throws(SystemCallError) in try ProcessStatus(of: id) }
    var present = Credentials(of: status)
    present.secureBits = wanted.secureBits
    present.hasNoNewPrivileges = wanted.hasNoNewPrivileges
    if present != wanted || wanted.secureBits != 0 { try change(from: present, to: wanted) }
    if wanted.hasNoNewPrivileges {
      try call(.prctl, "prctl(PR_SET_NO_NEW_PRIVS)", 38, 1, 0, 0, 0)
    }
    // A change of users clears these two.
    var signal = thread?.parentDeathSignal ?? 0
    let isRoot = state.id == restoration.state.processes[0].id
    if isRoot, signal != 0, restoration.options.isDetached, !restoration.isInNamespace {
      restoration.warn(
        state.id, "PR_SET_PDEATHSIG",
        "it is not set, as the parent is now this command, which ends with --detach")
      signal = 0
    }
    // The first thread of the root has that of its stub.
    if signal != 0 || isRoot {
      try call(.prctl, "prctl(PR_SET_PDEATHSIG)", 1, UInt64(UInt32(bitPattern: signal)))
    }
    if state.isDumpable <= 1 {
      try call(.prctl, "prctl(PR_SET_DUMPABLE)", 4, UInt64(state.isDumpable))
    }
  }

  private func change(from present: Credentials, to wanted: Credentials) throws(CheckpointError) {
    if wanted.supplementaryGroups != present.supplementaryGroups {
      let groups = wanted.supplementaryGroups
      guard groups.count <= 65536 / 4 else { throw .malformed(.outOfRange(20)) }
      let bytes = groups.flatMap { UInt32(truncatingIfNeeded: $0).littleEndianBytes }
      try call(.setgroups, "setgroups", UInt64(groups.count), try put(bytes))
    }
    if wanted.groups != present.groups {
      try call(.setresgid, "setresgid", wanted.groups[0], wanted.groups[1], wanted.groups[2])
      if wanted.groups[3] != wanted.groups[1] { try call(.setfsgid, "setfsgid", wanted.groups[3]) }
    }
    if wanted.users != present.users {
      try call(.prctl, "prctl(PR_SET_KEEPCAPS)", 8, 1)
      try call(.setresuid, "setresuid", wanted.users[0], wanted.users[1], wanted.users[2])
      try call(.prctl, "prctl(PR_SET_KEEPCAPS)", 8, 0)
    }
    let (permitted, bounding) = (present.capabilities[1], present.capabilities[3])
    // What can be inherited must be in the bounding set, or have been inheritable when it was taken from there.
    try set(inheritable: wanted.capabilities[0], permitted: permitted, effective: permitted)
    if wanted.users != present.users, wanted.users[3] != wanted.users[1] {
      try setFileUser(wanted.users[3])
    }
    for capability in UInt64(0)..<64
    where (bounding & ~wanted.capabilities[3]) >> capability & 1 == 1 {
      try call(.prctl, "prctl(PR_CAPBSET_DROP)", 24, capability)
    }
    if wanted.secureBits != 0 {
      try call(.prctl, "prctl(PR_SET_SECUREBITS)", 28, UInt64(wanted.secureBits))
    }
    try set(
      inheritable: wanted.capabilities[0], permitted: wanted.capabilities[1],
      effective: wanted.capabilities[2])
    for capability in UInt64(0)..<64 where wanted.capabilities[4] >> capability & 1 == 1 {
      // PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE
      try call(.prctl, "prctl(PR_CAP_AMBIENT)", 47, 2, capability, 0, 0)
    }
  }

  /// setfsuid(2) does not say whether it did.
  private func setFileUser(_ user: UInt64) throws(CheckpointError) {
    try call(.setfsuid, "setfsuid", user)
    let present = try inside(id) { () throws(InjectionError) in
      try injector.callForResult(.setfsuid, [UInt64(UInt32.max)])
    }
    if UInt32(truncatingIfNeeded: present) == UInt32(truncatingIfNeeded: user) { return }
    throw .forbidden([
      Obstacle(
        id, "its rights", "it could not get user \(user) for its files",
        remedy: "restore it as root")
    ])
  }

  private func set(
    inheritable: UInt64, permitted: UInt64, effective: UInt64
  ) throws(CheckpointError) {
    let header = try put(words: [UInt64(0x2008_0522)])  // _LINUX_CAPABILITY_VERSION_3, this thread
    var bytes: [UInt8] = []
    for shift in [UInt64(0), 32] {
      for set in [effective, permitted, inheritable] {
        bytes += UInt32(truncatingIfNeeded: set >> shift).littleEndianBytes
      }
    }
    try call(.capset, "capset", header, try put(bytes, at: 64))
  }
}
