import BinaryCodec

/// What a process is, without the content of its memory.
package struct ProcessState: FieldCoded, Equatable, Sendable {
  /// Whether it runs.
  package enum Life: UInt8, Sendable {
    case running = 1
    /// Stopped by a signal (`T`).
    case stopped = 2
    /// It has ended, and its parent has not waited for it.
    case zombie = 3
  }

  /// Its number, as it was known where it was saved.
  package var id: Int32 = 0
  /// The parent: a process of the checkpoint, or 0 for what is outside.
  package var parent: Int32 = 0
  /// The number of its process group's leader.
  package var processGroup: Int32 = 0
  /// The number of its session's leader.
  package var session: Int32 = 0
  /// Whether it ran, was stopped, or had ended.
  package var life = Life.running
  /// How a zombie ended, as wait(2) tells it; the signal that stopped a stopped one.
  package var status: Int32 = 0
  /// The signal that its parent gets when it ends.
  package var exitSignal: Int32 = 17

  /// The path of its program; empty for a zombie.
  package var executable = ""
  /// The path of the folder that it works in.
  package var workingDirectory = ""
  /// The directory that it takes for `/`.
  package var root = ""
  /// The permissions that new files don't get: umask(2).
  package var umask: UInt32 = 0
  package var personality: UInt32 = 0
  package var memory = MemoryState()
  package var areas: [AreaState] = []
  package var threads: [ThreadState] = []
  package var descriptors: [DescriptorState] = []
  package var signalActions: [SignalAction] = []
  /// The signals that wait for any of its threads, each a `siginfo_t`.
  package var pendingSignals: [[UInt8]] = []
  /// setitimer(2) of ITIMER_REAL, VIRTUAL and PROF: interval and value, each seconds and microseconds.
  package var intervalTimers: [UInt64] = []
  package var timers: [TimerState] = []
  package var credentials = Credentials()
  /// Soft and hard limit of each resource, in the order of getrlimit(2)'s numbers.
  package var limits: [UInt64] = []
  package var oomScoreAdjustment: Int64 = 0
  /// prctl(2): what is kept for the process, by PR_SET_ number.
  package var isDumpable: UInt8 = 1
  package var isSubreaper = false
  /// The number of the pseudoterminal of the tree that its session has, where the process leads the session.
  package var terminal: UInt32?
  /// Its session has a terminal that is outside of the tree.
  package var hasOutsideTerminal = false
  /// The group that is in the foreground of its terminal.
  package var foregroundGroup: Int32 = 0
  /// MEMBARRIER_CMD_GET_REGISTRATIONS of membarrier(2).
  package var memoryBarriers: UInt32 = 0
  /// Which memory goes into a core file: /proc/PID/coredump_filter.
  package var coreFilter: UInt32?
  /// prctl(2): PR_MCE_KILL_GET; 2 is what everybody has.
  package var machineCheckPolicy: UInt32 = 2
  /// ARCH_GET_CPUID of arch_prctl(2).
  package var mayIdentifyProcessor = true
  package var sharing = SharingState()
  /// A stopped one's parent has not been told yet that it is.
  package var isStopUntold = true
  /// CRC-32C of its vdso, and of the symbols in there with their names; empty where it has none.
  package var kernelCode: [UInt64] = []
  /// Of a zombie: its name. Others' threads have one each.
  package var name: [UInt8] = []
  /// Where its memory is its parent's at the same addresses, but for what blocks and references say: first
  /// address and end of each range. It is made when the parent's memory is complete.
  package var inheritedRanges: [UInt64] = []

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &id)
    try coder.field(2, &parent)
    try coder.field(3, &processGroup)
    try coder.field(4, &session)
    try coder.field(5, &life)
    try coder.field(6, &status)
    try coder.field(7, &exitSignal)
    try coder.field(8, &executable)
    try coder.field(9, &workingDirectory)
    try coder.field(10, &root)
    try coder.field(11, &umask)
    try coder.field(12, &personality)
    try coder.field(13, &memory)
    try coder.field(14, &areas)
    try coder.field(15, &threads)
    try coder.field(16, &descriptors)
    try coder.field(17, &signalActions)
    try coder.field(18, &pendingSignals)
    try coder.field(19, &intervalTimers)
    try coder.field(20, &credentials)
    try coder.field(21, &limits)
    try coder.field(22, &oomScoreAdjustment, isOptional: true)
    try coder.field(24, &isDumpable)
    try coder.field(26, &isSubreaper)
    try coder.field(40, &terminal)
    try coder.field(41, &foregroundGroup)
    try coder.field(28, &memoryBarriers)
    try coder.field(29, &coreFilter, isOptional: true)
    try coder.field(30, &machineCheckPolicy)
    try coder.field(31, &mayIdentifyProcessor)
    try coder.field(32, &sharing)
    try coder.field(33, &isStopUntold)
    try coder.field(34, &kernelCode, isOptional: true)
    try coder.field(35, &name, isOptional: true)
    try coder.field(42, &hasOutsideTerminal, isOptional: true)
    try coder.field(27, &timers)
    try coder.field(60, &inheritedRanges)
    guard coder.isReading else { return }
    guard inheritedRanges.count % 2 == 0, inheritedRanges.allSatisfy({ $0 % 4096 == 0 }),
      zip(inheritedRanges, inheritedRanges.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw .outOfRange(60) }
  }
}

