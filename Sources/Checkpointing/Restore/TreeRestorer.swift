import BinaryCodec
import LinuxSystem
import SystemPackage

/// Brings back a whole tree: its processes are made, laid out and completed, and stay stopped until all of
/// it is known to be right.
package final class TreeRestorer {
  private let restoration: Restoration
  private var births: TreeBirth
  private var builders: [ProcessBuilder] { births.builders }
  private var madeMemory: TreeMemory?
  private var namespace: ProcessNamespace?

  /// What is not quite as it was, as far as it is known by now.
  package var warnings: [Obstacle] { restoration.warnings }
  /// The process at the root, by the number that it has for us.
  package var root: ProcessID { builders[0].id }
  /// The tree has a pid namespace of its own: its root is no child of this process.
  package var isInNamespace: Bool { namespace != nil }
  /// The processes that only `staysStopped` has stopped, children first.
  package var stopped: [ProcessID] {
    restoration.options.staysStopped
      ? builders.filter { $0.state.life != .stopped }.map(\.id).reversed() : []
  }
  /// What is told of the root there; for trees that are not detached.
  package var reports: ReaperReports? { namespace?.reports }

  /// Makes the processes, with empty memory, but for those that inherit some: these are made as the memory of
  /// their parents gets complete. When this or anything later throws, call `abandon`.
  package init(_ state: CheckpointState, _ options: RestoreOptions) throws(CheckpointError) {
    try Self.check(state)
    TracingLimits.allowTracing()
    restoration = try Restoration(state, options)
    try CredentialCheck.requireObjects(restoration)
    births = TreeBirth(restoration)
    do throws(CheckpointError) {
      // What the tool and a process do in turn is quick on one processor.
      let pin = ProcessorPin(like: .current)
      defer { pin.release() }
      try restoration.openAll()
      try makeProcesses()
      for builder in builders where builder.state.ownsMemory { try builder.layOutMemory() }
    } catch {
      abandon()
      throw error
    }
  }

  /// Throws what `init` would refuse before it makes anything, and says what would not be quite as it was.
  static func examine(
    _ state: CheckpointState, _ options: RestoreOptions
  ) throws(CheckpointError) -> RestoreForecast {
    try check(state)
    let restoration = try Restoration(state, options)
    try CredentialCheck.requireObjects(restoration)
    let forecast = RestoreForecast(
      state: state, warnings: restoration.warnings, putBack: restoration.putBack)
    guard try CredentialCheck.mayChooseNumbers() else {
      try NamespaceFitness.require(restoration)
      try CredentialCheck.requireInUserNamespace(state)
      return forecast
    }
    try CredentialCheck.require(state)
    do throws(CheckpointError) {
      try requireFree(state.numbers)
    } catch .numberTaken where options.numbers == .any {
      try NamespaceFitness.require(restoration)
    }
    return forecast
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
      // Shared things are those of a process that comes before, and has them of nobody.
      for (place, thing) in process.sharing.things.enumerated() where thing.owner != 0 {
        let owner = thing.owner
        guard process.life != .zombie,
          let other = state.processes[..<index].first(where: { $0.id == owner }),
          other.life != .zombie, other.sharing.things[place].owner == 0
        else { throw .inconsistent(.unknownParent) }
      }
      if process.sharing.memory != 0 && !(process.areas.isEmpty && process.inheritedRanges.isEmpty)
      {
        throw .inconsistent(.overlappingAreas)
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
        // The root has its own.
        try Self.requireFree(restoration.state.numbers.dropFirst())
      } catch {
        thread.endProcess()
        throw error
      }
      try births.begin(root, thread)
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

  /// Numbers that are somebody else's are found before much is read, and while it is time to go elsewhere.
  private static func requireFree(_ numbers: some Sequence<Int32>) throws(CheckpointError) {
    for number in numbers where number > 0 {
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
    let root = restoration.state.processes[0]
    try births.begin(root, try namespace.makeRoot(root))
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

  // MARK: Children that inherit memory

  /// To be called when a space gets pages: its process is there when this returns, and from now on all that it
  /// inherits is as it shall be.
  package func begin(space: Int) throws(CheckpointError) {
    let processes = restoration.state.processes
    guard processes.indices.contains(space) else { return }
    if births.closed.contains(processes[space].id) { throw .inconsistent(.memoryBehindChild) }
    try make(processes[space])
  }

  /// Makes it and all that come before it, whose parents' memory is complete.
  private func make(_ process: ProcessState) throws(CheckpointError) {
    if births.isMade(process.id) { return }
    let processes = restoration.state.processes
    let pin = ProcessorPin(like: root)
    defer { pin.release() }
    let count = builders.count
    try births.makeAll(through: process.id)
    for builder in builders[count...] where builder.state.ownsMemory {
      guard let index = processes.firstIndex(where: { $0.id == builder.state.id }) else { continue }
      // What inherits nothing may nevertheless have been made of what does.
      if builder.state.inheritedRanges.isEmpty {
        try builder.layOutMemory()
      } else if let parent = processes.first(where: { $0.id == builder.state.parent }) {
        try builder.layOutMemory(inheritedFrom: parent)
      }
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
      guard process.ownsMemory,
        let builder = builders.first(where: { $0.state.id == process.id })
      else {
        spaces.append(nil)
        continue
      }
      spaces.append(try memory(of: builder))
    }
    return TreeMemory(processes: spaces, objects: restoration.objects)
  }

  private func memory(of builder: ProcessBuilder) throws(CheckpointError) -> SpaceMemory {
    try builder.take()
    return try about(builder.id) { () throws(SystemCallError) in
      try SpaceMemory(of: builder.id, builder.state.areas, builder.takeFilling())
    }
  }

  /// Everything but running: all that a process sets is set.
  package func complete() throws(CheckpointError) {
    for process in restoration.state.processes { try make(process) }
    let pin = ProcessorPin(like: root)
    defer { pin.release() }
    try madeMemory?.finish()
    try restoration.openWithProcesses(builders)
    try restoration.finishObjects()
    let zombies = births.zombies
    try ProcessGroups.restore(builders + zombies, restoration.state)
    for builder in builders {
      try builder.take()
      try builder.setForegroundGroup()
    }
    for zombie in zombies { try zombie.end() }
    for builder in builders {
      if let signal = builder.stopSignal(staysStopped: restoration.options.staysStopped) {
        try builder.stop(by: signal)
      }
    }
    for builder in builders { try builder.prepare() }
    for builder in builders { try builder.complete() }
    try restoration.finish()
    for builder in builders where builder.state.sharing.descriptors == 0 {
      try builder.beginSignalling()
    }
    for builder in builders { try builder.removeScratch() }
    try restoration.finishAtLast()
    for builder in builders { try builder.setRegisters() }
  }

  /// Lets all of them go on.
  package func release() throws(CheckpointError) {
    let processes = restoration.state.processes
    let last = processes.flatMap { [$0.id] + $0.threads.map(\.id) }.max() ?? 1
    try namespace?.start(root: processes[0].id, last: last)
    // One process is let go or ended at once, several are not.
    let treeGuard = try about(nil) { () throws(SystemCallError) in
      builders.count > 1 ? try TreeGuard(of: builders.map(\.id)) : nil
    }
    // Children first, so that their parents find them stopped that were.
    for builder in builders.reversed() {
      try builder.detach()
      if builder.stopSignal(staysStopped: restoration.options.staysStopped) != nil {
        builder.id.awaitStop(seconds: 1)
      }
    }
    try about(nil) { () throws(SystemCallError) in try treeGuard?.dismiss() }
    restoration.settle()
  }

  /// Ends all that was made.
  package func abandon() {
    endProcesses()
    madeMemory = nil
    restoration.abandon()
  }

  private func endProcesses() {
    for builder in builders + births.zombies {
      try? builder.id.send(signal: 9)
      // The first thread's end is told when the others have gone.
      for thread in builder.threads.reversed() {
        while let stop = try? thread.wait(), !stop.isEnd {}
      }
    }
    births = TreeBirth(restoration)
    namespace?.end()
    namespace = nil
    restoration.forgetProcesses()
  }
}
