import BinaryCodec
import LinuxSystem
import SystemPackage

/// Brings back a whole tree: its processes are made, laid out and completed, and stay stopped until all of
/// it is known to be right.
package final class TreeRestorer {
  private let restoration: Restoration
  private var builders: [ProcessBuilder] = []
  private var madeMemory: TreeMemory?
  private var namespace: ProcessNamespace?

  package var warnings: [Obstacle] { restoration.warnings }
  /// The process at the root, by the number that it has for us.
  package var root: ProcessID { builders[0].id }
  /// The tree has a pid namespace of its own: its root is no child of this process.
  package var isInNamespace: Bool { namespace != nil }
  /// What is told of the root there; for trees that are not detached.
  package var reports: ReaperReports? { namespace?.reports }

  /// Makes all processes, with empty memory. When this or anything later throws, call `abandon`.
  package init(_ state: CheckpointState, _ options: RestoreOptions) throws(CheckpointError) {
    try Self.check(state)
    TracingLimits.allowTracing()
    restoration = try Restoration(state, options)
    do throws(CheckpointError) {
      try makeProcesses()
      try restoration.openWithProcesses()
      for builder in builders { try builder.layOutMemory() }
    } catch {
      abandon()
      throw error
    }
  }

  private static func check(_ state: CheckpointState) throws(CheckpointError) {
    guard let root = state.processes.first, root.life != .zombie else {
      throw .inconsistent(.noProcess)
    }
    var known: Set<Int32> = []
    for (index, process) in state.processes.enumerated() {
      guard process.id > 0, known.insert(process.id).inserted else {
        throw .inconsistent(.unknownParent)
      }
      guard index == 0 || known.contains(process.parent) else {
        throw .inconsistent(.unknownParent)
      }
      if process.life == .zombie { continue }
      guard process.threads.first?.id == process.id else { throw .inconsistent(.noThread) }
      let areas = process.areas.sorted { $0.address < $1.address }
      for (one, next) in zip(areas, areas.dropFirst())
      where one.addresses.upperBound > next.address {
        throw .inconsistent(.overlappingAreas)
      }
    }
  }

  /// In our own pid namespace where the numbers may be had there, else in another.
  private func makeProcesses() throws(CheckpointError) {
    let root = restoration.state.processes[0]
    do throws(CheckpointError) {
      if restoration.options.numbers == .any { try requireFreeNumbers() }
      let stub = try stub(ProcessID(root.id))
      let thread = try TracedThread.takingHold(ofStub: stub)
      do throws(CheckpointError) {
        try CredentialCheck.require(restoration.state)
      } catch {
        try? stub.send(signal: 9)
        _ = try? thread.wait()
        throw error
      }
      try makeTree(root, thread)
    } catch {
      guard leadsIntoNamespace(error) else { throw error }
      endProcesses()
      try makeProcessesInNamespace()
    }
  }

  private func leadsIntoNamespace(_ error: CheckpointError) -> Bool {
    switch error {
    case .numberTaken: restoration.options.numbers == .any
    // To choose a number wants CAP_CHECKPOINT_RESTORE.
    case .system(let error, _): error.call == "clone3" && error.errno == .notPermitted
    default: false
    }
  }

  /// The numbers of threads are needed later, when it is too late to go elsewhere.
  private func requireFreeNumbers() throws(CheckpointError) {
    for process in restoration.state.processes {
      for number in [process.id] + process.threads.dropFirst().map(\.id) where number > 0 {
        var patience = NumberPatience(ProcessID(number))
        while ProcessID(number).exists { try patience.pause() }
        if ProcessID(-number).exists { throw .numberTaken(ProcessID(number)) }
      }
    }
  }

  private func makeProcessesInNamespace() throws(CheckpointError) {
    try NamespaceFitness.require(restoration)
    let namespace = try ProcessNamespace.make(restoration)
    self.namespace = namespace
    if namespace.hasOwnUsers {
      try CredentialCheck.requireInUserNamespace(restoration.state)
    } else {
      try CredentialCheck.require(restoration.state)
    }
    restoration.isInNamespace = true
    let root = restoration.state.processes[0]
    try makeTree(root, try namespace.makeRoot(root))
    if namespace.hasOwnUsers { NamespaceFitness.warn(restoration) }
  }

  private func stub(_ id: ProcessID) throws(CheckpointError) -> ProcessID {
    var patience = NumberPatience(id)
    while true {
      do throws(SystemCallError) {
        return try StubProcess.make(id: id)
      } catch {
        guard error.errno == .fileExists else { throw .system(error, process: id) }
        try patience.pause()
      }
    }
  }

  /// Children that were born into the session that their parent left later are made before it leaves.
  private func makeTree(
    _ state: ProcessState, _ thread: TracedThread
  ) throws(CheckpointError) {
    let builder = try ProcessBuilder(state, stub: thread, restoration)
    restoration.note(builder.id, for: state.id)
    if state.life == .zombie {
      try builder.enter()
      if state.session == state.id { try builder.startSession() }
      try builder.end()
      return
    }
    builders.append(builder)
    try builder.enter()
    let children = restoration.state.processes.filter { $0.parent == state.id && $0.id != state.id }
    let leads = state.session == state.id
    for child in children where leads && child.session != state.id && child.session != child.id {
      try makeTree(child, try builder.makeChild(child))
    }
    let isRoot = state.id == restoration.state.processes[0].id
    let sessions = Set(restoration.state.processes.map(\.id))
    if leads || (isRoot && restoration.options.isDetached && !sessions.contains(state.session)) {
      try builder.startSession()
      try builder.takeTerminal()
    }
    for child in children where !(leads && child.session != state.id && child.session != child.id) {
      try makeTree(child, try builder.makeChild(child))
    }
  }

  /// Where the pages go: to be filled between `init` and `complete`, by any number of threads.
  package func memory() throws(CheckpointError) -> TreeMemory {
    if let madeMemory { return madeMemory }
    let made = try makeMemory()
    madeMemory = made
    return made
  }

  private func makeMemory() throws(CheckpointError) -> TreeMemory {
    let state = restoration.state
    var spaces: [SpaceMemory?] = []
    for process in state.processes {
      guard let builder = builders.first(where: { $0.state.id == process.id }) else {
        spaces.append(nil)
        continue
      }
      spaces.append(
        try about(builder.id) { () throws(SystemCallError) in
          try SpaceMemory(of: builder.id, process.areas, builder.takeFilling())
        })
    }
    return TreeMemory(processes: spaces, objects: restoration.objects)
  }

  /// Everything but running: all that a process sets is set.
  package func complete() throws(CheckpointError) {
    madeMemory?.finish()
    try restoration.finishObjects()
    let ids = Set(restoration.state.processes.map(\.id))
    for builder in builders {
      let group = builder.state.processGroup
      if ids.contains(group), builder.state.session != builder.state.id { try builder.joinGroup() }
    }
    for builder in builders { try builder.setForegroundGroup() }
    for builder in builders { try builder.complete() }
    try restoration.finish()
    for builder in builders { try builder.setRegisters() }
  }

  /// Lets all of them go on.
  package func release() throws(CheckpointError) {
    let processes = restoration.state.processes
    let last = processes.flatMap { [$0.id] + $0.threads.map(\.id) }.max() ?? 1
    try namespace?.start(root: processes[0].id, last: last)
    for builder in builders.reversed() {
      try builder.detach(stopping: restoration.options.staysStopped)
    }
  }

  /// Ends all that was made.
  package func abandon() {
    endProcesses()
    madeMemory = nil
    restoration.abandon()
  }

  private func endProcesses() {
    for builder in builders {
      try? builder.id.send(signal: 9)
      // The first thread's end is told when the others have gone.
      for thread in builder.threads.reversed() {
        while let stop = try? thread.wait(), !stop.isEnd {}
      }
    }
    builders = []
    namespace?.end()
    namespace = nil
    restoration.forgetProcesses()
  }
}
