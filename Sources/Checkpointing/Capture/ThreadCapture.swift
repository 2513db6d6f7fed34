import BinaryCodec
import LinuxSystem

/// What can be seen of a stopped thread from outside, and how it will go on.
struct ThreadCapture {
  let thread: TracedThread
  var state = ThreadState()
  /// How it goes on here and now; `state.registers` are for another life.
  var registersToResume: Registers
  /// By how much its timers may be late was seen from outside.
  let hasTimerSlack: Bool

  init(_ thread: TracedThread, processSignals: [[UInt8]]) throws(SystemCallError) {
    self.thread = thread
    state.id = thread.id.number
    state.name = try ProcessStatus(of: thread.id).name
    state.signalMask = try thread.signalMask()
    state.pendingSignals = try thread.pendingSignals(ofProcess: false)
    state.extendedState = try thread.extendedState()
    state.robustList = try thread.id.robustList()
    state.scheduling = try thread.id.scheduling()
    state.affinity = try thread.id.affinity()
    // Only who has CAP_SYS_NICE may read it; the thread itself may ask.
    let slack = (try? Files.contents(of: "\(thread.id.folder)/timerslack_ns")) ?? []
    let seen = UInt64(String(decoding: slack.prefix { $0 != 10 }, as: UTF8.self))
    state.timerSlackNanoseconds = seen ?? 0
    hasTimerSlack = seen != nil
    var registers = try thread.registers()
    if let sequences = try thread.restartableSequences() {
      state.restartableSequences = [
        sequences.address, UInt64(sequences.byteCount), UInt64(sequences.signature),
      ]
      try Self.leaveCriticalSection(of: sequences, &registers, thread.process)
    }
    let mask = state.signalMask
    let due = (state.pendingSignals + processSignals).contains { Self.isDue($0, mask: mask) }
    registersToResume = InterruptedCall.rewound(
      registers, hasDueSignal: due, keepsKernelState: true)
    state.registers =
      InterruptedCall.rewound(registers, hasDueSignal: due, keepsKernelState: false).words
  }

  private static func isDue(_ information: [UInt8], mask: UInt64) -> Bool {
    let signal = information.prefix(4).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    guard (1...64).contains(signal) else { return false }
    return mask >> (signal - 1) & 1 == 0
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
