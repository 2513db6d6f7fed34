/// In which order the processes of a tree are made, and by whom, so that each has the parent and the session
/// that it had and shares with others what it shared.
///
/// A process gets its session from the one that makes it, and shares with that one or with nobody. Most are
/// made by their parent. One that a subreaper has taken in may have a session that its parent is not in: it is
/// made by a brother or sister in that session (CLONE_PARENT), or where the session's leader has ended by one
/// that is made to lead it and ends again.
struct BirthPlan {
  enum Step: Equatable {
    /// `maker` makes a child, or with `isSibling` a sibling, that shares with it what clone(2)'s flags say.
    case make(Int32, maker: Int32, isSibling: Bool, sharing: UInt64)
    /// A process becomes the leader of a session of its own.
    case lead(Int32)
    /// `parent` makes a process that leads a session for a while. Its children end with this signal.
    case makeLeader(Int32, parent: Int32, exitSignal: Int32)
    case endLeader(Int32, parent: Int32)
  }

  private(set) var steps: [Step] = []
  /// Processes that nobody can make as they were: numbers, and what is the matter.
  private(set) var impossible: [(process: Int32, reason: String)] = []

  private let processes: [ProcessState]
  private let ids: Set<Int32>
  private let isDetached: Bool
  /// The session of each process that is there by now.
  private var sessions: [Int32: Int32] = [:]
  /// Who leads one already.
  private var leading: Set<Int32> = []

  /// - Parameter isDetached: the root leads a session of its own where its session is not in the tree.
  init(_ processes: [ProcessState], isDetached: Bool) {
    self.processes = processes
    self.isDetached = isDetached
    ids = Set(processes.map(\.id))
    guard let root = processes.first else { return }
    // Numbers are positive: a root that leads was born into a session that nobody else has.
    sessions[root.id] = root.session == root.id ? 0 : root.session
    // In the order of the image, so that the memory of a parent is there before its children are made.
    for process in processes where sessions[process.id] != nil { bear(process) }
  }

  /// Whether a brother or sister makes it.
  func isMadeBySibling(_ process: Int32) -> Bool {
    steps.contains {
      guard case .make(process, let maker, true, _) = $0 else { return false }
      return ids.contains(maker)
    }
  }

  private var root: ProcessState { processes[0] }

  private mutating func bear(_ parent: ProcessState) {
    let children = processes.dropFirst().filter { $0.parent == parent.id }
    let birth = sessions[parent.id]
    let leads = parent.session == parent.id && !leading.contains(parent.id)
    var rest: [ProcessState] = []
    for child in children {
      // Born before the parent left for a session of its own.
      let isEarly = leads && child.session == birth && child.session != parent.id
      if !isEarly || !make(child, under: parent) { rest.append(child) }
    }
    if leads || (parent.id == root.id && isDetached && !ids.contains(parent.session)) {
      lead(parent)
    }
    // Some can be made only when others are there.
    while !rest.isEmpty {
      let waiting = rest
      rest = []
      for child in waiting where !make(child, under: parent) { rest.append(child) }
      if rest.count == waiting.count {
        for child in rest {
          impossible.append(
            (
              child.id,
              "its session, and what it shares with other processes, come from different ones"
            ))
        }
        return
      }
    }
  }

  /// Returns whether somebody could.
  private mutating func make(_ child: ProcessState, under parent: ProcessState) -> Bool {
    let siblings = processes.filter {
      $0.parent == parent.id && sessions[$0.id] != nil
        && $0.exitSignal == child.exitSignal && $0.id != root.id
    }
    for maker in [parent] + siblings {
      guard isRight(sessions[maker.id], for: child), let flags = sharing(of: child, with: maker)
      else { continue }
      // CLONE_SIGHAND is nothing without CLONE_VM.
      if flags & 0x800 != 0 && flags & 0x100 == 0 { continue }
      steps.append(
        .make(child.id, maker: maker.id, isSibling: maker.id != parent.id, sharing: flags))
      settle(child, sessions[maker.id])
      return true
    }
    let session = child.session
    guard !ids.contains(session), session != root.session,
      child.sharing.things.allSatisfy({ $0.owner == 0 })
    else { return false }
    steps += [
      .makeLeader(session, parent: parent.id, exitSignal: child.exitSignal),
      .make(child.id, maker: session, isSibling: true, sharing: 0),
      .endLeader(session, parent: parent.id),
    ]
    settle(child, session)
    return true
  }

  /// It is there; whoever leads a session and has no children from before begins it at once.
  private mutating func settle(_ child: ProcessState, _ session: Int32?) {
    sessions[child.id] = session
    let hasEarly = processes.contains { $0.parent == child.id && $0.session == session }
    if child.session == child.id && !hasEarly { lead(child) }
  }

  private mutating func lead(_ process: ProcessState) {
    if !leading.insert(process.id).inserted { return }
    steps.append(.lead(process.id))
    sessions[process.id] = process.session
  }

  private func isRight(_ session: Int32?, for child: ProcessState) -> Bool {
    child.session == child.id || child.session == session
  }

  /// What a child of this maker is to share with it; nil where it shares with somebody who is there already,
  /// and not with the maker.
  private func sharing(of child: ProcessState, with maker: ProcessState) -> UInt64? {
    var flags: UInt64 = 0
    for (one, other) in zip(child.sharing.things, maker.sharing.things) {
      let thing = one.owner == 0 ? child.id : one.owner
      if thing == (other.owner == 0 ? maker.id : other.owner) {
        flags |= one.flag
      } else if thing != child.id && sessions.keys.contains(where: { has($0, thing, one.flag) }) {
        return nil
      }
    }
    return flags
  }

  private func has(_ process: Int32, _ thing: Int32, _ flag: UInt64) -> Bool {
    if process == thing { return true }
    return processes.first { $0.id == process }?.sharing.things
      .contains { $0.flag == flag && $0.owner == thing } ?? false
  }
}
