import BinaryCodec
import LinuxSystem
import SystemPackage

/// Makes a stub into the process that was saved: empties its address space, lays out the old one, and has it
/// make, one by one, the calls that bring back what only it can set.
final class ProcessBuilder {
  let state: ProcessState
  let leader: TracedThread
  let restoration: Restoration
  /// Processes that share their memory have one together.
  var injector: CallInjector!
  /// What the stub goes on with whenever it makes no calls.
  private(set) var stubRegisters: Registers?
  /// Since it was made.
  private(set) var leadsSession = false
  /// The calls that threads have begun with the time that was left, and what came of them.
  var begun: [Int: Int] = [:]
  /// With what each thread goes on.
  var finalRegisters: [Registers] = []
  var threads: [TracedThread] = []
  let memory: ProcessMemory
  /// Where descriptions are until the descriptors have their numbers.
  var received: [UInt32: UInt64] = [:]
  /// The terminal that its session has got, under the number that it has here for now.
  var terminal: UInt64?
  /// What of its memory it has of its parent.
  var inherited: [Range<UInt64>] = []
  /// Timers that send the signals themselves that waited of them.
  var timersThatSignal: Set<Int32> = []

  var id: ProcessID { leader.process }

  /// - Parameter injector: of the process whose memory it shares.
  init(
    _ state: ProcessState, stub: TracedThread, _ restoration: Restoration,
    injector: CallInjector? = nil
  ) throws(CheckpointError) {
    self.state = state
    self.injector = injector
    self.restoration = restoration
    leader = stub
    threads = [stub]
    memory = try about(stub.process) { () throws(SystemCallError) in
      try ProcessMemory(of: stub.process)
    }
  }

  // MARK: Calls

  /// From here on this process makes the calls, where it shares its memory with others.
  func take() throws(CheckpointError) {
    guard let stubRegisters, !injector.isInside(leader) else { return }
    try inside(id) { () throws(InjectionError) in
      try injector.leave()
      try injector.enter(leader, registers: stubRegisters)
    }
  }

  /// A call without arguments: what it returned.
  func callHere(_ call: KernelCall) throws(InjectionError) -> Int {
    try injector.callForResult(call, [0])
  }

  func call(
    _ call: KernelCall, _ name: StaticString, _ arguments: UInt64...
  ) throws(CheckpointError) {
    try inside(id) { () throws(InjectionError) in _ = try injector.call(call, name, arguments) }
  }

  func put(_ bytes: [UInt8], at offset: Int = 0) throws(CheckpointError) -> UInt64 {
    // What an image says may be of any length.
    guard offset + bytes.count <= CallInjector.argumentByteCount else {
      throw .malformed(.cutShort)
    }
    return try inside(id) { () throws(InjectionError) in try injector.put(bytes, at: offset) }
  }

  func put(words: [UInt64], at offset: Int = 0) throws(CheckpointError) -> UInt64 {
    let bytes: [UInt8] = words.flatMap(\.littleEndianBytes)
    return try put(bytes, at: offset)
  }

  // MARK: A process that has ended

  /// Ends as the saved one had: its parent finds it and its status.
  func end() throws(CheckpointError) {
    try take()
    // Images may be without either.
    if !state.name.isEmpty {
      try set(name: state.name)
      setMemoryPriority()
    }
    try setCredentials(of: 0)
    let status = state.status
    guard status & 0x7f == 0 else {
      // No core file, though the signal may be one that leaves some.
      let none = try put(words: [0, 0])
      try call(.prlimit64, "prlimit64", 0, 4, none, 0)
      try inside(id) { () throws(InjectionError) in try injector.leave() }
      try about(id) { () throws(SystemCallError) in
        try leader.set(signalMask: 0)
        try leader.resume(signal: status & 0x7f)
        while try leader.wait()?.isEnd == false { try leader.resume(signal: status & 0x7f) }
      }
      return
    }
    try exit(status >> 8 & 0xff)
  }

  func exit(_ status: Int32) throws(CheckpointError) {
    do throws(InjectionError) {
      _ = try injector.callForResult(.exitGroup, [UInt64(UInt32(bitPattern: status))])
    } catch {
      guard case .ended = error else { throw .injected(error, process: id) }
    }
  }

  // MARK: A process that is there only for a while

  /// Makes one with this number, which leads others to where they belong.
  func makeTransient(_ number: Int32, exitSignal: Int32) throws(CheckpointError) -> ProcessBuilder {
    try take()
    var transient = ProcessState()
    (transient.id, transient.processGroup) = (number, number)
    transient.exitSignal = exitSignal
    let builder = try ProcessBuilder(
      transient, stub: try makeChild(transient), restoration)
    try builder.enter()
    return builder
  }

  /// Ends it, and takes its status.
  func endTransient(_ transient: ProcessBuilder) throws(CheckpointError) {
    try transient.take()
    try transient.exit(0)
    try take()
    // __WALL
    try call(
      .wait4, "wait4", UInt64(UInt32(bitPattern: transient.state.id)), 0, 0x4000_0000, 0)
  }

