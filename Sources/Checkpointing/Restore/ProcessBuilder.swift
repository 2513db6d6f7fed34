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
  /// The calls that threads have begun with the time that was left, and what came of them.
  private var begun: [Int: Int] = [:]
  /// With what each thread goes on.
  private var finalRegisters: [Registers] = []
  var threads: [TracedThread] = []
  private let memory: ProcessMemory
  /// Where descriptions are until the descriptors have their numbers.
  var received: [UInt32: UInt64] = [:]
  /// The terminal that its session has got, under the number that it has here for now.
  var terminal: UInt64?
  /// What of its memory it has of its parent.
  var inherited: [Range<UInt64>] = []

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

  private func exit(_ status: Int32) throws(CheckpointError) {
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

  /// A place for so many bytes that nobody uses.
  static func hole(besides used: [Range<UInt64>], byteCount: UInt64) -> UInt64? {
    var candidate: UInt64 = 1 << 32
    for range in used.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound >= candidate + 2 * byteCount { break }
      candidate = max(candidate, (range.upperBound + byteCount) & ~(byteCount - 1))
    }
    return candidate + byteCount < endOfAddresses ? candidate : nil
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

  /// setsid(2), for a process that led its session.
  func startSession() throws(CheckpointError) {
    try take()
    try call(.setsid, "setsid")
  }

  func joinGroup() throws(CheckpointError) {
    try take()
    try call(.setpgid, "setpgid", 0, UInt64(UInt32(bitPattern: state.processGroup)))
  }

  private func clone(
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

  private func waitForBirth(of thread: TracedThread) throws(CheckpointError) {
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

  /// Removes the stub's memory and maps the saved process's, all empty but for what files give.
  func layOutMemory() throws(CheckpointError) {
    try take()
    let scratch = injector.scratch
    try call(.munmap, "munmap", 0, scratch.lowerBound)
    try call(
      .munmap, "munmap", scratch.upperBound, Self.endOfAddresses - scratch.upperBound)
    try call(.personality, "personality", UInt64(state.personality))
    try placeKernelPages()
    for area in state.areas where area.content != .kernel { try map(area) }
    for area in state.neighboursApart {
      try call(.madvise, "madvise", area.address, area.byteCount, area.otherDumpAdvice)
    }
  }

  /// vvar and vdso where they were: the kernel maps them in one piece (arch/x86/entry/vdso/vma.c).
  private func placeKernelPages() throws(CheckpointError) {
    let pages = state.areas.filter { $0.content == .kernel }
    guard let first = pages.map(\.address).min(),
      let vdso = pages.first(where: { $0.name == "[vdso]" })
    else { return }
    try call(.archPrctl, "arch_prctl(ARCH_MAP_VDSO_64)", 0x2003, first)
    let id = id
    let now = try about(id) { () throws(SystemCallError) in
      try MemoryArea.all(of: id, withFlags: false)
    }
    guard let found = now.first(where: { $0.name == "[vdso]" }), found.addresses == vdso.addresses
    else {
      throw .obstacles([
        Obstacle(
          id, "the vdso", "it has another size or place under this kernel than when it was saved",
          remedy: "restore under the kernel that it was saved under")
      ])
    }
    injector.ownInstruction =
      try about(id) { () throws(SystemCallError) in
        try CallInstruction.find(in: now, memory)
      } ?? injector.ownInstruction
  }

  func map(_ area: AreaState) throws(CheckpointError) {
    if area.content == .object, let segment = try restoration.object(Int(area.object)).segment {
      try attach(area, segment)
    } else {
      try mapPages(of: area)
    }
    for flag in area.flags {
      guard let advice = Self.advice[flag], !area.isDroppable else { continue }
      try call(.madvise, "madvise", area.address, area.byteCount, advice)
    }
    try installGuards(in: area)
    for kind in ["[anon:", "[anon_shmem:"] where area.name.hasPrefix(kind) {
      let name = try put(Array(area.name.dropFirst(kind.count).dropLast().utf8.prefix(79)) + [0])
      // PR_SET_VMA, PR_SET_VMA_ANON_NAME
      try call(.prctl, "prctl(PR_SET_VMA)", 0x5356_4d41, 0, area.address, area.byteCount, name)
    }
  }

  private func installGuards(in area: AreaState) throws(CheckpointError) {
    guard area.flags.contains("gu") else { return }
    for index in stride(from: 0, to: area.guards.count, by: 2) {
      // MADV_GUARD_INSTALL
      try call(
        .madvise, "madvise(MADV_GUARD_INSTALL)", area.guards[index],
        area.guards[index + 1] - area.guards[index], 102)
    }
    // Once there were some: neighbours that differ in that do not become one area.
    if area.guards.isEmpty {
      try call(.madvise, "madvise(MADV_GUARD_INSTALL)", area.address, 4096, 102)
      try call(.madvise, "madvise(MADV_GUARD_REMOVE)", area.address, 4096, 103)
    }
  }

  /// System V memory is attached as a whole; what had been unmapped of it goes again.
  private func attach(_ area: AreaState, _ segment: ObjectState) throws(CheckpointError) {
    let (end, overflow) = area.offset.addingReportingOverflow(area.byteCount)
    let whole = segment.pages.upperBound
    guard !overflow, end <= whole else { throw .inconsistent(.overlappingAreas) }
    var size: UInt64 = 1 << 20
    while size < whole { size *= 2 }
    guard
      let place = Self.hole(
        besides: state.areas.map(\.addresses) + [injector.scratch], byteCount: size)
    else { throw .inconsistent(.overlappingAreas) }
    // SHM_RDONLY, SHM_EXEC
    let flags: UInt64 =
      (area.needsWriting ? 0 : 0o10000) | (area.protection & 4 != 0 ? 0o100000 : 0)
    try call(.shmat, "shmat", UInt64(UInt32(bitPattern: segment.id)), place, flags)
    // MREMAP_MAYMOVE | MREMAP_FIXED
    try call(
      .mremap, "mremap", place + area.offset, area.byteCount, area.byteCount, 3, area.address)
    if area.offset > 0 { try call(.munmap, "munmap", place, area.offset) }
    if end < whole { try call(.munmap, "munmap", place + end, whole - end) }
    try call(.mprotect, "mprotect", area.address, area.byteCount, UInt64(area.protection))
  }

  private func mapPages(of area: AreaState) throws(CheckpointError) {
    // MAP_SHARED, MAP_DROPPABLE or MAP_PRIVATE; MAP_FIXED_NOREPLACE
    var flags: UInt64 = (area.isShared ? 0x01 : area.isDroppable ? 0x08 : 0x02) | 0x10_0000
    if area.content == .anonymous { flags |= 0x20 }
    if area.flags.contains("gd") { flags |= 0x100 }
    if area.flags.contains("nr") { flags |= 0x4000 }
    // One that will be protected has to be written first.
    let protection = UInt64(area.protection) | (area.wasWritable ? 2 : 0)
    try call(
      .mmap, "mmap", area.address, area.byteCount, protection, flags,
      try restoration.number(of: area), area.content == .anonymous ? 0 : area.offset)
  }

  /// The quicker way to fill memory, where this process may use it and has enough to fill.
  func takeFilling() throws(SystemCallError) -> SpaceMemory.Filling? {
    let inherited = inherited
    let areas = state.areas.filter { area in
      // Where pages shall be huge, writing makes them so; and where some are there already, no others are
      // missing.
      area.content == .anonymous && area.keepsPages && !area.flags.contains("hg")
        && !inherited.contains { $0.lowerBound == area.address }
    }
    guard areas.reduce(0, { $0 + $1.byteCount }) >= Self.leastToFill, !Machine.usesHugePages,
      let number = try? injector.callForResult(.userfaultfd, [PageFiller.flags]), number >= 0
    else { return nil }
    let descriptor = try? id.openDescriptor().takeDescriptor(Int32(number))
    _ = try? injector.callForResult(.close, [UInt64(number)])
    guard let descriptor, let filler = try? PageFiller(descriptor) else { return nil }
    var ranges: [Range<UInt64>] = []
    for area in areas.sorted(by: { $0.address < $1.address }) {
      // An area that can't be filled so is written.
      if (try? filler.register(area.addresses)) != nil { ranges.append(area.addresses) }
    }
    return SpaceMemory.Filling(filler: filler, ranges: ranges)
  }

  private static let leastToFill: UInt64 = 4 << 20

  private static let advice: [String: UInt64] = [
    "hg": 14, "nh": 15, "dd": 16, "dc": 10, "wf": 18, "mg": 12, "rr": 1, "sr": 2,
  ]

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
    try setLimits()
    setMemoryPriority()
    for signal in state.pendingSignals where Self.number(of: signal) != Self.stop {
      try call(
        .rtSigqueueinfo, "rt_sigqueueinfo", UInt64(UInt32(bitPattern: state.id)),
        Self.number(of: signal), try put(signal))
    }
    try settle(0)
    try setCredentials(of: 0)
    try beginCall(0)
    try inside(id) { () throws(InjectionError) in try injector.leave() }
    for index in threads.indices.dropFirst() {
      let others = try about(id) { () throws(SystemCallError) in try threads[index].registers() }
      try inside(id) { () throws(InjectionError) in
        try injector.enter(threads[index], registers: others)
      }
      try settle(index)
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
  private static let stop: UInt64 = 19

  private static func number(of information: [UInt8]) -> UInt64 {
    information.prefix(4).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func describeMemory() throws(CheckpointError) {
    guard state.memory.places.count == 11, state.memory.auxiliaryVector.count <= 4096 else {
      throw .malformed(.outOfRange(13))
    }
    let vector = try put(state.memory.auxiliaryVector, at: 1024)
    let executable = try restoration.number(ofDirectory: state.executable)
    let count = UInt64(state.memory.auxiliaryVector.count)
    // struct prctl_mm_map
    let map = try put(words: state.memory.places + [vector, count | executable << 32])
    try call(.prctl, "prctl(PR_SET_MM_MAP)", 35, 14, map, 104)
  }

  private func setMemoryOptions() throws(CheckpointError) {
    for area in state.neighboursApart {
      try call(.madvise, "madvise", area.address, area.byteCount, area.dumpAdvice)
    }
    for area in state.areas where area.wasWritable && area.protection & 2 == 0 {
      try call(.mprotect, "mprotect", area.address, area.byteCount, UInt64(area.protection))
    }
    for area in state.areas where area.flags.contains("lo") {
      // MLOCK_ONFAULT
      try want(
        .mlock2, [area.address, area.byteCount, area.flags.contains("lf") ? 1 : 0],
        "memory at \(String(area.address, radix: 16))", "it could not be locked")
    }
    let memory = state.memory
    if memory.lockedInFuture != 0 {
      try want(
        .mlockall, [UInt64(memory.lockedInFuture)], "memory to come", "it could not be locked")
    }
    // PR_SET_THP_DISABLE: the lowest bit says whether, the others how.
    let huge = UInt64(memory.avoidsHugePages)
    try want(
      .prctl, [41, huge & 1, huge & ~1, 0, 0], "PR_SET_THP_DISABLE", "it could not be set")
    if memory.mergesPages {
      try want(.prctl, [67, 1, 0, 0, 0], "PR_SET_MEMORY_MERGE", "it could not be set")
    }
    for area in state.areas where area.flags.contains("sl") && area.content != .kernel {
      try call(.mseal, "mseal", area.address, area.byteCount, 0)
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

  private func takeDirectories() throws(CheckpointError) {
    let workingDirectory = try directory(state.workingDirectory)
    if state.root != "/" {
      try call(.fchdir, "fchdir", try directory(state.root))
      try call(.chroot, "chroot", try put(Array(".".utf8) + [0]))
    }
    try call(.fchdir, "fchdir", workingDirectory)
    try call(.umask, "umask", UInt64(state.umask))
  }

  /// A descriptor for a directory, as it is among the mounts that the process has.
  private func directory(_ path: String) throws(CheckpointError) -> UInt64 {
    guard restoration.isInNamespace else { return try restoration.number(ofDirectory: path) }
    let place = Array(restoration.place(of: path).utf8) + [0]
    guard place.count <= 4096 else { throw .malformed(.outOfRange(9)) }
    let address = try put(place)
    return UInt64(
      try inside(id) { () throws(InjectionError) in
        try injector.call(.open, "open", [address, 0o10200000])  // O_PATH | O_DIRECTORY
      })
  }

  func makeThread(_ thread: ThreadState) throws(CheckpointError) -> TracedThread {
    // VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
    let flags: UInt64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000
    let made = try clone(flags: flags, exitSignal: 0, id: thread.id)
    let traced = TracedThread(inherited: made, of: id, options: leader.options)
    try waitForBirth(of: traced)
    return traced
  }

  private func setSignalActions() throws(CheckpointError) {
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

  private func setTimers() throws(CheckpointError) {
    guard state.intervalTimers.count == 12 else { throw .malformed(.outOfRange(19)) }
    for which in 0..<3 {
      var value = Array(state.intervalTimers[4 * which..<4 * which + 4])
      if value.allSatisfy({ $0 == 0 }) { continue }
      // It had run out, and its signal waited to be delivered: the next period begins.
      if value[2] == 0 && value[3] == 0 { (value[2], value[3]) = (value[0], value[1]) }
      try call(.setitimer, "setitimer", UInt64(which), try put(words: value), 0)
    }
  }

  /// Timers of timer_create(2), under the numbers that they had.
  private func makeTimers() throws(CheckpointError) {
    if state.timers.isEmpty { return }
    // PR_TIMER_CREATE_RESTORE_IDS (Linux 6.15): the number is given, not taken.
    let choosesNumbers =
      try inside(id) { () throws(InjectionError) in
        try injector.callForResult(.prctl, [77, 1, 0, 0, 0])
      } == 0
    for timer in state.timers {
      try make(timer, choosesNumbers: choosesNumbers)
      if timer.times.allSatisfy({ $0 == 0 }) { continue }
      var times = timer.times
      // It had just run out, and its signal waited: the next period begins.
      if times[2] == 0 && times[3] == 0 { (times[2], times[3]) = (times[0], times[1]) }
      try call(
        .timerSettime, "timer_settime", UInt64(UInt32(bitPattern: timer.id)), 0,
        try put(words: times), 0)
    }
    if choosesNumbers { try call(.prctl, "prctl(PR_TIMER_CREATE_RESTORE_IDS)", 77, 0) }
  }

  private func make(_ timer: TimerState, choosesNumbers: Bool) throws(CheckpointError) {
    // struct sigevent: value, signal, notification, thread
    let event = try put(
      words: [
        timer.value,
        UInt64(UInt32(bitPattern: timer.signal))
          | UInt64(UInt32(bitPattern: timer.notification)) << 32,
        UInt64(UInt32(bitPattern: timer.thread)), 0, 0, 0, 0, 0,
      ])
    // Kernels that do not let one choose give numbers in a row.
    for _ in 0..<Self.timerNumberLimit {
      let place = try put(words: [UInt64(UInt32(bitPattern: timer.id))], at: 512)
      try call(
        .timerCreate, "timer_create", UInt64(bitPattern: Int64(timer.clock)), event, place)
      let made = try inside(id) { () throws(InjectionError) in try injector.get(4, at: 512) }
      let number = made.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      if Int32(bitPattern: number) == timer.id { return }
      try call(.timerDelete, "timer_delete", UInt64(number))
      if choosesNumbers || Int32(bitPattern: number) > timer.id { break }
    }
    throw .numberTaken(ProcessID(timer.id))
  }

  private static let timerNumberLimit = 1 << 16

  private func setOwnOptions() throws(CheckpointError) {
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

  /// Stops of children that their parent had been told of are not told again.
  private func takeStops() throws(CheckpointError) {
    for child in restoration.state.processes
    where child.parent == state.id && child.life == .stopped && !child.isStopUntold {
      _ = try inside(id) { () throws(InjectionError) in
        // WNOHANG | WUNTRACED
        try injector.callForResult(.wait4, [UInt64(UInt32(bitPattern: child.id)), 0, 3, 0])
      }
    }
  }

  /// What each thread sets for itself.
  private func settle(_ index: Int) throws(CheckpointError) {
    let thread = state.threads[index]
    if thread.alternateStack.count == 3, thread.alternateStack[1] & 2 == 0 {  // not SS_DISABLE
      // The flag that says that it is in use (SS_ONSTACK) is the kernel's to find out.
      let stack = [
        thread.alternateStack[0], thread.alternateStack[1] & ~1, thread.alternateStack[2],
      ]
      try call(.sigaltstack, "sigaltstack", try put(words: stack), 0)
    }
    try call(.setTidAddress, "set_tid_address", thread.clearTIDAddress)
    if thread.robustList.count == 2, thread.robustList[0] != 0 {
      try call(
        .setRobustList, "set_robust_list", thread.robustList[0], thread.robustList[1])
    }
    try call(.prctl, "prctl(PR_SET_TIMERSLACK)", 29, max(1, thread.timerSlackNanoseconds))
    try call(.prctl, "prctl(PR_SET_NAME)", 15, try put(Array(thread.name.prefix(15)) + [0]))
    if thread.restartableSequences.count == 3 {
      try call(
        .rseq, "rseq", thread.restartableSequences[0], thread.restartableSequences[1], 0,
        thread.restartableSequences[2])
    }
    for signal in thread.pendingSignals where Self.number(of: signal) != Self.stop {
      try call(
        .rtTgsigqueueinfo, "rt_tgsigqueueinfo", UInt64(UInt32(bitPattern: state.id)),
        UInt64(UInt32(bitPattern: thread.id)), Self.number(of: signal), try put(signal))
    }
    try installOwnFilters(of: thread)
    try setOptions(of: thread)
  }

  private func setOptions(of thread: ThreadState) throws(CheckpointError) {
    for (which, value) in thread.speculation.prefix(2).enumerated() where value != 0 {
      // PR_SET_SPECULATION_CTRL
      try want(
        .prctl, [53, UInt64(which), value, 0, 0], "PR_SET_SPECULATION_CTRL", "it could not be set")
    }
    if state.machineCheckPolicy != 2 {
      // PR_MCE_KILL, PR_MCE_KILL_SET
      try want(
        .prctl, [33, 1, UInt64(state.machineCheckPolicy), 0, 0], "PR_MCE_KILL",
        "it could not be set")
    }
    if thread.timeStampCounter != 1 {
      try want(
        .prctl, [26, UInt64(thread.timeStampCounter), 0, 0, 0], "PR_SET_TSC", "it could not be set")
    }
    if !state.mayIdentifyProcessor {
      try want(.archPrctl, [0x1012, 0], "ARCH_SET_CPUID", "it could not be set")
    }
  }

  /// Begins a call with the time that was left of it, so that the kernel knows when it ends.
  private func beginCall(_ index: Int) throws(CheckpointError) {
    let thread = state.threads[index]
    guard let remaining = thread.remainingNanoseconds else { return }
    guard thread.registers.count == Registers.wordCount else { throw .inconsistent(.registers) }
    let registers = Registers(words: thread.registers)
    let call = KernelCall(rawValue: registers.callResult)
    var arguments = registers.callArguments
    guard let timed = TimedCall(call, arguments), timed.isKept else {
      throw .inconsistent(.registers)
    }
    switch timed.timeout {
    case .milliseconds(let place): arguments[place] = TimedCall.milliseconds(remaining)
    case .time(let place):
      arguments[place] = try put(words: [remaining / 1_000_000_000, remaining % 1_000_000_000])
    }
    let wanted = arguments
    begun[index] = try inside(id) { () throws(InjectionError) in try injector.begin(call, wanted) }
  }

  /// Gives every thread its registers: from here on they go on where they were.
  func setRegisters() throws(CheckpointError) {
    for (index, saved) in state.threads.enumerated() {
      guard saved.registers.count == Registers.wordCount else { throw .inconsistent(.registers) }
      var registers = Registers(words: saved.registers)
      if let result = begun[index] { registers.goOn(after: result) }
      guard [0, 512, 513, 514].contains(saved.interruption) else { throw .inconsistent(.registers) }
      if saved.interruption != 0 { registers = registers.cutOff(by: -Int(saved.interruption)) }
      let thread = threads[index]
      let wanted = registers
      finalRegisters.append(wanted)
      try about(id) { () throws(SystemCallError) in
        try thread.set(extendedState: saved.extendedState)
        try thread.set(wanted)
        try thread.set(signalMask: saved.signalMask)
        // What it had may be none of this machine.
        if saved.affinity.isEmpty || (try? thread.id.set(affinity: saved.affinity)) == nil {
          try? thread.id.set(affinity: restoration.affinity)
        }
      }
      if saved.ioPriority != 0, (try? thread.id.set(ioPriority: saved.ioPriority)) == nil {
        restoration.warn(state.id, "thread \(saved.id)", "its ioprio_set(2) could not be set")
      }
      try set(scheduling: saved.scheduling, of: thread)
    }
  }

  // MARK: Stopping

  /// By which signal it is to be stopped when all is done; nil for one that runs on.
  func stopSignal(staysStopped: Bool) -> Int32? {
    if state.life == .stopped { return (1...31).contains(state.status) ? state.status : 19 }
    return staysStopped ? 19 : nil
  }

  /// Stops it as the signal does: from now on it is stopped for everybody, though it still makes our calls.
  /// Signals that wait then do not act before it goes on.
  func stop(by signal: Int32) throws(CheckpointError) {
    let stops = try inside(id) { () throws(InjectionError) in try injector.stop(by: signal) }
    if stops { return }
    _ = try inside(id) { () throws(InjectionError) in try injector.stop(by: Int32(Self.stop)) }
    restoration.warn(
      state.id, "signal \(signal)", "it stops no orphaned process group: it is stopped by SIGSTOP")
  }

  /// Lets go. A process that is stopped stays so; one that a stop waits for takes it.
  func detach() throws(CheckpointError) {
    let id = id
    let waits = (state.pendingSignals + state.threads.flatMap(\.pendingSignals)).contains {
      Self.number(of: $0) == Self.stop
    }
    try about(id) { () throws(SystemCallError) in
      if waits || !injector.heldSignals.isEmpty { try id.send(signal: 19) }
      for (thread, registers) in zip(threads, finalRegisters) {
        // Where the kernel looks at its signals, with one that has come from another of the tree by now: it settles
        // by them how a call that was cut off goes on.
        if try thread.leadToSignals() { try thread.set(registers) }
        try thread.detach()
      }
    }
  }
}

extension Registers {
  /// From before a call to where it has come by then.
  fileprivate mutating func goOn(after result: Int) {
    if (-516 ... -512).contains(result) {
      self = cutOff(by: result)
    } else {
      callResult = result
      instructionPointer += Registers.callInstructionByteCount
    }
  }
}

extension AreaState {
  /// A private area that was writable once counts as memory of its own, also where it is read-only now; the
  /// kernel forgets that when it is protected before anything was written there.
  fileprivate var wasWritable: Bool { !isShared && flags.contains("ac") }
}

extension ProcessState {
  /// Every second of areas that the kernel would make into one, though it had not: they were written before
  /// they became alike. So they are told apart until they have been written again.
  var neighboursApart: [AreaState] {
    var apart: [AreaState] = []
    for (one, next) in zip(areas, areas.dropFirst())
    where one.addresses.upperBound == next.address && one.content == .anonymous
      && next.content == .anonymous && !one.isShared && !next.isShared && one.name == next.name
      && one.protection == next.protection && one.flags == next.flags && !one.isDroppable
      && apart.last?.address != one.address
    {
      apart.append(next)
    }
    return apart
  }
}

extension AreaState {
  /// MADV_DONTDUMP or MADV_DODUMP: what it has, and the other.
  var dumpAdvice: UInt64 { flags.contains("dd") ? 16 : 17 }
  var otherDumpAdvice: UInt64 { flags.contains("dd") ? 17 : 16 }
}

extension FixedWidthInteger {
  var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
  }
}
