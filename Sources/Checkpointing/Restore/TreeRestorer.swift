import BinaryCodec
import LinuxSystem
import SystemPackage

/// Brings back a whole tree: its processes are made, laid out and completed, and stay stopped until all of
/// it is known to be right.
package final class TreeRestorer {
  private let restoration: Restoration
  private var builders: [ProcessBuilder] = []
  private var madeMemory: TreeMemory?

  package var warnings: [Obstacle] { restoration.warnings }
  /// The process at the root.
  package var root: ProcessID { builders[0].id }

  /// Makes all processes, with empty memory. When this or anything later throws, call `abandon`.
  package init(_ state: CheckpointState, _ options: RestoreOptions) throws(CheckpointError) {
    try Self.check(state)
    restoration = try Restoration(state, options)
    do throws(CheckpointError) {
      try makeRoot()
      try restoration.openWithProcesses(builders)
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

  private func makeRoot() throws(CheckpointError) {
    let state = restoration.state.processes[0]
    let stub = try stub(ProcessID(state.id))
    let thread = try about(stub) { () throws(SystemCallError) in
      try TracedThread(
        seizing: stub, of: stub, options: [.markSystemCalls, .clones, .forks, .endWithTracer])
    }
    try about(stub) { () throws(SystemCallError) in try thread.interrupt() }
    while true {
      let stop = try about(stub) { () throws(SystemCallError) in try thread.wait() }
      if stop == .interrupted { break }
      if stop?.isEnd ?? true { throw .vanished(stub) }
      try about(stub) { () throws(SystemCallError) in try thread.resume() }
    }
    try about(stub) { () throws(SystemCallError) in try thread.set(signalMask: .max) }
    try makeTree(state, thread)
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
    for builder in builders.reversed() {
      try builder.detach(stopping: restoration.options.staysStopped)
    }
  }

  /// Ends all that was made.
  package func abandon() {
    for builder in builders {
      try? builder.id.send(signal: 9)
      for thread in builder.threads { _ = try? thread.wait() }
    }
    builders = []
    madeMemory = nil
    restoration.abandon()
  }
}
