import BinaryCodec
import LinuxSystem
import SystemPackage

/// Takes down a frozen tree: its processes, and what they share.
final class TreeCapture {
  private(set) var captures: [ProcessCapture] = []
  private(set) var seen: [SeenDescriptor] = []
  private(set) var descriptions: [DescriptionState] = []
  private(set) var objects = SharedObjects()
  private(set) var obstacles: [Obstacle] = []
  /// By which numbers the processes know each other.
  let numbers: TreeNumbers
  let options: SaveOptions
  /// Since it stands still.
  let standstill: Standstill?
  /// The descriptions of each file, in the kernel's order of them.
  private var known: [SeenFile: [Int]] = [:]
  private var areas: [[AreaState]] = []
  /// Inodes of what can't be saved, of which no more has to be said.
  private(set) var refused: Set<UInt64> = []
  private var descriptors: [[DescriptorState]] = []

  /// Throws `obstacles` with all that there are.
  init(
    _ processes: [FrozenProcess], _ options: SaveOptions = SaveOptions(),
    _ standstill: Standstill? = nil, _ foreknowledge: Foreknowledge? = nil
  ) throws(CheckpointError) {
    (self.options, self.standstill) = (options, standstill)
    if let root = processes.first, root.isZombie, root.status.threadCount <= 1 {
      throw .vanished(root.id)
    }
    let clocks = RunQueueClocks()
    numbers = try TreeNumbers(processes)
    for process in processes {
      // One that has an obstacle of its own is left out: that there is one is told at the end.
      try noting { () throws(CheckpointError) in
        captures.append(try ProcessCapture(process, clocks, foreknowledge))
      }
      try standstill?.check()
    }
    if captures.count == processes.count { try takeSharing() }
    for index in captures.indices {
      try standstill?.check()
      if captures[index].process.isZombie {
        descriptors.append([])
        areas.append([])
        continue
      }
      try noting { () throws(CheckpointError) in
        let process = captures[index].process
        try NamespaceCheck.require(of: process, root: processes[0].id, numbers)
        try NamespaceCheck.require(ofThreads: process.threads.map(\.id), of: process.id)
      }
      descriptors.append(try takeDescriptors(of: captures[index]))
      areas.append(try takeAreas(of: captures[index]))
    }
    // Where one was left out, what leads there would seem to lead outside.
    if captures.count == processes.count { try settle() }
    for index in captures.indices {
      captures[index].set(areas: areas[index], descriptors: descriptors[index])
    }
    if !obstacles.isEmpty { throw .obstacles(obstacles) }
  }

  /// What can be known only when all that is in the tree is.
  private func settle() throws(CheckpointError) {
    noteRelations()
    obstacles += objects.outsiders(of: Set(captures.map(\.process.id)))
    for kind in DescriptorKinds.all {
      try noting { () throws(CheckpointError) in try kind.settle(self) }
    }
    try noting { () throws(CheckpointError) in try DescriptorOwner.check(self) }
  }

  /// Everything but the pages.
  func state() -> CheckpointState {
    var state = CheckpointState()
    let now = Machine.now()
    state.savedAt = now.seconds
    state.savedAtNanoseconds = now.microseconds * 1000
    (state.kernel, state.host) = (Machine.kernelRelease, Machine.hostName)
    (state.monotonicNanoseconds, state.boottimeNanoseconds) = Machine.clocks()
    state.processorFeatures = ProcessorFeatures.here.sorted().joined(separator: " ")
    state.processes = captures.map(\.result)
    let inside = Set(state.processes.map(\.id))
    for index in state.processes.indices where !inside.contains(state.processes[index].parent) {
      state.processes[index].parent = 0
    }
    state.descriptions = descriptions
    for index in state.processes.indices {
      PseudoTerminal.note(captures[index].process.status, in: &state.processes[index], self)
    }
    state.objects = objects.states
    numbers.translate(&state)
    return state
  }

  /// Collects obstacles, so that all are known at once.
  func noting(_ body: () throws(CheckpointError) -> Void) throws(CheckpointError) {
    do throws(CheckpointError) {
      try body()
    } catch {
      guard case .obstacles(let found) = error else { throw error }
      obstacles += found
    }
  }

  // MARK: Descriptors

  private func takeDescriptors(
    of capture: ProcessCapture
  ) throws(CheckpointError) -> [DescriptorState] {
    let process = capture.process.id
    let handle = try about(process) { () throws(SystemCallError) in try process.openDescriptor() }
    var states: [DescriptorState] = []
    for number in try about(
      process,
      { () throws(SystemCallError) in
        try DescriptorInfo.numbers(of: process)
      })
    {
      try noting { () throws(CheckpointError) in
        let one = try about(process) { () throws(SystemCallError) in
          try SeenDescriptor(number, of: process, handle)
        }
        var state = DescriptorState()
        state.number = number
        state.closesOnExec = one.info.closesOnExec && !capture.keptOnExec.contains(number)
        state.locks = try FileLocks.seen(in: one).filter { $0.kind == .process }
        state.description = try description(of: one)
        states.append(state)
      }
    }
    return states
  }

