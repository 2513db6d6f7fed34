import BinaryCodec
import LinuxSystem
import SystemPackage

/// Takes down a frozen process: what /proc and ptrace show, then what only the process itself can ask.
struct ProcessCapture {
  let process: FrozenProcess
  private(set) var state = ProcessState()
  private(set) var threads: [ThreadCapture] = []
  private(set) var areas: [MemoryArea] = []
  /// Children of whose stop it has not been told yet (waitid(2)).
  private(set) var untoldStops: Set<ProcessID> = []
  /// Descriptors that exec keeps, though /proc says otherwise.
  private(set) var keptOnExec: Set<Int32> = []
  /// modify_ldt(2)
  private var hasOwnSegments = false

  private let foreknowledge: Foreknowledge?

  init(
    _ process: FrozenProcess, _ clocks: RunQueueClocks, _ foreknowledge: Foreknowledge?
  ) throws(CheckpointError) {
    self.process = process
    self.foreknowledge = foreknowledge
    try requireFirstThread()
    try about(process.id) { () throws(SystemCallError) in try lookFromOutside() }
    if process.isZombie { return }
    try FolderCheck.require(process.id, state)
    for thread in process.threads {
      threads.append(try ThreadCapture(thread, of: process, clocks))
      try requireCommonThings(thread.id)
    }
    try askInside()
    try about(process.id) { () throws(SystemCallError) in try takeLateSignals() }
    // What was kept from acting on our calls waits as well; of these, only their numbers matter.
    for signal in Set(process.heldSignals) {
      state.pendingSignals.append(
        UInt32(bitPattern: signal).littleEndianBytes + [UInt8](repeating: 0, count: 124))
    }
  }

  private mutating func takeLateSignals() throws(SystemCallError) {
    let signals = try process.leader.pendingSignals(ofProcess: true)
    LateSignals.note(signals, since: state.pendingSignals, in: &state)
    state.pendingSignals = signals
    for index in threads.indices {
      let signals = try threads[index].thread.pendingSignals(ofProcess: false)
      LateSignals.note(signals, since: threads[index].state.pendingSignals, in: &state)
      threads[index].state.pendingSignals = signals
    }
  }

  /// What stands for the process is its first thread; nobody can be made that has ended before the others.
  private func requireFirstThread() throws(CheckpointError) {
    guard process.isZombie, process.status.threadCount > 1 else { return }
    throw .obstacles([
      Obstacle(
        process.id, "its first thread", "it has ended, while other threads of the process run on")
    ])
  }

  /// What threads of a process have together, unless they chose otherwise.
  private func requireCommonThings(_ thread: ProcessID) throws(CheckpointError) {
    let leader = id
    if thread == leader { return }
    for (resource, name) in [
      (SharedResource.descriptors, "table of descriptors"), (.filesystem, "folders and umask"),
    ] {
      let isCommon = try about(leader) { () throws(SystemCallError) in
        try thread.shares(resource, with: leader)
      }
      if isCommon { continue }
      throw .obstacles([
        Obstacle(
          leader, "thread \(thread)", "it has a \(name) of its own (unshare(2))")
      ])
    }
  }

  private var id: ProcessID { process.id }

  // MARK: From outside

  private mutating func lookFromOutside() throws(SystemCallError) {
    let status = process.status
    state.id = id.number
    state.parent = status.parent.number
    state.processGroup = status.processGroup.number
    state.session = status.session.number
    state.exitSignal = Int32(truncatingIfNeeded: status.number(38))
    state.credentials = Credentials(of: status)
    if process.isZombie {
      state.life = .zombie
      state.status = Int32(truncatingIfNeeded: status.number(52))
      state.name = status.name
      state.oomScoreAdjustment = Int64(text(of: "oom_score_adj")) ?? 0
      return
    }
    if let signal = process.stopSignal {
      state.life = .stopped
      state.status = signal
    }
    state.executable = try Files.linkTarget("\(id.folder)/exe")
    state.workingDirectory = try Files.linkTarget("\(id.folder)/cwd")
    state.root = try Files.linkTarget("\(id.folder)/root")
    state.umask = UInt32(status.line("Umask"), radix: 8) ?? 0o22
    state.personality = UInt32(text(of: "personality"), radix: 16) ?? 0
    state.oomScoreAdjustment = Int64(text(of: "oom_score_adj")) ?? 0
    state.limits = try id.limits()
    state.pendingSignals = try process.leader.pendingSignals(ofProcess: true)
    process.pendingSignals = state.pendingSignals
    state.coreFilter = UInt32(text(of: "coredump_filter"), radix: 16)
    state.timers = try timers()
    state.memory.auxiliaryVector = try Files.contents(of: "\(id.folder)/auxv")
    if let foreknowledge {
      areas = try foreknowledge.areas(of: id)
    } else {
      areas = try MemoryArea.all(of: id)
    }
    for index in areas.indices where areas[index].deletedPath != nil {
      areas[index].isNamedDeleted = id.namesFile(behind: areas[index], areas[index].name)
    }
    state.kernelCode = try KernelCode(in: areas, ProcessMemory(of: id))?.words ?? []
  }

