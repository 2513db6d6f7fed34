import SystemPackage

/// How a thread slept before it was stopped: to stop a thread wakes it, and then the kernel no longer says
/// since when it slept, or in which call.
package struct SleepNote: Sendable {
  /// The call that it is in, and its arguments.
  package let call: KernelCall
  /// The kernel's function in which it sleeps; empty where that is not told.
  package let place: String
  /// When it went to sleep, by the clock of its processor's run queue.
  package let beganNanoseconds: UInt64
  package let processor: Int
  /// How often it had gone to sleep.
  package let sleepCount: UInt64

  /// nil for a thread that is not asleep in a system call, or of which too little is told.
  package init?(of thread: ProcessID) {
    // "35 0x7ffd… …" or "running"
    guard let text = thread.text(of: "syscall"),
      let number = text.split(separator: " ").first.flatMap({ Int($0) }), number >= 0,
      let moment = SchedulingMoment(of: thread),
      let status = try? ProcessStatus(of: thread), status.state == "S"
    else { return nil }
    call = KernelCall(rawValue: number)
    place = thread.text(of: "wchan") ?? ""
    beganNanoseconds = moment.nanoseconds
    sleepCount = moment.sleepCount
    processor = status.processor
  }

  /// How long it had slept when it was woken, if it was woken only once since.
  ///
  /// - Parameter now: what the clock of its processor says.
  package func nanoseconds(until now: UInt64, sleepCount: UInt64) -> UInt64? {
    guard sleepCount == self.sleepCount + 1, now >= beganNanoseconds else { return nil }
    return now - beganNanoseconds
  }
}

extension ProcessID {
  /// What a file of its folder in /proc says; nil where that can't be read.
  func text(of file: String) -> String? {
    (try? Files.contents(of: "\(folder)/\(file)")).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// What /proc/PID/sched says of when a thread ran last.
package struct SchedulingMoment: Sendable {
  /// When its time was last accounted, by the clock of its processor's run queue: for one that sleeps, when it
  /// went to sleep.
  package let nanoseconds: UInt64
  /// How often it has gone to sleep (nr_voluntary_switches).
  package let sleepCount: UInt64

  /// nil where the kernel does not tell.
  package init?(of thread: ProcessID) {
    guard let text = thread.text(of: "sched") else { return nil }
    var nanoseconds: UInt64?
    var sleepCount: UInt64?
    for line in text.split(separator: "\n") {
      if line.hasPrefix("se.exec_start") {
        // Milliseconds, and six digits behind the point.
        let parts = line.split(separator: ":").last?.split { $0 == " " || $0 == "." } ?? []
        if parts.count == 2, parts[1].utf8.count == 6, let whole = UInt64(parts[0]),
          let rest = UInt64(parts[1])
        {
          nanoseconds = whole * 1_000_000 + rest
        }
      } else if line.hasPrefix("nr_voluntary_switches") {
        sleepCount = line.split(separator: ":").last.flatMap {
          UInt64($0.drop { $0 == " " })
        }
      }
    }
    guard let nanoseconds, let sleepCount else { return nil }
    self.nanoseconds = nanoseconds
    self.sleepCount = sleepCount
  }
}

/// The clocks of the processors' run queues, by which the kernel says when a thread went to sleep, held
/// against the clock that everybody has.
package final class RunQueueClocks {
  /// By how much each is ahead of CLOCK_MONOTONIC.
  private var offsets: [Int: Int64?] = [:]

  package init() {}

  /// What the clock of a processor says now; nil where this thread may not run there.
  package func now(onProcessor processor: Int) -> UInt64? {
    if offsets[processor] == nil { offsets[processor] = .some(Self.offset(ofProcessor: processor)) }
    guard let offset = offsets[processor] ?? nil else { return nil }
    return UInt64(exactly: Self.monotonicNanoseconds() + offset)
  }

  private static func offset(ofProcessor processor: Int) -> Int64? {
    let myself = ProcessID(0)
    guard let before = try? myself.affinity(), processor / 8 < before.count else { return nil }
    var mask = [UInt8](repeating: 0, count: before.count)
    mask[processor / 8] = 1 << UInt8(processor % 8)
    guard (try? myself.set(affinity: mask)) != nil else { return nil }
    defer { try? myself.set(affinity: before) }
    // To sleep is what brings the account up to date.
    Machine.sleep(seconds: 0.000_001)
    guard let moment = SchedulingMoment(of: .currentThread) else { return nil }
    return Int64(clamping: moment.nanoseconds) - monotonicNanoseconds()
  }

  private static func monotonicNanoseconds() -> Int64 {
    Int64(Machine.monotonicSeconds() * 1e9)
  }
}
