import LinuxSystem

/// Makes all processes of a tree, as stubs that have their parents and sessions and share what they shared.
struct TreeBirth {
  private(set) var builders: [ProcessBuilder] = []
  private(set) var zombies: [ProcessBuilder] = []
  private let restoration: Restoration
  private var known: [Int32: ProcessBuilder] = [:]
  private var states: [Int32: ProcessState] = [:]

  init(_ restoration: Restoration) {
    self.restoration = restoration
    for state in restoration.state.processes { states[state.id] = state }
  }

  /// The root is made from its stub. What was made is in `builders` and `zombies`, also when it throws.
  mutating func makeAll(root: ProcessState, _ thread: TracedThread) throws(CheckpointError) {
    let plan = BirthPlan(
      restoration.state.processes, isDetached: restoration.options.isDetached)
    guard plan.impossible.isEmpty else { throw .inconsistent(.unknownParent) }
    try add(root, thread, injector: nil)
    for step in plan.steps {
      switch step {
      case .make(let child, let maker, let isSibling, let sharing):
        guard let state = states[child] else { throw .inconsistent(.unknownParent) }
        let builder = try known(maker)
        let thread = try builder.makeChild(state, isSibling: isSibling, sharing: sharing)
        let hasMemory = sharing & ProcessBuilder.sharedMemory == 0
        try add(state, thread, injector: hasMemory ? nil : builder.injector)
      case .lead(let process):
        try known(process).startSession()
        try known(process).takeTerminal()
      case .makeLeader(let session, let parent, let exitSignal):
        let leader = try known(parent).makeTransient(session, exitSignal: exitSignal)
        known[session] = leader
        try leader.startSession()
      case .endLeader(let session, let parent):
        try known(parent).endTransient(try known(session))
        known[session] = nil
      }
    }
  }

  private func known(_ process: Int32) throws(CheckpointError) -> ProcessBuilder {
    guard let builder = known[process] else { throw .inconsistent(.unknownParent) }
    return builder
  }

  private mutating func add(
    _ state: ProcessState, _ thread: TracedThread, injector: CallInjector?
  ) throws(CheckpointError) {
    let builder = try ProcessBuilder(state, stub: thread, restoration, injector: injector)
    known[state.id] = builder
    if state.life == .zombie { zombies.append(builder) } else { builders.append(builder) }
    try builder.enter()
  }
}