  // MARK: Steps, in their order

  /// Gets ready to call: from here on, calls run in a scratch area that neither the stub's nor the saved
  /// memory uses.
  func enter() throws(CheckpointError) {
    let id = id
    if injector != nil {
      stubRegisters = try about(id) { () throws(SystemCallError) in try leader.registers() }
      return
    }
    let areas = try about(id) { () throws(SystemCallError) in
      try MemoryArea.all(of: id, withFlags: false)
    }
    let found = try about(id) { () throws(SystemCallError) in
      try CallInstruction.find(in: areas, memory)
    }
    guard let instruction = found,
      let hole = Self.hole(
        besides: areas.map(\.addresses) + state.areas.map(\.addresses), byteCount: 1 << 20)
    else { throw .inconsistent(.overlappingAreas) }
    let registers = try about(id) { () throws(SystemCallError) in try leader.registers() }
    stubRegisters = registers
    injector = try inside(id) { () throws(InjectionError) in
      try CallInjector(
        in: leader, registers: registers, ownInstruction: instruction, at: hole)
    }
    try inside(id) { () throws(InjectionError) in
      try injector.enter(leader, registers: registers)
    }
    // Registered memory is about to go, and the kernel writes there at every return to the process.
    if let sequences = try about(
      id,
      { () throws(SystemCallError) in
        try leader.restartableSequences()
      })
    {
      try call(
        .rseq, "rseq", sequences.address, UInt64(sequences.byteCount), 1,
        UInt64(sequences.signature))
    }
  }

  static let endOfAddresses: UInt64 = 0x7fff_ffff_f000

  /// Makes a process that will become `child`: a child, or another child of its own parent, that shares with
  /// it what clone(2)'s flags say. Returns its only thread.
  func makeChild(
    _ child: ProcessState, isSibling: Bool = false, sharing: UInt64 = 0
  ) throws(CheckpointError) -> TracedThread {
    try take()
    // A sibling ends with the same signal as the one that makes it (CLONE_PARENT).
    let made = try clone(
      flags: sharing | (isSibling ? 0x8000 : 0),
      exitSignal: isSibling ? 0 : UInt64(UInt32(bitPattern: child.exitSignal)), id: child.id)
    let thread = TracedThread(inherited: made, of: made, options: leader.options)
    try waitForBirth(of: thread)
    return thread
  }

  static let sharedMemory: UInt64 = 0x100

  /// setsid(2), for a process that led its session, or that is to have one of its own.
  func startSession() throws(CheckpointError) {
    try take()
    try call(.setsid, "setsid")
    leadsSession = true
  }

  func joinGroup() throws(CheckpointError) {
    try take()
    try call(.setpgid, "setpgid", 0, UInt64(UInt32(bitPattern: state.processGroup)))
  }

  func clone(
    flags: UInt64, exitSignal: UInt64, id wanted: Int32
  ) throws(CheckpointError) -> ProcessID {
    let numbers = try put(words: [UInt64(UInt32(bitPattern: wanted))], at: 256)
    // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    // set_tid, set_tid_size, cgroup
    let arguments = try put(words: [flags, 0, 0, 0, exitSignal, 0, 0, 0, numbers, 1, 0])
    var patience = NumberPatience(ProcessID(wanted), isOurs: !restoration.isInNamespace)
    while true {
      do throws(InjectionError) {
        return try injector.callThatMakes(.clone3, "clone3", [arguments, 88])
      } catch {
        guard case .refused(_, .fileExists) = error else { throw .injected(error, process: id) }
        try patience.pause()
      }
    }
  }

  func waitForBirth(of thread: TracedThread) throws(CheckpointError) {
    while true {
      let stop = try about(id) { () throws(SystemCallError) in try thread.wait() }
      switch stop {
      // A thread of a process that is stopped already comes to life as stopped.
      case .interrupted, .groupStopped: return
      case .exited, .killed, nil: throw .vanished(thread.id)
      default: try about(id) { () throws(SystemCallError) in try thread.resume() }
      }
    }
  }

  /// What needs files that the process will not have: to be called when memory has its content.
  func prepare() throws(CheckpointError) {
    try take()
    if state.ownsMemory {
      try describeMemory()
      try setMemoryOptions()
    }
    if state.sharing.filesystem == 0 { try takeDirectories() }
  }

  /// Everything else but the threads' registers: to be called when all are prepared, first for those that
  /// others share something with.
  func complete() throws(CheckpointError) {
    try take()
    try setFiltersAside()
    if state.sharing.descriptors == 0 { try placeDescriptors() }
    try setPersonality()
    try makeThreads()
    if state.sharing.descriptors == 0 {
      try lockFiles()
      try setOwners()
    }
    if state.sharing.signalActions == 0 { try setSignalActions() }
    try takeStops()
    try setTimers()
    try makeTimers()
    try setOwnOptions()
    setMemoryPriority()
    for signal in signalsToQueue(of: state.pendingSignals) {
      try call(
        .rtSigqueueinfo, "rt_sigqueueinfo", UInt64(UInt32(bitPattern: state.id)),
        UInt64(UInt32(bitPattern: signal.signal)), try put(signal.bytes))
    }
    try settle(0)
    if threads.count == 1 { try setLimits() }
    try setCredentials(of: 0)
    try beginCall(0)
    try inside(id) { () throws(InjectionError) in try injector.leave() }
    for index in threads.indices.dropFirst() {
      let others = try about(id) { () throws(SystemCallError) in try threads[index].registers() }
      try inside(id) { () throws(InjectionError) in
        try injector.enter(threads[index], registers: others)
      }
      try settle(index)
      // More signals may wait than are allowed now.
      if index == threads.count - 1 { try setLimits() }
      try setCredentials(of: index)
      try beginCall(index)
      try inside(id) { () throws(InjectionError) in try injector.leave() }
    }
  }

