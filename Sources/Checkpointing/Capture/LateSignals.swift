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
    let known = Set(before)
    for signal in signals where !known.contains(signal) {
      let information = SignalInformation(signal)
      if let id = information.timer {
        for index in state.timers.indices
        where state.timers[index].id == id && state.timers[index].times.count == 4 {
          for word in 0..<2 {
            state.timers[index].times[word + 2] = state.timers[index].times[word]
          }
        }
      } else if information.code == SignalInformation.Code.kernel,
        let which = intervalSignals.firstIndex(of: information.signal),
        state.intervalTimers.count == 12
      {
        for word in 4 * which..<4 * which + 2 {
          state.intervalTimers[word + 2] = state.intervalTimers[word]
        }
      }
    }
  }

  /// SIGALRM, SIGVTALRM and SIGPROF: of ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF.
  private static let intervalSignals: [Int32] = [14, 26, 27]
}
