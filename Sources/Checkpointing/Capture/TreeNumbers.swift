import LinuxSystem

/// By which numbers the processes of a tree know each other and themselves: those of their own pid namespace,
/// which may be one below ours. These are what a checkpoint keeps.
struct TreeNumbers {
  /// The processes live in our own pid namespace.
  let areOurs: Bool
  /// Theirs by ours: of processes, threads, groups and sessions.
  private var inside: [Int32: Int32] = [:]

  /// How many namespaces there are from ours to theirs.
  private let depth: Int

  /// Of processes that stand still, the root first. Whether all of them live in one namespace is for
  /// `NamespaceCheck` to say.
  init(_ processes: [FrozenProcess]) throws(CheckpointError) {
    depth = processes.first?.status.nestedNumbers.count ?? 1
    areOurs = depth <= 1
    if areOurs { return }
    for process in processes {
      let status = process.status
      add(status.nestedNumbers)
      add(status.nestedProcessGroups)
      add(status.nestedSessions)
      for thread in process.threads where thread.id != process.id {
        add(
          try about(process.id) { () throws(SystemCallError) in
            try ProcessStatus(of: thread.id).nestedNumbers
          })
      }
    }
  }

  private mutating func add(_ nested: [Int32]) {
    if nested.count >= depth { inside[nested[0]] = nested[depth - 1] }
  }

  /// What the tree calls one of its processes, threads, groups or sessions; 0 for what is outside of its
  /// namespace.
  func number(_ ours: Int32) -> Int32 { areOurs ? ours : inside[ours] ?? 0 }

  func number(_ ours: UInt64) -> UInt64 {
    areOurs ? ours : UInt64(UInt32(bitPattern: number(Int32(truncatingIfNeeded: ours))))
  }

  /// All that is kept of numbers but what only a kind of descriptor knows.
  func translate(_ state: inout CheckpointState) {
    if areOurs { return }
    let all = Set(state.processes.map { number($0.id) })
    for index in state.processes.indices { translate(&state.processes[index], all) }
    for index in state.descriptions.indices where state.descriptions[index].owner.count == 2 {
      state.descriptions[index].owner[1] = number(state.descriptions[index].owner[1])
    }
  }

  /// Groups and sessions outside have no number inside, but are to be told from each other.
  private func groupNumber(_ ours: Int32, _ all: Set<Int32>) -> Int32 {
    let inside = number(ours)
    return inside == 0 && !all.contains(ours) ? ours : inside
  }

  private func translate(_ process: inout ProcessState, _ all: Set<Int32>) {
    process.id = number(process.id)
    process.parent = number(process.parent)
    process.processGroup = groupNumber(process.processGroup, all)
    process.session = groupNumber(process.session, all)
    process.sharing.memory = number(process.sharing.memory)
    process.sharing.descriptors = number(process.sharing.descriptors)
    process.sharing.filesystem = number(process.sharing.filesystem)
    process.sharing.signalActions = number(process.sharing.signalActions)
    process.foregroundGroup = number(process.foregroundGroup)
    for index in process.threads.indices {
      process.threads[index].id = number(process.threads[index].id)
    }
    for index in process.timers.indices where process.timers[index].thread != 0 {
      process.timers[index].thread = number(process.timers[index].thread)
    }
  }
}