  /// The last that this process is made to call.
  func removeScratch() throws(CheckpointError) {
    guard state.ownsMemory, let stubRegisters else { return }
    if state.memory.refusesExecution != 0 {
      try take()
      try call(
        .prctl, "prctl(PR_SET_MDWE)", 65, UInt64(state.memory.refusesExecution), 0, 0, 0)
      try inside(id) { () throws(InjectionError) in try injector.leave() }
    }
    try inside(id) { () throws(InjectionError) in
      try injector.remove(in: leader, registers: stubRegisters)
    }
  }

  /// SIGSTOP
  static let stop: Int32 = 19

  /// Those of waiting signals that are queued again. A stop is sent at the end, and some timers send their own.
  func signalsToQueue(of waiting: [[UInt8]]) -> [SignalInformation] {
    waiting.map(SignalInformation.init).filter { signal in
      signal.signal != Self.stop && !(signal.timer.map(timersThatSignal.contains) ?? false)
    }
  }

  /// Makes a call that the process can do without.
  func want(
    _ call: KernelCall, _ arguments: [UInt64], _ place: String, _ reason: String
  ) throws(CheckpointError) {
    let result = try inside(id) { () throws(InjectionError) in
      try injector.callForResult(call, arguments)
    }
    if result < 0 { restoration.warn(state.id, place, reason) }
  }

  func takeDirectories() throws(CheckpointError) {
    let workingDirectory = try directory(state.workingDirectory)
    if state.root != "/" {
      try call(.fchdir, "fchdir", try directory(state.root))
      try call(.chroot, "chroot", try put(Array(".".utf8) + [0]))
    }
    try call(.fchdir, "fchdir", workingDirectory)
    try call(.umask, "umask", UInt64(state.umask))
  }

  /// A descriptor for a directory, as it is among the mounts that the process has.
  func directory(_ path: String) throws(CheckpointError) -> UInt64 {
    guard restoration.isInNamespace else { return try restoration.number(ofDirectory: path) }
    let place = restoration.place(of: path).pathBytes + [0]
    guard place.count <= 4096 else { throw .malformed(.outOfRange(9)) }
    let address = try put(place)
    return UInt64(
      try inside(id) { () throws(InjectionError) in
        try injector.call(.open, "open", [address, 0o10200000])  // O_PATH | O_DIRECTORY
      })
  }

  func setSignalActions() throws(CheckpointError) {
    // To ignore signals forgets those that wait: of children that were made only to end.
    let ignored = try put(words: [1, 0, 0, 0])
    try call(.rtSigaction, "rt_sigaction", 17, ignored, 0, 8)
    // What this process ignores, its stub ignores too.
    let chosen = Set(state.signalActions.map(\.signal))
    let usual = try put(words: [0, 0, 0, 0])
    for signal in Int32(1)...64 where !chosen.contains(signal) && signal != 9 && signal != 19 {
      try call(.rtSigaction, "rt_sigaction", UInt64(signal), usual, 0, 8)
    }
    for action in state.signalActions {
      let place = try put(words: [action.handler, action.flags, action.restorer, action.mask])
      try call(
        .rtSigaction, "rt_sigaction", UInt64(UInt32(bitPattern: action.signal)), place, 0, 8)
    }
  }

  func setOwnOptions() throws(CheckpointError) {
    if state.isSubreaper { try call(.prctl, "prctl(PR_SET_CHILD_SUBREAPER)", 36, 1) }
    // MEMBARRIER_CMD_REGISTER_… are powers of two; PRIVATE_EXPEDITED_SYNC_CORE and _RSEQ among them.
    for bit in UInt64(0)..<32 where state.memoryBarriers >> bit & 1 == 1 {
      try want(.membarrier, [1 << bit], "membarrier(2)", "it could not be registered")
    }
    if state.ownsMemory, let filter = state.coreFilter {
      let text = Array("0x\(String(filter, radix: 16))".utf8)
      do throws(SystemCallError) {
        try OwnedDescriptor.open("\(id.folder)/coredump_filter", access: .writeOnly)
          .writeStream(text.rawBytes, range: 0..<text.count)
      } catch {
        restoration.warn(state.id, "/proc/\(id)/coredump_filter", "it could not be set")
      }
    }
  }
}

extension FixedWidthInteger {
  var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
  }
}
