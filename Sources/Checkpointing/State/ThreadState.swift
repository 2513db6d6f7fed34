import BinaryCodec

/// What a thread is, without the memory that it shares.
package struct ThreadState: FieldCoded, Equatable, Sendable {
  package var id: Int32 = 0
  /// `comm`: any 15 bytes.
  package var name: [UInt8] = []
  /// The general registers in the order of `struct user_regs_struct`; a call that was cut off is already
  /// wound back, so that it is made again.
  package var registers: [UInt64] = []
  /// x87, SSE, AVX and whatever else the processor has, as XSAVE lays it out.
  package var extendedState: [UInt8] = []
  /// Blocked signals: bit n - 1 for signal n.
  package var signalMask: UInt64 = 0
  /// The signals that wait for this thread, each a `siginfo_t`.
  package var pendingSignals: [[UInt8]] = []
  /// sigaltstack(2): address, flags, size.
  package var alternateStack: [UInt64] = []
  /// set_robust_list(2): head, length.
  package var robustList: [UInt64] = []
  /// set_tid_address(2).
  package var clearTIDAddress: UInt64 = 0
  /// rseq(2): address, length, signature; empty if nothing is registered.
  package var restartableSequences: [UInt64] = []
  /// sched_setattr(2): `struct sched_attr`.
  package var scheduling: [UInt8] = []
  /// Allowed processors, as sched_setaffinity(2) takes them.
  package var affinity: [UInt8] = []

  /// By how much its timers may be late.
  package var timerSlackNanoseconds: UInt64 = 0
  /// What is left of a call that waits for a given time, where the call is to be begun with it.
  package var remainingNanoseconds: UInt64?
  /// seccomp(2): 0 none, 1 strict, 2 filters; those in the order in which they were installed.
  package var seccompMode: UInt8 = 0
  package var seccompFilters: [SeccompFilterState] = []
  /// Its rights, where they are others than the process's.
  package var credentials: Credentials?
  /// PR_SET_PDEATHSIG.
  package var parentDeathSignal: Int32 = 0
  /// ioprio_set(2); 0 for none of its own.
  package var ioPriority: UInt32 = 0
  /// PR_GET_TSC: 1 may read the time stamp counter, 2 may not.
  package var timeStampCounter: UInt32 = 1
  /// PR_GET_SPECULATION_CTRL of PR_SPEC_STORE_BYPASS and PR_SPEC_INDIRECT_BRANCH, where the thread chose.
  package var speculation: [UInt64] = []
  /// The registers stand before a call that was cut off: by ERESTARTSYS (512), ERESTARTNOINTR (513) or
  /// ERESTARTNOHAND (514), which say what a signal does that comes before it is made again. 0 for none.
  package var interruption: UInt16 = 0
  /// The nice value, where the policy is one in which it does not count.
  package var nice: Int32?
  /// PR_MCE_KILL_GET, where it is another than the process's.
  package var machineCheckPolicy: UInt32?

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &id)
    try coder.field(2, &name)
    try coder.field(3, &registers)
    try coder.field(4, &extendedState)
    try coder.field(5, &signalMask)
    try coder.field(6, &pendingSignals)
    try coder.field(7, &alternateStack)
    try coder.field(8, &robustList)
    try coder.field(9, &clearTIDAddress)
    try coder.field(10, &restartableSequences)
    try coder.field(11, &scheduling)
    try coder.field(12, &affinity, isOptional: true)
    try coder.field(13, &timerSlackNanoseconds, isOptional: true)
    try coder.field(14, &remainingNanoseconds)
    try coder.field(15, &seccompMode)
    try coder.field(16, &seccompFilters)
    try coder.field(17, &credentials)
    try coder.field(18, &parentDeathSignal)
    try coder.field(19, &ioPriority)
    try coder.field(20, &timeStampCounter)
    try coder.field(21, &speculation)
    try coder.field(22, &interruption, isOptional: true)
    try coder.field(23, &nice, isOptional: true)
    try coder.field(24, &machineCheckPolicy, isOptional: true)
  }
}
