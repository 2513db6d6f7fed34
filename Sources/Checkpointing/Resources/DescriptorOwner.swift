import LinuxSystem

/// Who gets a signal when something happens to a descriptor: F_SETOWN_EX, F_SETSIG and O_ASYNC.
enum DescriptorOwner {
  static func note(
    _ seen: SeenDescriptor, in state: inout DescriptionState
  ) throws(CheckpointError) {
    let owner = try about(seen.process) { () throws(SystemCallError) in try seen.copy.owner() }
    if owner.number != 0 {
      state.owner = [UInt64(owner.kind), UInt64(UInt32(bitPattern: owner.number))]
    }
    state.ownerSignal = try about(seen.process) { () throws(SystemCallError) in
      UInt32(truncatingIfNeeded: try seen.copy.control(getSignal))
    }
  }

  static func check(_ tree: TreeCapture) throws(CheckpointError) {
    let threads = tree.captures.flatMap { $0.process.threads.map(\.id) }
    let groups = tree.captures.map { $0.process.status.processGroup }
    for (seen, state) in zip(tree.seen, tree.descriptions) where state.owner.count == 2 {
      // What leads outside keeps nothing of this.
      if state.kind == ExternalFile.name { continue }
      if seen.details.kind == .directory {
        throw seen.obstacle(
          "it has notifications of F_NOTIFY, which the kernel does not tell of",
          remedy: "let the program close it first")
      }
      let owner = ProcessID(Int32(truncatingIfNeeded: state.owner[1]))
      let isInside = state.owner[0] == 2 ? groups.contains(owner) : threads.contains(owner)
      if !isInside {
        throw seen.obstacle("its signals go to process \(owner), which is outside of the tree")
      }
    }
  }

  static let setFlags: Int32 = 4
  static let setSignal: Int32 = 10
  static let getSignal: Int32 = 11
  static let setOwner: Int32 = 15
}

extension ProcessBuilder {
  /// Who shall get signals, once there are some.
  func setOwners() throws(CheckpointError) {
    for (number, description) in ownDescriptions() {
      if description.owner.count == 2 {
        let owner = try put(
          words: [description.owner[0] & 0xffff_ffff | description.owner[1] << 32])
        try call(.fcntl, "fcntl(F_SETOWN_EX)", number, UInt64(DescriptorOwner.setOwner), owner)
      }
      if description.ownerSignal != 0 {
        try call(
          .fcntl, "fcntl(F_SETSIG)", number, UInt64(DescriptorOwner.setSignal),
          UInt64(description.ownerSignal))
      }
    }
  }

  /// From here on signals are sent: to be called when all processes have their descriptors and nobody else has them,
  /// so that nothing that was done before is told.
  func beginSignalling() throws(CheckpointError) {
    let asking = ownDescriptions().filter { $0.1.flags & OpenFlags.signalling != 0 }
    if asking.isEmpty { return }
    try take()
    for (number, description) in asking {
      try call(
        .fcntl, "fcntl(F_SETFL)", number, UInt64(DescriptorOwner.setFlags),
        UInt64(description.flags))
    }
    try inside(id) { () throws(InjectionError) in try injector.leave() }
  }

  /// What this process is the first to have, each under the lowest of its numbers. The signal will tell the number
  /// under which it was asked for, so a process asks that has one.
  private func ownDescriptions() -> [(UInt64, DescriptionState)] {
    var done: Set<UInt32> = []
    return state.descriptors.sorted { $0.number < $1.number }.compactMap { descriptor in
      guard let description = restoration.description(descriptor.description),
        description.kind != ExternalFile.name, done.insert(descriptor.description).inserted,
        restoration.firstHolder(of: descriptor.description) == state.id
      else { return nil }
      return (UInt64(UInt32(bitPattern: descriptor.number)), description)
    }
  }
}
