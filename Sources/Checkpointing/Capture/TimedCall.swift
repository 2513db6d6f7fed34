import LinuxSystem

/// A system call that waits for a given time from its beginning on, and how to go on with the rest of it.
///
/// Of some the kernel keeps the moment of their end when they are cut off, and goes on with
/// restart_syscall(2). It tells nobody, and for a thread that is made anew it knows nothing: there the call is
/// begun with the time that is left. The others begin anew with what is in their registers; of those that
/// have their timeout there it is replaced by what is left. Timeouts in the program's memory stay as they are,
/// but for those that the kernel itself brings up to date (select(2), ppoll(2)).
struct TimedCall {
  enum Timeout {
    /// Milliseconds, in this argument.
    case milliseconds(Int)
    /// The address of a `struct timespec`, in this argument.
    case time(Int)
  }

  let call: KernelCall
  let timeout: Timeout
  /// Whether the kernel goes on with it by itself.
  let isKept: Bool
  /// The argument that says where the kernel writes what is left.
  var rest: Int?

  /// nil for other calls, and those that wait without end or until a moment.
  init?(_ call: KernelCall, _ arguments: [UInt64]) {
    self.call = call
    switch call {
    case .nanosleep: (timeout, isKept, rest) = (.time(0), true, 1)
    case .clockNanosleep:
      // Not TIMER_ABSTIME; and of a clock that runs while it sleeps.
      guard arguments[1] & 1 == 0, Self.realClocks.contains(arguments[0]) else { return nil }
      (timeout, isKept, rest) = (.time(2), true, 3)
    case .poll: (timeout, isKept) = (.milliseconds(2), true)
    case .futex:
      // FUTEX_WAIT
      guard arguments[1] & 0x7f == 0 else { return nil }
      (timeout, isKept) = (.time(3), true)
    case .epollWait, .epollPwait: (timeout, isKept) = (.milliseconds(3), false)
    default: return nil
    }
    switch timeout {
    case .milliseconds(let place):
      guard Int32(truncatingIfNeeded: arguments[place]) > 0 else { return nil }
    case .time(let place): guard arguments[place] != 0 else { return nil }
    }
  }

  /// CLOCK_REALTIME, MONOTONIC, BOOTTIME and TAI, by which to sleep for some time is the same.
  private static let realClocks: Set<UInt64> = [0, 1, 7, 11]

  /// The call that restart_syscall(2) goes on with; nil where the kernel does not tell. There are four
  /// (restart_block of include/linux/restart_block.h).
  static func kept(at place: String, _ arguments: [UInt64]) -> KernelCall? {
    if place.isEmpty || place == "0" { return nil }
    if place.contains("futex") { return .futex }
    if place.contains("poll") { return .poll }
    // A clock has a small number, and no page lies so low.
    return arguments[0] < 4096 ? .clockNanosleep : .nanosleep
  }

  /// How long the whole call was to wait, and how long it still shall.
  func remainingNanoseconds(
    _ arguments: [UInt64], slept: UInt64?, isCutOff: Bool, _ memory: borrowing ProcessMemory
  ) -> UInt64? {
    if let rest, isCutOff, arguments[rest] != 0 {
      return Self.nanoseconds(at: arguments[rest], memory)
    }
    guard let slept else { return nil }
    let whole: UInt64?
    switch timeout {
    case .milliseconds(let place):
      whole = UInt64(UInt32(truncatingIfNeeded: arguments[place])) * 1_000_000
    case .time(let place): whole = Self.nanoseconds(at: arguments[place], memory)
    }
    return whole.map { $0 > slept ? $0 - slept : 0 }
  }

  private static func nanoseconds(
    at address: UInt64, _ memory: borrowing ProcessMemory
  ) -> UInt64? {
    guard let words = try? memory.words(at: address, count: 2), words[0] < 1 << 33,
      words[1] < 1_000_000_000
    else { return nil }
    return words[0] * 1_000_000_000 + words[1]
  }

  /// Arguments that wait only for what is left; nil where those of the call do not say how long.
  func arguments(_ arguments: [UInt64], remainingNanoseconds: UInt64) -> [UInt64]? {
    guard case .milliseconds(let place) = timeout else { return nil }
    var changed = arguments
    changed[place] = Self.milliseconds(remainingNanoseconds)
    return changed
  }

  /// Rounded up.
  static func milliseconds(_ nanoseconds: UInt64) -> UInt64 {
    min(nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1), UInt64(Int32.max))
  }
}
