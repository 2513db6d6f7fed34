import LinuxSystem

/// What belongs to each thread.
extension ProcessBuilder {
  func makeThread(_ thread: ThreadState) throws(CheckpointError) -> TracedThread {
    // VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
    let flags: UInt64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000
    let made = try clone(flags: flags, exitSignal: 0, id: thread.id)
    let traced = TracedThread(inherited: made, of: id, options: leader.options)
    try waitForBirth(of: traced)
    return traced
  }

  /// What each thread sets for itself.
  func settle(_ index: Int) throws(CheckpointError) {
    let thread = state.threads[index]
    // A stub has that of the program that made it.
    var stack: [UInt64] = [0, Self.noStack, 0]
    if thread.alternateStack.count == 3, thread.alternateStack[1] & Self.noStack == 0 {
      // The flag that says that it is in use (SS_ONSTACK) is the kernel's to find out.
      stack = thread.alternateStack
      stack[1] &= ~1
    }
    try call(.sigaltstack, "sigaltstack", try put(words: stack), 0)
    try call(.setTidAddress, "set_tid_address", thread.clearTIDAddress)
    if thread.robustList.count == 2, thread.robustList[0] != 0 {
      try call(
        .setRobustList, "set_robust_list", thread.robustList[0], thread.robustList[1])
    }
    try call(.prctl, "prctl(PR_SET_TIMERSLACK)", 29, max(1, thread.timerSlackNanoseconds))
    try set(name: thread.name)
    if thread.restartableSequences.count == 3 {
      try call(
        .rseq, "rseq", thread.restartableSequences[0], thread.restartableSequences[1], 0,
        thread.restartableSequences[2])
    }
    for signal in signalsToQueue(of: thread.pendingSignals) {
      try call(
        .rtTgsigqueueinfo, "rt_tgsigqueueinfo", UInt64(UInt32(bitPattern: state.id)),
        UInt64(UInt32(bitPattern: thread.id)), UInt64(UInt32(bitPattern: signal.signal)),
        try put(signal.bytes))
    }
    try installOwnFilters(of: thread)
    try setOptions(of: thread)
  }

  /// Of the thread that makes the calls.
  func set(name: [UInt8]) throws(CheckpointError) {
    try call(.prctl, "prctl(PR_SET_NAME)", 15, try put(Array(name.prefix(15)) + [0]))
  }

  /// SS_DISABLE
  private static let noStack: UInt64 = 2

  func setOptions(of thread: ThreadState) throws(CheckpointError) {
    for (which, value) in thread.speculation.prefix(2).enumerated() where value != 0 {
      // PR_SET_SPECULATION_CTRL
      try want(
        .prctl, [53, UInt64(which), value, 0, 0], "PR_SET_SPECULATION_CTRL", "it could not be set")
    }
    let policy = thread.machineCheckPolicy ?? state.machineCheckPolicy
    if policy != 2 {
      // PR_MCE_KILL, PR_MCE_KILL_SET
      try want(.prctl, [33, 1, UInt64(policy), 0, 0], "PR_MCE_KILL", "it could not be set")
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
  func beginCall(_ index: Int) throws(CheckpointError) {
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
      try set(scheduling: saved.scheduling, nice: saved.nice, of: thread)
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
