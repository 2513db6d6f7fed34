import BinaryCodec
import LinuxSystem
import SystemPackage

/// What can be seen of a stopped thread from outside, and how it will go on.
struct ThreadCapture {
  let thread: TracedThread
  var state = ThreadState()
  /// How it goes on here and now; `state.registers` are for another life.
  var registersToResume: Registers
  /// And with what at last, where it was in a call: see `InterruptedCall`.
  private(set) var unsettledRegisters: Registers?
  /// By how much its timers may be late was seen from outside.
  private(set) var hasTimerSlack = false

  init(
    _ thread: TracedThread, of process: FrozenProcess, _ clocks: RunQueueClocks
  ) throws(CheckpointError) {
    self.thread = thread
    let status = try about(process.id) { () throws(SystemCallError) in
      try ProcessStatus(of: thread.id)
    }
    let filters = try SeccompCapture.filters(of: thread, status)
    try Self.requireKnownWays(thread, status)
    let registers: Registers
    do throws(SystemCallError) {
      registers = try thread.registers()
    } catch {
      // What TracedThread says of one whose registers are others.
      guard error.errno == .execFormatError else { throw .system(error, process: process.id) }
      throw .obstacles([Obstacle(process.id, "its program", "it is a 32-bit one")])
    }
    if registers.isCompatibilityMode {
      throw .obstacles([Obstacle(process.id, "its program", "it runs 32-bit code")])
    }
    registersToResume = registers
    (state.seccompMode, state.seccompFilters) = (UInt8(clamping: status.seccompMode), filters)
    state.id = thread.id.number
    state.name = status.name
    state.speculation = Self.speculation(status)
    let own = Credentials(of: status)
    // Policies SCHED_OTHER and SCHED_BATCH have it among their attributes.
    if ![0, 3].contains(status.schedulingPolicy), status.nice != 0 {
      state.nice = Int32(truncatingIfNeeded: status.nice)
    }
    if own != Credentials(of: process.status) { state.credentials = own }
    try about(process.id) { () throws(SystemCallError) in
      try look()
      try lookAtCall(registers, process, sleepCount: status.sleepCount, clocks)
    }
    if isUnclear {
      var obstacle = Obstacle(
        process.id, "thread \(thread.id)",
        "it was just about to go on with a call that was cut off",
        remedy: "try again")
      obstacle.isPassing = true
      throw .obstacles([obstacle])
    }
  }

  private mutating func look() throws(SystemCallError) {
    state.signalMask = try thread.signalMask()
    state.pendingSignals = try thread.pendingSignals(ofProcess: false)
    state.extendedState = try thread.extendedState()
    state.robustList = try thread.id.robustList()
    state.scheduling = try thread.id.scheduling()
    state.affinity = try thread.id.affinity()
    state.ioPriority = try thread.id.ioPriority()
    // Only who has CAP_SYS_NICE may read it; the thread itself may ask.
    let slack = (try? Files.contents(of: "\(thread.id.folder)/timerslack_ns")) ?? []
    let seen = UInt64(String(decoding: slack.prefix { $0 != 10 }, as: UTF8.self))
    state.timerSlackNanoseconds = seen ?? 0
    hasTimerSlack = seen != nil
  }

  /// Ways in which nobody but the thread itself could tell our calls from its own.
  private static func requireKnownWays(
    _ thread: TracedThread, _ status: ProcessStatus
  ) throws(CheckpointError) {
    let reason: String? =
      if thread.dispatchesCalls() {
        "it takes its own system calls for signals (PR_SET_SYSCALL_USER_DISPATCH)"
      } else if thread.usesPorts() {
        "it may use input and output ports (ioperm(2))"
      } else if thread.id.coreCookie() != 0 {
        "it shares a core only with its like (PR_SCHED_CORE)"
      } else if status.tagsAddresses {
        "it keeps tags in addresses (ARCH_ENABLE_TAGGED_ADDR)"
      } else {
        nil
      }
    guard let reason else { return }
    throw .obstacles([Obstacle(thread.process, "thread \(thread.id)", reason)])
  }

