import BinaryCodec
import LinuxSystem

/// How a thread goes on that was stopped in a system call, so that it can't tell.
///
/// The kernel leaves its own error numbers (include/linux/errno.h) for the moment of the return; a thread
/// that was made to call something in between has missed that moment, so the same is done here.
struct InterruptedCall {
  /// The registers with which the thread goes on here and now, with what the kernel remembers of its call.
  let toResume: Registers
  /// The registers for another life.
  let toSave: Registers
  /// What the thread is given at last, where the kernel is about to look at its signals: with a number of the
  /// kernel's own, so that it settles how the call goes on by the signals that have come until then. Nil for a
  /// thread that was in no call.
  private(set) var unsettled: Registers?
  /// By which of these numbers it was cut off, for another life; 0 where the call is not made again.
  private(set) var interruption: UInt16 = 0
  /// Time that is left of a call that is to be begun with it in another life.
  private(set) var remainingNanoseconds: UInt64?

  private static let restart: ClosedRange<Int> = -514 ... -512
  /// -ERESTARTNOHAND: ends with EINTR where a handler runs, else it is made again.
  fileprivate static let unlessHandled = -514
  static let restartBlock = -516
  fileprivate static let interrupted = -4

  /// Calls that end with EINTR when a process is stopped and goes on, though no handler ran (signal(7)). Those
  /// with a timeout in memory do where the kernel can't write there what is left.
  private static let interruptedByStops: Set<KernelCall> = [
    .epollWait, .epollPwait, .epollPwait2, .semop, .semtimedop, .rtSigtimedwait, .ioGetevents,
    .ioPgetevents, .read, .readv, .preadv2, .recvfrom, .recvmsg, .recvmmsg, .accept, .accept4,
    .select, .pselect6, .ppoll, .write, .writev, .pwritev2, .sendto, .sendmsg, .sendmmsg, .connect,
    .splice,
  ]

  /// What is known of a thread that was stopped.
  struct Circumstances {
    /// A signal waits that the thread does not block, and a handler takes it: when the thread goes on, the kernel
    /// looks at it first, and settles by it how the call goes on. Another thread may be the one that takes it.
    var isSignalled: Bool
    /// How it slept before.
    var note: SleepNote?
    /// For how many nanoseconds; to find out takes a while.
    var slept: () -> UInt64?
    /// Its filters let it go on with restart_syscall(2).
    var mayRestart: Bool
  }

  /// nil where it is in restart_syscall(2), and nobody knows which call that goes on with.
  init?(
    _ registers: Registers, _ circumstances: Circumstances, _ memory: borrowing ProcessMemory
  ) {
    guard var call = registers.currentCall else {
      (toResume, toSave) = (registers, registers)
      return
    }
    let result = registers.callResult
    let isUnsettled = Self.restart.contains(result) || result == Self.restartBlock
    guard isUnsettled || result == Self.interrupted && Self.interruptedByStops.contains(call) else {
      var settled = registers
      settled.currentCall = nil
      (toResume, toSave) = (settled, settled)
      return
    }
    let arguments = registers.callArguments
    if call == .restartSyscall {
      guard let note = circumstances.note,
        let kept = TimedCall.kept(at: note.place, arguments)
      else {
        guard circumstances.isSignalled else { return nil }
        (toResume, toSave) = (registers.endedBySignal, registers.endedBySignal)
        unsettled = registers
        return
      }
      call = kept
    }
    var again = registers
    again.makeAgain(call)
    let isKept = result == Self.restartBlock
    var resumed = again
    if let timed = TimedCall(call, arguments),
      let remaining = timed.remainingNanoseconds(
        arguments, slept: circumstances.slept(), isCutOff: isKept, memory)
    {
      if isKept && circumstances.mayRestart {
        remainingNanoseconds = remaining
      } else if let changed = timed.arguments(arguments, remainingNanoseconds: remaining) {
        again.callArguments = changed
        resumed = again
      }
    }
    if isKept && circumstances.mayRestart {
      resumed = registers
      resumed.makeAgain(.restartSyscall)
      unsettled = registers
    } else {
      let number = Self.restart.contains(result) ? result : Self.unlessHandled
      unsettled = resumed.cutOff(by: number)
      interruption = UInt16(-number)
    }
    // Nobody settles it for who takes itself up again, should we die in between.
    let endsBySignal = isKept || Int(interruption) == -Self.unlessHandled
    toResume = circumstances.isSignalled && endsBySignal ? registers.endedBySignal : resumed
    toSave = again
  }
}

extension Registers {
  /// Steps back before the instruction that calls.
  mutating func makeAgain(_ call: KernelCall) {
    callResult = call.rawValue
    instructionPointer -= Registers.callInstructionByteCount
    currentCall = nil
  }

  /// Behind a call that a handler has ended.
  fileprivate var endedBySignal: Registers {
    var ended = self
    ended.callResult = InterruptedCall.interrupted
    ended.currentCall = nil
    return ended
  }

  /// From before the instruction that calls to within the call, which was cut off: the kernel settles how it goes
  /// on when it looks at the thread's signals.
  func cutOff(by result: Int) -> Registers {
    var within = self
    within.currentCall = KernelCall(rawValue: callResult)
    within.callResult = result
    within.instructionPointer += Registers.callInstructionByteCount
    return within
  }
}
