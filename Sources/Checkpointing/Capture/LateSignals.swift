import BinaryCodec

/// Timers go on while a process stands still, and may run out while it is being asked about them: each shall
/// send its signal once.
///
/// Signals are taken down last, so none is lost: those that wait for the process, and those for one of its threads. A
/// timer whose signal came after the timer was asked has time left as it is written down, though it has run out: its
/// next period begins, or it is over.
enum LateSignals {
  /// What waits now that everything else is known, where others waited before: sets their timers right.
  static func note(_ signals: [[UInt8]], since before: [[UInt8]], in state: inout ProcessState) {
    for signal in signals where !before.contains(signal) {
      switch number(signal, at: Offset.code) {
      case Code.kernel:
        guard let which = intervalSignals.firstIndex(of: number(signal, at: Offset.signal)),
          state.intervalTimers.count == 12
        else { continue }
        for word in 4 * which..<4 * which + 2 {
          state.intervalTimers[word + 2] = state.intervalTimers[word]
        }
      case Code.timer:
        let id = number(signal, at: Offset.timer)
        for index in state.timers.indices
        where state.timers[index].id == id && state.timers[index].times.count == 4 {
          for word in 0..<2 {
            state.timers[index].times[word + 2] = state.timers[index].times[word]
          }
        }
      default: continue
      }
    }
  }

  /// SIGALRM, SIGVTALRM and SIGPROF: of ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF.
  private static let intervalSignals: [Int32] = [14, 26, 27]

  /// Of siginfo_t.
  private enum Offset {
    static let signal = 0, code = 8, timer = 16
  }

  /// SI_KERNEL and SI_TIMER
  private enum Code {
    static let kernel: Int32 = 0x80
    static let timer: Int32 = -2
  }

  private static func number(_ information: [UInt8], at offset: Int) -> Int32 {
    guard information.count >= offset + 4 else { return 0 }
    return (0..<4).reduce(0) {
      $0 | Int32(truncatingIfNeeded: UInt32(information[offset + $1]) << UInt32(8 * $1))
    }
  }
}
