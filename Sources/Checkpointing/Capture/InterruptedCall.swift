import LinuxSystem

/// How a thread goes on that was stopped in a system call, so that it can't tell.
///
/// The kernel leaves its own error numbers (include/linux/errno.h) for the moment of the return; a thread
/// that was made to call something in between has missed that moment, so the same is done here.
enum InterruptedCall {
  private static let restart: ClosedRange<Int> = -514 ... -512
  private static let restartBlock = -516
  private static let interrupted = -4

  /// Calls that end with EINTR when a process is stopped and goes on, though no handler ran (signal(7)).
  private static let interruptedByStops: Set<KernelCall> = [
    .epollWait, .epollPwait, .epollPwait2, .semop, .semtimedop, .rtSigtimedwait, .ioGetevents,
    .read, .readv, .recvfrom, .recvmsg, .recvmmsg, .accept, .accept4,
  ]

  /// The registers with which a thread goes on.
  ///
  /// - Parameter hasDueSignal: a signal waits that the thread does not block. Then a handler will run, and
  ///   EINTR is the truth.
  /// - Parameter keepsKernelState: the thread goes on where it is, with what the kernel remembers of its call.
  static func rewound(
    _ registers: Registers, hasDueSignal: Bool, keepsKernelState: Bool
  ) -> Registers {
    guard let call = registers.currentCall else { return registers }
    var registers = registers
    switch registers.callResult {
    case restart: registers.makeAgain(call)
    case restartBlock: registers.makeAgain(keepsKernelState ? .restartSyscall : call)
    case interrupted where !hasDueSignal && interruptedByStops.contains(call):
      registers.makeAgain(call)
    default: registers.currentCall = nil
    }
    return registers
  }
}

extension Registers {
  /// Steps back before the instruction that calls.
  fileprivate mutating func makeAgain(_ call: KernelCall) {
    callResult = call.rawValue
    instructionPointer -= Registers.callInstructionByteCount
    currentCall = nil
  }
}
