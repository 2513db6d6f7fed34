import LinuxSystem

/// Makes all processes of a tree, as stubs that have their parents and sessions and share what they shared.
struct TreeBirth {
  private(set) var builders: [ProcessBuilder] = []
  private(set) var zombies: [ProcessBuilder] = []
  private let restoration: Restoration
  private var known: [Int32: ProcessBuilder] = [:]
  private var states: [Int32: ProcessState] = [:]
  private var steps: ArraySlice<BirthPlan.Step> = []
  /// Parents some of whose children have inherited memory: theirs does not change any more.
  private(set) var closed: Set<Int32> = []

  init(_ restoration: Restoration) {
    self.restoration = restoration
    for state in restoration.state.processes { states[state.id] = state }
  }

  /// Makes the root from its stub, and all that need not wait until the memory of others is complete.
  mutating func begin(_ root: ProcessState, _ thread: TracedThread) throws(CheckpointError) {
    let plan = BirthPlan(
      restoration.state.processes, isDetached: restoration.options.isDetached)
    guard plan.impossible.isEmpty else {
      thread.endProcess()
      throw .inconsistent(.unknownParent)
    }
    steps = plan.steps[...]
    try add(root, thread, injector: nil)
    while let step = steps.first, !inherits(step) { try take(steps.removeFirst()) }
  }

  /// Makes a process, and all that come before it, with what becomes of them before the next one is made. The
  /// memory of their parents must be complete.
  mutating func makeAll(through process: Int32) throws(CheckpointError) {
    while let step = steps.first, known[process] == nil || !makes(step) {
      try take(steps.removeFirst())
    }
  }

  private func makes(_ step: BirthPlan.Step) -> Bool {
    switch step {
    case .make, .makeLeader: true
    case .lead, .endLeader: false
    }
  }

  func isMade(_ process: Int32) -> Bool { known[process] != nil }

  /// The processes that are yet to be made.
  var waiting: [Int32] {
    steps.compactMap {
      guard case .make(let child, _, _, _) = $0 else { return nil }
      return child
    }
  }

  private func inherits(_ step: BirthPlan.Step) -> Bool {
    switch step {
    case .make(let child, _, _, _): states[child]?.inheritedRanges.isEmpty == false
    // What it makes next may.
    case .makeLeader: true
    default: false
    }
  }

  private mutating func take(_ step: BirthPlan.Step) throws(CheckpointError) {
    switch step {
    case .make(let child, let maker, let isSibling, let sharing):
      guard let state = states[child] else { throw .inconsistent(.unknownParent) }
      if !state.inheritedRanges.isEmpty { closed.insert(state.parent) }
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

  private func known(_ process: Int32) throws(CheckpointError) -> ProcessBuilder {
    guard let builder = known[process] else { throw .inconsistent(.unknownParent) }
    return builder
  }

  private mutating func add(
    _ state: ProcessState, _ thread: TracedThread, injector: CallInjector?
  ) throws(CheckpointError) {
    let builder: ProcessBuilder
    do throws(CheckpointError) {
      builder = try ProcessBuilder(state, stub: thread, restoration, injector: injector)
    } catch {
      // Nobody else knows of it.
      thread.endProcess()
      throw error
    }
    known[state.id] = builder
    restoration.note(builder.id, for: state.id)
    if state.life == .zombie { zombies.append(builder) } else { builders.append(builder) }
    try builder.enter()
  }
}

extension TracedThread {
  /// Ends the process whose only thread this is, and waits for that.
  func endProcess() {
    try? process.send(signal: 9)
    while let stop = try? wait(), !stop.isEnd {}
  }
}
