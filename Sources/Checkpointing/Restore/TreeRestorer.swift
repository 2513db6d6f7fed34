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
  /// Children that are made when the memory of their parent is complete, by the parent's number.
  private var lateChildren: [Int32: LateChildren] = [:]
  /// Parents all of whose children are made: their memory does not change any more.
  private var closed: Set<Int32> = []

  fileprivate struct LateChildren {
    /// Into the session that the parent was in before it began its own.
    var before: [ProcessState] = []
    var beginsSession = false
    var after: [ProcessState] = []
  }

  package var warnings: [Obstacle] { restoration.warnings }
  /// The process at the root, by the number that it has for us.
  package var root: ProcessID { builders[0].id }
  /// The tree has a pid namespace of its own: its root is no child of this process.
  package var isInNamespace: Bool { namespace != nil }
  /// What is told of the root there; for trees that are not detached.
  package var reports: ReaperReports? { namespace?.reports }

  /// Makes the processes, with empty memory, but for those that inherit some: these are made as the memory of
  /// their parents gets complete. When this or anything later throws, call `abandon`.
  package init(_ state: CheckpointState, _ options: RestoreOptions) throws(CheckpointError) {
    try Self.check(state)
    TracingLimits.allowTracing()
    restoration = try Restoration(state, options)
    do throws(CheckpointError) {
      try makeProcesses()
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
      guard index == 0 || (process.parent != process.id && known.contains(process.parent)) else {
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
      let stub = try stub(ProcessID(root.id))
      let thread = try TracedThread.takingHold(ofStub: stub)
      do throws(CheckpointError) {
        try CredentialCheck.require(restoration.state)
        try requireFreeNumbers()
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

  /// Numbers that are somebody else's are found before much is read, and while it is time to go elsewhere. The
  /// root has its own.
  private func requireFreeNumbers() throws(CheckpointError) {
    let all = restoration.state.processes.flatMap { process in
      [process.id] + process.threads.dropFirst().map(\.id)
    }
    for number in all.dropFirst() where number > 0 {
      var patience = NumberPatience(ProcessID(number))
      while ProcessID(number).exists || ProcessID(-number).exists { try patience.pause() }
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
    lateChildren = [:]
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
    var children = LateChildren()
    let isRoot = state.id == restoration.state.processes[0].id
    let sessions = Set(restoration.state.processes.map(\.id))
    let leads = state.session == state.id
    children.beginsSession =
      leads || (isRoot && restoration.options.isDetached && !sessions.contains(state.session))
    for child in restoration.state.processes where child.parent == state.id && child.id != state.id
    {
      if leads && child.session != state.id && child.session != child.id {
        children.before.append(child)
      } else {
        children.after.append(child)
      }
    }
    try makeChildren(&children, of: builder)
    lateChildren[state.id] = children.isEmpty ? nil : children
  }

  /// Makes those children that need not wait until the memory of their parent is complete.
  private func makeChildren(
    _ children: inout LateChildren, of builder: ProcessBuilder, withMemory: Bool = false
  ) throws(CheckpointError) {
    for child in children.before where withMemory || child.inheritedRanges.isEmpty {
      try makeTree(child, try builder.makeChild(child))
    }
    children.before.removeAll { withMemory || $0.inheritedRanges.isEmpty }
    guard children.before.isEmpty else { return }
    if children.beginsSession {
      try builder.startSession()
      try builder.takeTerminal()
      children.beginsSession = false
    }
    for child in children.after where withMemory || child.inheritedRanges.isEmpty {
      try makeTree(child, try builder.makeChild(child))
    }
    children.after.removeAll { withMemory || $0.inheritedRanges.isEmpty }
  }

  // MARK: Children that inherit memory

  /// To be called when a space gets pages: its process is there when this returns, and from now on all that it
  /// inherits is as it shall be.
  package func begin(space: Int) throws(CheckpointError) {
    let processes = restoration.state.processes
    guard processes.indices.contains(space) else { return }
    if closed.contains(processes[space].id) { throw .inconsistent(.memoryBehindChild) }
    try make(processes[space])
  }

  private func make(_ process: ProcessState) throws(CheckpointError) {
    if builders.contains(where: { $0.state.id == process.id }) || process.life == .zombie { return }
    guard let parent = restoration.state.processes.first(where: { $0.id == process.parent }) else {
      throw .inconsistent(.unknownParent)
    }
    try make(parent)
    try makeLateChildren(of: parent)
  }

  /// The parent's memory is complete.
  private func makeLateChildren(of parent: ProcessState) throws(CheckpointError) {
    guard var children = lateChildren.removeValue(forKey: parent.id),
      let builder = builders.first(where: { $0.state.id == parent.id })
    else { return }
    closed.insert(parent.id)
    let count = builders.count
    try makeChildren(&children, of: builder, withMemory: true)
    for builder in builders[count...] {
      // What inherits nothing may nevertheless have been made of what does.
      if builder.state.inheritedRanges.isEmpty {
        try builder.layOutMemory()
      } else {
        try builder.layOutMemory(inheritedFrom: parent)
      }
      guard let index = restoration.state.processes.firstIndex(where: { $0.id == builder.state.id })
      else { continue }
      madeMemory?.set(try memory(of: builder), ofProcess: index)
    }
  }

  /// Gives up pages of a process that its parent has.
  package func drop(_ addresses: Range<UInt64>, inSpace space: Int) throws(CheckpointError) {
    try memory().process(space).check(addresses)
    let id = restoration.state.processes[space].id
    try builders.first { $0.state.id == id }?.drop(addresses)
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
      spaces.append(try memory(of: builder))
    }
    return TreeMemory(processes: spaces, objects: restoration.objects)
  }

  private func memory(of builder: ProcessBuilder) throws(CheckpointError) -> SpaceMemory {
    try about(builder.id) { () throws(SystemCallError) in
      try SpaceMemory(of: builder.id, builder.state.areas, builder.takeFilling())
    }
  }

  /// Everything but running: all that a process sets is set.
  package func complete() throws(CheckpointError) {
    for process in restoration.state.processes { try make(process) }
    madeMemory?.finish()
    try restoration.openWithProcesses(builders)
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
    for builder in builders { builder.awaitStop(stopping: restoration.options.staysStopped) }
    restoration.settle()
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

extension TreeRestorer.LateChildren {
  fileprivate var isEmpty: Bool { before.isEmpty && after.isEmpty && !beginsSession }
}
