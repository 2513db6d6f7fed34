import BinaryCodec
import LinuxSystem

/// Interval timers and those of timer_create(2).
extension ProcessBuilder {
  func setTimers() throws(CheckpointError) {
    guard state.intervalTimers.count == 12 else { throw .malformed(.outOfRange(19)) }
    for which in 0..<3 {
      var value = Array(state.intervalTimers[4 * which..<4 * which + 4])
      if value.allSatisfy({ $0 == 0 }) { continue }
      // It had run out, and its signal waited to be delivered: the next period begins.
      if value[2] == 0 && value[3] == 0 { (value[2], value[3]) = (value[0], value[1]) }
      // One of processor time that never runs out is told as a little more than can be set.
      if value[2] > Self.longestTimer { (value[2], value[3]) = (Self.longestTimer, 0) }
      try call(.setitimer, "setitimer", UInt64(which), try put(words: value), 0)
    }
  }

  /// A second less than KTIME_MAX, in seconds.
  private static let longestTimer: UInt64 = 9_223_372_035

  /// Timers of timer_create(2), under the numbers that they had.
  func makeTimers() throws(CheckpointError) {
    if state.timers.isEmpty { return }
    // PR_TIMER_CREATE_RESTORE_IDS (Linux 6.15): the number is given, not taken.
    let choosesNumbers =
      try inside(id) { () throws(InjectionError) in
        try injector.callForResult(.prctl, [77, 1, 0, 0, 0])
      } == 0
    let waiting = (state.pendingSignals + state.threads.flatMap(\.pendingSignals)).compactMap {
      SignalInformation($0).timer
    }
    var ranOut: [(timer: TimerState, moment: [UInt64])] = []
    for timer in state.timers {
      try make(timer, choosesNumbers: choosesNumbers)
      if waiting.contains(timer.id), let moment = try momentOfRunningOut(timer) {
        ranOut.append((timer, moment))
        timersThatSignal.insert(timer.id)
        continue
      }
      if timer.times.allSatisfy({ $0 == 0 }) { continue }
      var times = timer.times
      // It had just run out, and its signal waited: the next period begins.
      if times[2] == 0 && times[3] == 0 { (times[2], times[3]) = (times[0], times[1]) }
      try set(timer, times, isAbsolute: false)
    }
    // Each sends its signal at once: in the order in which these wait.
    for id in waiting {
      guard let place = ranOut.firstIndex(where: { $0.timer.id == id }) else { continue }
      let (timer, moment) = ranOut.remove(at: place)
      try set(timer, [timer.times[0], timer.times[1]] + moment, isAbsolute: true)
    }
    if choosesNumbers { try call(.prctl, "prctl(PR_TIMER_CREATE_RESTORE_IDS)", 77, 0) }
  }

  private func set(
    _ timer: TimerState, _ times: [UInt64], isAbsolute: Bool
  ) throws(CheckpointError) {
    try call(
      .timerSettime, "timer_settime", UInt64(UInt32(bitPattern: timer.id)), isAbsolute ? 1 : 0,
      try put(words: times), 0)
  }

  /// The moment by its own clock, seconds and nanoseconds, at which a timer whose signal waits has run out: set to
  /// it, the timer sends the signal itself. A signal that somebody else sends is not the timer's: the timer would go
  /// on beside it and send a second, and count no overruns while the first one waits.
  ///
  /// Of the periods that have passed since, the kernel tells nobody; this is the last of them. Nil if its clock has
  /// not run as long as that since the process was made, and if the timer has been set anew since it ran out.
  private func momentOfRunningOut(_ timer: TimerState) throws(CheckpointError) -> [UInt64]? {
    let second: Int64 = 1_000_000_000
    let times = timer.times.map { Int64(clamping: min($0, 1 << 32)) }
    let period = times[0] * second + times[1]
    let left = times[2] * second + times[3]
    if period == 0 { return left == 0 ? [0, 1] : nil }
    guard left <= period else { return nil }
    let place = try put(words: [0, 0])
    try call(.clockGettime, "clock_gettime", UInt64(bitPattern: Int64(timer.clock)), place)
    let now = try inside(id) { () throws(InjectionError) in try injector.words(2) }
    guard now[0] < 1 << 32, now[1] < second else { return nil }
    // One that has just run out has its whole period before it.
    let moment =
      Int64(now[0]) * second + Int64(now[1]) + (left == 0 ? period : left) - period
    return moment > 0 ? [UInt64(moment / second), UInt64(moment % second)] : nil
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

  static let timerNumberLimit = 1 << 16
}