  private func timers() throws(SystemCallError) -> [TimerState] {
    let path = "\(id.folder)/timers"
    let text = String(decoding: try Files.contents(of: path), as: UTF8.self)
    guard let timers = TimerState.parse(text) else {
      throw SystemCallError(call: "read", subject: path, errno: .invalidArgument)
    }
    return timers
  }

  /// A small file of /proc without its line end; empty where there is none.
  private func text(of name: String) -> String {
    let bytes = (try? Files.contents(of: "\(id.folder)/\(name)")) ?? []
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  // MARK: From inside

  private mutating func askInside() throws(CheckpointError) {
    let pin = ProcessorPin(processor: process.status.processor)
    defer { pin.release() }
    let leader = threads[0]
    let injector = try makeInjector()
    var failure: CheckpointError?
    do throws(CheckpointError) {
      do throws(SystemCallError) {
        try lookAtLocks(injector)
      } catch {
        throw .system(error, process: id)
      }
      try inside(id) { () throws(InjectionError) in try askAll(injector) }
      if hasOwnSegments {
        throw .obstacles([
          Obstacle(id, "its memory", "it has segments of its own (modify_ldt(2))")
        ])
      }
    } catch {
      failure = error
    }
    // Whatever went wrong, the process shall have its memory back as it was.
    do throws(CheckpointError) {
      try inside(id) { () throws(InjectionError) in
        try injector.leave()
        try injector.remove(in: leader.thread, registers: leader.registersToResume)
      }
    } catch {
      failure = failure ?? error
    }
    process.heldSignals += injector.heldSignals
    if let failure { throw failure }
    try about(id) { () throws(SystemCallError) in
      for thread in threads {
        try thread.thread.set(thread.registersToResume)
        process.unsettled[thread.thread.id] = thread.unsettledRegisters
      }
    }
  }

  /// What makes calls in the process.
  func makeInjector() throws(CheckpointError) -> CallInjector {
    let memory = try about(id) { () throws(SystemCallError) in try ProcessMemory(of: id) }
    let found = try about(id) { () throws(SystemCallError) in
      try CallInstruction.find(in: areas, memory)
    }
    guard let instruction = found else {
      throw .obstacles([
        Obstacle(
          id, "its vdso",
          areas.contains { $0.name == "[vdso]" }
            ? "it has no system call instruction, so nothing can be asked of it"
            : "there is none, as under valgrind, so nothing can be asked of the program")
      ])
    }
    return try makeInjector(memory, instruction)
  }

  private func makeInjector(
    _ memory: borrowing ProcessMemory, _ instruction: UInt64
  ) throws(CheckpointError) -> CallInjector {
    let leader = threads[0]
    do throws(InjectionError) {
      let path: ReturnPath?
      do throws(SystemCallError) {
        path = try ReturnPath.find(
          in: areas, memory, stackPointer: leader.registersToResume.stackPointer)
      } catch {
        throw .tracing(error)
      }
      return try CallInjector(
        in: leader.thread, registers: leader.registersToResume, ownInstruction: instruction,
        returnPath: path)
    } catch {
      guard case .refused(_, let errno) = error,
        errno == .permissionDenied || errno == .notPermitted
      else { throw .injected(error, process: id) }
      throw .obstacles([
        Obstacle(
          id, "its memory",
          "it may not be written and executed (PR_SET_MDWE, or a security policy), so nothing can be asked of it"
        )
      ])
    }
  }

  /// Locks on memory to come show in the memory that came with us: the areas were listed before.
  private mutating func lookAtLocks(_ injector: CallInjector) throws(SystemCallError) {
    let before = areas.filter { $0.flags.contains("lo") }.reduce(0) { $0 + $1.byteCount }
    let now = try ProcessStatus(of: id).numbers("VmLck").first ?? 0
    guard now << 10 > before else { return }
    let last = injector.scratch.upperBound - 4096..<injector.scratch.upperBound
    let isFilled = try !PageScan(of: id).runs(in: last, wanted: .present, excluded: []).isEmpty
    state.memory.lockedInFuture = isFilled ? 2 : 2 | 4  // MCL_FUTURE, MCL_ONFAULT
  }

  private mutating func askAll(_ injector: CallInjector) throws(InjectionError) {
    try injector.enter(threads[0].thread, registers: threads[0].registersToResume)
    try askProcess(injector)
    try askTerminals(injector)
    try askThread(0, injector)
    try injector.leave()
    for index in threads.indices.dropFirst() {
      try injector.enter(threads[index].thread, registers: threads[index].registersToResume)
      try askThread(index, injector)
      try injector.leave()
    }
  }

  private mutating func askProcess(_ injector: CallInjector) throws(InjectionError) {
    let chosen = process.status.set("SigCgt") | process.status.set("SigIgn") | 1 << 16  // SIGCHLD
    for signal in 1...64 where chosen >> UInt64(signal - 1) & 1 == 1 {
      try injector.call(
        .rtSigaction, "rt_sigaction", [UInt64(signal), 0, injector.argumentAddress, 8])
      let words = try injector.words(4)
      var action = SignalAction()
      action.signal = Int32(signal)
      (action.handler, action.flags, action.restorer, action.mask) = (
        words[0], words[1], words[2], words[3]
      )
      state.signalActions.append(action)
    }
    for timer in 0..<3 {
      try injector.call(.getitimer, "getitimer", [UInt64(timer), injector.argumentAddress])
      state.intervalTimers += try injector.words(4)
    }
    for index in state.timers.indices {
      let id = UInt64(UInt32(bitPattern: state.timers[index].id))
      try injector.call(.timerGettime, "timer_gettime", [id, injector.argumentAddress])
      state.timers[index].times = try injector.words(4)
    }
    let status = process.status
    let end = UInt64(bitPattern: Int64(try injector.callForResult(.brk, [0])))
    state.memory.places = [
      status.number(26), status.number(27), status.number(45), status.number(46),
      status.number(47), end, status.number(28), status.number(48), status.number(49),
      status.number(50), status.number(51),
    ]
    state.isDumpable = UInt8(
      truncatingIfNeeded: try injector.call(.prctl, "prctl(PR_GET_DUMPABLE)", [3]))
    state.credentials.secureBits = UInt32(
      truncatingIfNeeded: try injector.call(.prctl, "prctl(PR_GET_SECUREBITS)", [27]))
    // PR_GET_THP_DISABLE and PR_GET_MEMORY_MERGE, where the kernel knows them
    state.memory.avoidsHugePages = UInt32(max(0, try injector.callForResult(.prctl, [42])))
    state.memory.mergesPages = try injector.callForResult(.prctl, [68]) == 1
    for child in process.stoppedChildren {
      try injector.put([UInt8](repeating: 0, count: 128))
      // P_PID; WNOHANG | WSTOPPED | WNOWAIT
      let result = try injector.callForResult(
        .waitid,
        [1, UInt64(UInt32(bitPattern: child.number)), injector.argumentAddress, 0x100_0003, 0])
      if result == 0, try injector.words(1)[0] & 0xffff_ffff != 0 { untoldStops.insert(child) }
    }
    // PR_GET_MDWE, PR_MCE_KILL_GET, ARCH_GET_CPUID and MEMBARRIER_CMD_GET_REGISTRATIONS, likewise
    state.memory.refusesExecution = UInt32(max(0, try injector.callForResult(.prctl, [66])))
    let policy = try injector.callForResult(.prctl, [34])
    if policy >= 0 { state.machineCheckPolicy = UInt32(policy) }
    state.mayIdentifyProcessor = try injector.callForResult(.archPrctl, [0x1011]) != 0
    state.memoryBarriers = UInt32(max(0, try injector.callForResult(.membarrier, [512])))
    // Reading; nothing is read where there are none, or the kernel knows none.
    hasOwnSegments =
      try injector.callForResult(.modifyLdt, [0, injector.argumentAddress, 8]) > 0
    try injector.call(.prctl, "prctl(PR_GET_CHILD_SUBREAPER)", [37, injector.argumentAddress])
    state.isSubreaper = try injector.words(1)[0] & 0xff != 0
  }

  /// What TIOCGPTPEER opened with O_CLOEXEC shows that in /proc for ever, also under numbers that exec keeps.
  private mutating func askTerminals(_ injector: CallInjector) throws(InjectionError) {
    for number in (try? DescriptorInfo.numbers(of: id)) ?? [] {
      guard let link = try? Files.linkTarget("\(id.folder)/fd/\(number)"),
        link.hasPrefix("/dev/pts/"), let info = try? DescriptorInfo(number, of: id),
        info.closesOnExec
      else { continue }
      let flags = try injector.call(.fcntl, "fcntl(F_GETFD)", [UInt64(number), 1])
      if flags == 0 { keptOnExec.insert(number) }
    }
  }

  private mutating func askThread(
    _ index: Int, _ injector: CallInjector
  ) throws(InjectionError) {
    // struct stack_t: address, flags (4 bytes and padding), size
    try injector.call(.sigaltstack, "sigaltstack", [0, injector.argumentAddress])
    let stack = try injector.words(3)
    threads[index].state.alternateStack = [stack[0], stack[1] & 0xffff_ffff, stack[2]]
    try injector.call(.prctl, "prctl(PR_GET_TID_ADDRESS)", [40, injector.argumentAddress])
    threads[index].state.clearTIDAddress = try injector.words(1)[0]
    if !threads[index].hasTimerSlack {
      let slack = try injector.call(.prctl, "prctl(PR_GET_TIMERSLACK)", [30])
      threads[index].state.timerSlackNanoseconds = UInt64(slack)
    }
    try injector.call(.prctl, "prctl(PR_GET_PDEATHSIG)", [2, injector.argumentAddress])
    threads[index].state.parentDeathSignal = Int32(
      truncatingIfNeeded: try injector.words(1)[0] & 0xff)
    try injector.call(.prctl, "prctl(PR_GET_TSC)", [25, injector.argumentAddress])
    threads[index].state.timeStampCounter = UInt32(truncatingIfNeeded: try injector.words(1)[0])
    if index == 0 { return }
    var own = threads[index].state.credentials ?? state.credentials
    own.secureBits = UInt32(
      truncatingIfNeeded: try injector.call(.prctl, "prctl(PR_GET_SECUREBITS)", [27]))
    if own != state.credentials { threads[index].state.credentials = own }
    // PR_MCE_KILL_GET
    let policy = try injector.callForResult(.prctl, [34])
    if policy >= 0, policy != Int(state.machineCheckPolicy) {
      threads[index].state.machineCheckPolicy = UInt32(policy)
    }
  }

  /// The state with its threads.
  var result: ProcessState {
    var state = state
    state.threads = threads.map(\.state)
    return state
  }

  /// Whether its parent is yet to be told that it was stopped.
  mutating func set(isStopUntold: Bool) { state.isStopUntold = isStopUntold }

  /// What it has together with other processes.
  mutating func set(sharing: SharingState) { state.sharing = sharing }

  /// Puts in what others have found out.
  mutating func set(areas: [AreaState], descriptors: [DescriptorState]) {
    state.areas = areas
    state.descriptors = descriptors
  }
}

extension CallInjector {
  /// Words of eight bytes that a call left where arguments lie.
  func words(_ count: Int) throws(InjectionError) -> [UInt64] {
    let bytes = try get(8 * count)
    return (0..<count).map { word in
      (0..<8).reduce(0) { $0 | UInt64(bytes[8 * word + $1]) << UInt64(8 * $1) }
    }
  }
}

extension Credentials {
  init(of status: ProcessStatus) {
    users = status.numbers("Uid")
    groups = status.numbers("Gid")
    supplementaryGroups = status.numbers("Groups")
    capabilities = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map { status.set($0) }
    hasNoNewPrivileges = status.numbers("NoNewPrivs").first == 1
  }
}