extension ProcessState {
  /// Whether it has memory that is not another process's as well.
  var ownsMemory: Bool { life != .zombie && sharing.memory == 0 }
}

/// Where the parts of an address space lie: `struct prctl_mm_map`.
package struct MemoryState: FieldCoded, Equatable, Sendable {
  /// start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start,
  /// env_end.
  package var places: [UInt64] = []
  /// What the kernel told the program at its start, as it lies in memory.
  package var auxiliaryVector: [UInt8] = []
  /// What mlockall(2) said of memory to come: MCL_FUTURE, MCL_ONFAULT.
  package var lockedInFuture: UInt32 = 0
  /// prctl(2): PR_GET_THP_DISABLE and PR_GET_MEMORY_MERGE.
  package var avoidsHugePages: UInt32 = 0
  package var mergesPages = false
  /// PR_GET_MDWE: what memory may no longer become.
  package var refusesExecution: UInt32 = 0

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &places)
    try coder.field(2, &auxiliaryVector)
    try coder.field(3, &lockedInFuture)
    try coder.field(4, &avoidsHugePages)
    try coder.field(5, &mergesPages)
    try coder.field(6, &refusesExecution)
  }
}

/// What a process does when a signal comes: `struct sigaction` of the kernel.
package struct SignalAction: FieldCoded, Equatable, Sendable {
  package var signal: Int32 = 0
  package var handler: UInt64 = 0
  package var flags: UInt64 = 0
  package var restorer: UInt64 = 0
  package var mask: UInt64 = 0

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &signal)
    try coder.field(2, &handler)
    try coder.field(3, &flags)
    try coder.field(4, &restorer)
    try coder.field(5, &mask)
  }
}

/// Whose rights a process has.
package struct Credentials: FieldCoded, Equatable, Sendable {
  /// Real, effective, saved and filesystem user; the same of groups.
  package var users: [UInt64] = []
  package var groups: [UInt64] = []
  package var supplementaryGroups: [UInt64] = []
  /// Inheritable, permitted, effective, bounding, ambient: bit n for capability n.
  package var capabilities: [UInt64] = []
  package var secureBits: UInt32 = 0
  package var hasNoNewPrivileges = false

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &users)
    try coder.field(2, &groups)
    try coder.field(3, &supplementaryGroups)
    try coder.field(4, &capabilities)
    try coder.field(5, &secureBits)
    try coder.field(6, &hasNoNewPrivileges)
  }
}

/// A descriptor: a number that stands for an open file description.
package struct DescriptorState: FieldCoded, Equatable, Sendable {
  package var number: Int32 = 0
  /// The open file description, by its number in the checkpoint.
  package var description: UInt32 = 0
  package var closesOnExec = false
  /// The process's own locks on the file (fcntl(2)).
  package var locks: [LockState] = []

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &number)
    try coder.field(2, &description)
    try coder.field(3, &closesOnExec)
    try coder.field(4, &locks)
  }
}