  /// The number of its open file description, a new one if nobody had it before.
  private func description(of one: SeenDescriptor) throws(CheckpointError) -> UInt32 {
    let file = SeenFile(device: one.details.device, inode: one.details.inode)
    let place = try place(of: one, in: known[file] ?? [])
    if let index = place.found { return UInt32(index) }
    // Many kinds have one inode for all, of which one may be refused already.
    let isFirst = refused.insert(one.details.inode).inserted
    let found = DescriptorKinds.all.first { $0.recognises(one) }
    if found != ExternalFile.self, let obstacle = UnsavableDescriptor.obstacle(one) {
      throw obstacle
    }
    guard let kind = found else { throw UnsavableDescriptor.unknown(one) }
    var state = DescriptionState()
    state.kind = kind.name
    state.flags = one.info.flags & ~Self.closeOnExec
    state.position = one.info.position
    state.detail = try kind.detail(of: one, self)
    if isFirst { refused.remove(one.details.inode) }
    state.locks = try FileLocks.seen(in: one).filter { $0.kind != .process }
    if state.flags & OpenFlags.pathOnly == 0 { try DescriptorOwner.note(one, in: &state) }
    seen.append(one)
    descriptions.append(state)
    known[file, default: []].insert(descriptions.count - 1, at: place.index)
    return UInt32(descriptions.count - 1)
  }

  /// Where a description is among others of its file, which are in the order that the kernel has for all; or where it
  /// belongs. Thousands may have one inode, as all eventfds and timers have.
  private func place(
    of one: SeenDescriptor, in others: [Int]
  ) throws(CheckpointError) -> (index: Int, found: Int?) {
    var (low, high) = (0, others.count)
    while low < high {
      let middle = (low + high) / 2
      let other = seen[others[middle]]
      let order = try about(one.process) { () throws(SystemCallError) in
        try one.process.order(of: .file, with: other.process, one.info.number, other.info.number)
      }
      switch order {
      case 0: return (middle, others[middle])
      case 1: high = middle
      default: low = middle + 1
      }
    }
    return (low, nil)
  }

  private struct SeenFile: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  /// O_CLOEXEC belongs to the descriptor, not to the description.
  private static let closeOnExec: UInt32 = 0o2000000

  /// All descriptors of the tree: which process has which description under which number.
  var holders: [(process: ProcessID, number: Int32, description: Int)] {
    zip(captures, descriptors).flatMap { capture, states in
      states.map { (capture.process.id, $0.number, Int($0.description)) }
    }
  }

  /// The descriptions of a kind, with what was seen of each.
  func descriptions(
    of kind: any DescriptorKind.Type
  ) -> [(index: Int, seen: SeenDescriptor, state: DescriptionState)] {
    descriptions.indices.filter { descriptions[$0].kind == kind.name }
      .map { ($0, seen[$0], descriptions[$0]) }
  }

  /// For kinds that know only at the end what a description is.
  func replace(_ index: Int, kind: any DescriptorKind.Type, detail: [UInt8]) {
    descriptions[index].kind = kind.name
    descriptions[index].detail = detail
  }

  // MARK: Relations

  private func takeSharing() throws(CheckpointError) {
    let living = captures.filter { !$0.process.isZombie }.map(\.process)
    let sharing = try SharingCapture(living.map(\.id), rootParent: living[0].status.parent)
    obstacles += sharing.obstacles
    for index in captures.indices {
      let id = captures[index].process.id
      if let found = sharing.found[id] { captures[index].set(sharing: found) }
      if let parent = captures.first(where: { $0.process.stoppedChildren.contains(id) }) {
        captures[index].set(isStopUntold: parent.untoldStops.contains(id))
      }
    }
  }

  /// Sessions and groups have to be the tree's own, or the root's.
  private func noteRelations() {
    let states = captures.map(\.result)
    let ids = Set(states.map(\.id))
    for state in states.dropFirst() {
      for (number, own, name) in [
        (state.session, states[0].session, "session"),
        (state.processGroup, states[0].processGroup, "process group"),
      ] where !ids.contains(number) && number != own && ProcessID(number).exists {
        obstacles.append(
          Obstacle(
            ProcessID(state.id), "its \(name)",
            "it is led by process \(number), which is outside of the tree"))
      }
    }
    for (process, reason) in BirthPlan(states, isDetached: true).impossible {
      obstacles.append(Obstacle(ProcessID(process), "its origin", reason))
    }
  }

  // MARK: Areas

  private func takeAreas(of capture: ProcessCapture) throws(CheckpointError) -> [AreaState] {
    // Those of the process with which it shares its memory.
    if capture.result.sharing.memory != 0 { return [] }
    var states: [AreaState] = []
    var areaCapture = AreaCapture(of: capture.process.id, objects)
    for area in capture.areas {
      try noting { () throws(CheckpointError) in
        if let state = try areaCapture.state(of: area) { states.append(state) }
      }
    }
    let id = capture.process.id
    try about(id) { () throws(SystemCallError) in
      let scan = try PageScan(of: id)
      for index in states.indices where states[index].flags.contains("gu") {
        states[index].guards = try scan.runs(
          in: states[index].addresses, wanted: .guarded, excluded: []
        ).flatMap { [$0.addresses.lowerBound, $0.addresses.upperBound] }
      }
    }
    for state in states where state.content == .object && !state.guards.isEmpty {
      guard objects.contents[Int(state.object)].file == nil else { continue }
      let place = "memory at \(String(state.addresses.lowerBound, radix: 16))"
      try noting { () throws(CheckpointError) in
        throw .obstacles([
          Obstacle(
            id, place, "it is shared, and what lies under its guard pages may not be read",
            remedy: "run with CAP_CHECKPOINT_RESTORE or as root")
        ])
      }
    }
    return states
  }
}
