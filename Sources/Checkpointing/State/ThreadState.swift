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
  }
}