  /// As PR_SET_SPECULATION_CTRL takes it, where the thread chose: PR_SPEC_ENABLE, DISABLE, FORCE_DISABLE.
  private static func speculation(_ status: ProcessStatus) -> [UInt64] {
    let kinds: [(String, [String: UInt64])] = [
      (
        "Speculation_Store_Bypass",
        ["thread vulnerable": 2, "thread mitigated": 4, "thread force mitigated": 8]
      ),
      (
        "SpeculationIndirectBranch",
        ["conditional enabled": 2, "conditional disabled": 4, "conditional force disabled": 8]
      ),
    ]
    return kinds.map { line, values in values[status.line(line)] ?? 0 }
  }

  // MARK: Calls

  /// Nobody knows which call it goes on with.
  private var isUnclear: Bool { state.registers.isEmpty }

  private mutating func lookAtCall(
    _ stopped: Registers, _ process: FrozenProcess, sleepCount: UInt64, _ clocks: RunQueueClocks
  ) throws(SystemCallError) {
    var registers = stopped
    if let sequences = try thread.restartableSequences() {
      state.restartableSequences = [
        sequences.address, UInt64(sequences.byteCount), UInt64(sequences.signature),
      ]
      try Self.leaveCriticalSection(of: sequences, &registers, thread.process)
    }
    let mask = state.signalMask
    let waiting = state.pendingSignals + process.pendingSignals
    let due = waiting.compactMap(Self.signal).filter { mask >> ($0 - 1) & 1 == 0 }
    var note = process.notes[thread.id]
    if process.stopSignal != nil, due.isEmpty, registers.currentCall == .restartSyscall,
      registers.callResult == InterruptedCall.restartBlock,
      SeccompCapture.mayRestart(state, registers)
    {
      // It was stopped when it had been cut off before: the kernel no longer tells in what.
      let look = try thread.lookIntoCall()
      process.heldSignals += look.signals
      note = look.note
      registers = try thread.registers()
      registersToResume = registers
    }
    // It may have gone on to another call meanwhile.
    if note?.call != registers.currentCall { note = nil }
    let caught = process.status.set("SigCgt")
    let circumstances = InterruptedCall.Circumstances(
      isSignalled: due.contains { caught >> ($0 - 1) & 1 == 1 }, note: note,
      slept: {
        note.flatMap { note in
          clocks.now(onProcessor: note.processor).flatMap {
            note.nanoseconds(until: $0, sleepCount: sleepCount)
          }
        }
      },
      mayRestart: SeccompCapture.mayRestart(state, registers))
    let memory = try ProcessMemory(of: thread.process)
    guard let call = InterruptedCall(registers, circumstances, memory) else { return }
    registersToResume = call.toResume
    unsettledRegisters = call.unsettled
    state.interruption = call.interruption
    state.registers = call.toSave.words
    state.remainingNanoseconds = call.remainingNanoseconds
  }

  private static func signal(_ information: [UInt8]) -> UInt64? {
    let signal = SignalInformation(information).signal
    return (1...64).contains(signal) ? UInt64(signal) : nil
  }

  /// A thread that is interrupted within a restartable sequence begins it anew. The kernel looks at the
  /// place where the thread goes on; by the time that it does, we have led it elsewhere (rseq(2)).
  private static func leaveCriticalSection(
    of sequences: RestartableSequences, _ registers: inout Registers, _ process: ProcessID
  ) throws(SystemCallError) {
    let memory = try ProcessMemory(of: process)
    let pointer = try memory.words(at: sequences.address + 8, count: 1)[0]
    guard pointer != 0, let section = try? memory.words(at: pointer, count: 4) else { return }
    let (start, length, abort) = (section[1], section[2], section[3])
    if registers.instructionPointer &- start < length { registers.instructionPointer = abort }
    try memory.write([UInt8](repeating: 0, count: 8), at: sequences.address + 8)
  }
}

extension ProcessMemory {
  /// Words of eight bytes from an address on.
  borrowing func words(at address: UInt64, count: Int) throws(SystemCallError) -> [UInt64] {
    let bytes = try bytes(at: address, count: 8 * count)
    return (0..<count).map { word in
      (0..<8).reduce(0) { $0 | UInt64(bytes[8 * word + $1]) << UInt64(8 * $1) }
    }
  }
}
