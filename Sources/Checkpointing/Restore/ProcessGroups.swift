import LinuxSystem

/// Puts processes into their groups. A group whose leader has ended is begun by one that is made for that and
/// ends again.
enum ProcessGroups {
  static func restore(
    _ builders: [ProcessBuilder], _ state: CheckpointState
  ) throws(CheckpointError) {
    // Who leads a session leads a group of its own, and stays there.
    let movable = builders.filter { !$0.leadsSession && $0.state.session != $0.state.id }
    for builder in movable where builder.state.processGroup == builder.state.id {
      try builder.joinGroup()
    }
    let ids = Set(state.processes.map(\.id))
    var begun: [Int32: (leader: ProcessBuilder, maker: ProcessBuilder)] = [:]
    for builder in movable {
      let group = builder.state.processGroup
      // Where nobody of the tree leads it, the root's group and that of a session are where one is born.
      if !ids.contains(group) && group != state.processes[0].processGroup
        && group != builder.state.session && begun[group] == nil
      {
        let leader = try builder.makeTransient(group, exitSignal: 0)
        try leader.joinGroup()
        begun[group] = (leader, builder)
      }
      if group != builder.state.id, ids.contains(group) || begun[group] != nil {
        try builder.joinGroup()
      }
    }
    for (leader, maker) in begun.values { try maker.endTransient(leader) }
    for builder in builders { try builder.requirePlace(ids) }
  }
}

extension ProcessBuilder {
  /// Whether it is where it was among the processes of the tree.
  fileprivate func requirePlace(_ ids: Set<Int32>) throws(CheckpointError) {
    let id = id
    let wanted = [state.session, state.processGroup]
    let present = try inside(id) { () throws(InjectionError) in
      let session = try callHere(.getsid)
      return [session, try callHere(.getpgid)]
    }
    for (want, have) in zip(wanted, present) where ids.contains(want) && Int(want) != have {
      throw .obstacles([
        Obstacle(id, "its session or process group", "it is \(have) instead of \(want)")
      ])
    }
  }
}
