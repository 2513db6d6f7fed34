import BinaryCodec
import LinuxSystem

/// Whether this process can give the processes of a tree the rights that they had. Asked before any is made.
enum CredentialCheck {
  private static let remedy = "restore it as root"

  /// Throws `forbidden` with all that can't be given, in this process's own user namespace.
  static func require(_ state: CheckpointState) throws(CheckpointError) {
    let (own, effective) = try ourCredentials()
    func has(_ capability: UInt64) -> Bool { effective >> capability & 1 == 1 }
    let (setGroups, setUsers, setCapabilities) = (has(6), has(7), has(8))
    try collect(state) { wanted in
      var reasons: [String] = []
      if !setUsers, !Set(wanted.users).isSubset(of: own.users) {
        reasons.append(users(wanted) + ", which wants CAP_SETUID")
      }
      if !setGroups, !Set(wanted.groups).isSubset(of: own.groups) {
        reasons.append(groups(wanted) + ", which wants CAP_SETGID")
      }
      if !setGroups, wanted.supplementaryGroups.sorted() != own.supplementaryGroups.sorted() {
        reasons.append(supplementary(wanted) + ", and other ones want CAP_SETGID")
      }
      if wanted.capabilities[1] & ~own.capabilities[1] != 0 {
        reasons.append("it had capabilities that ftool does not have")
      }
      if !setCapabilities, own.capabilities[3] & ~wanted.capabilities[3] != 0 {
        reasons.append("it could not get some capabilities that ftool can, which wants CAP_SETPCAP")
      }
      return reasons
    }
  }

  /// The same in a user namespace where nobody is known but the user and group of this process.
  static func requireInUserNamespace(_ state: CheckpointState) throws(CheckpointError) {
    let (own, _) = try ourCredentials()
    try collect(state) { wanted in
      var reasons: [String] = []
      if Set(wanted.users) != [own.users[1]] {
        reasons.append(users(wanted) + ", and without privileges it can only be \(own.users[1])")
      }
      if Set(wanted.groups) != [own.groups[1]] {
        reasons.append(groups(wanted) + ", and without privileges it can only be \(own.groups[1])")
      }
      if wanted.supplementaryGroups.sorted() != own.supplementaryGroups.sorted() {
        reasons.append(supplementary(wanted) + ", and without privileges they are those of ftool")
      }
      if wanted.capabilities[1] != 0 {
        reasons.append("it had capabilities, which without privileges are worth nothing")
      }
      return reasons
    }
  }

  /// Throws `forbidden` with all files and shared memory that this process may not make as they were.
  static func requireObjects(_ restoration: Restoration) throws(CheckpointError) {
    let (own, effective) = try ourCredentials()
    let mayChoose = try mayChooseNumbers()
    let mayGiveAway = effective & 1 == 1  // CAP_CHOWN
    var obstacles: [Obstacle] = []
    for object in restoration.state.objects {
      if object.kind == .systemV, !mayChoose {
        obstacles.append(
          Obstacle(
            ProcessID(0), "System V shared memory \(object.id)", "its number may not be chosen",
            remedy: "restore it as root or with CAP_CHECKPOINT_RESTORE"))
      }
      let isOurs =
        own.users[3] == object.user
        && (own.groups + own.supplementaryGroups).contains(UInt64(object.group))
      guard !mayGiveAway, !isOurs, isMadeAsItsOwners(object, restoration) else { continue }
      obstacles.append(
        Obstacle(
          ProcessID(0), restoration.place(of: object.name),
          "it belonged to user \(object.user) and group \(object.group), which wants CAP_CHOWN to set",
          remedy: remedy))
    }
    if !obstacles.isEmpty { throw .forbidden(obstacles) }
  }

  private static func isMadeAsItsOwners(_ object: ObjectState, _ restoration: Restoration) -> Bool {
    switch object.kind {
    case .deletedFile, .namelessFile: true
    case .copiedFile: [.returns, .replaced].contains(restoration.fate(of: object.name))
    case .anonymous, .memoryFile, .systemV, .namedFile: false
    }
  }

  /// Whether this process may choose the numbers of processes (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE).
  static func mayChooseNumbers() throws(CheckpointError) -> Bool {
    let (_, effective) = try ourCredentials()
    return effective >> 21 & 1 == 1 || effective >> 40 & 1 == 1
  }

  private static func ourCredentials() throws(CheckpointError) -> (Credentials, UInt64) {
    let status = try about(nil) { () throws(SystemCallError) in try ProcessStatus(of: .current) }
    let own = Credentials(of: status)
    guard own.users.count == 4, own.groups.count == 4 else {
      preconditionFailure("/proc tells four users and groups")
    }
    return (own, own.capabilities[2])
  }

  private static func collect(
    _ state: CheckpointState, _ reasons: (Credentials) -> [String]
  ) throws(CheckpointError) {
    var obstacles: [Obstacle] = []
    for process in state.processes {
      for wanted in [process.credentials] + process.threads.compactMap(\.credentials) {
        guard wanted.users.count == 4, wanted.groups.count == 4, wanted.capabilities.count == 5
        else {
          throw .malformed(.outOfRange(20))
        }
        obstacles += reasons(wanted).map {
          Obstacle(ProcessID(process.id), "its rights", $0, remedy: remedy)
        }
      }
    }
    if !obstacles.isEmpty { throw .forbidden(obstacles) }
  }

  private static func users(_ credentials: Credentials) -> String {
    "it ran as user \(list(credentials.users))"
  }

  private static func groups(_ credentials: Credentials) -> String {
    "it ran as group \(list(credentials.groups))"
  }

  private static func supplementary(_ credentials: Credentials) -> String {
    credentials.supplementaryGroups.isEmpty
      ? "it had no supplementary groups"
      : "it had the supplementary groups \(list(credentials.supplementaryGroups))"
  }

  private static func list(_ numbers: [UInt64]) -> String {
    Set(numbers).sorted().map(String.init).joined(separator: ", ")
  }
}
