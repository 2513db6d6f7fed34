import BinaryCodec
import LinuxSystem

/// timerfd_create(2). Time that passes while the processes are not there does not count, but for timers that
/// wait for a time of day.
enum TimerDescriptor: DescriptorKind {
  static let name = "timerfd"

  struct Detail: FieldCoded, Equatable {
    /// CLOCK_ number.
    var clock: Int32 = 0
    /// Flags of timerfd_settime(2).
    var flags: UInt32 = 0
    /// How often it has run out since somebody read it.
    var ticks: UInt64 = 0
    /// Seconds and nanoseconds of the interval, and until it runs out next; both 0 when it stands still.
    var interval: [UInt64] = []
    var remaining: [UInt64] = []
    /// When it runs out by the clock, in nanoseconds; for clocks of the time of day.
    var expiry: Int64 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &clock)
      try coder.field(2, &flags)
      try coder.field(3, &ticks)
      try coder.field(4, &interval)
      try coder.field(5, &remaining)
      try coder.field(6, &expiry)
    }
  }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.link == "anon_inode:[timerfd]"
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    try look(at: seen, seen.info).encoded()
  }

  private static func look(
    at seen: SeenDescriptor, _ info: DescriptorInfo
  ) throws(CheckpointError) -> Detail {
    var detail = try Detail(info, of: seen)
    if detail.remaining == [0, 0] && detail.interval != [0, 0] {
      // It has run out, and stands until somebody reads it or asks it; then it goes on in its phase.
      try about(seen.process) { () throws(SystemCallError) in _ = try seen.copy.timerValue() }
      detail = try Detail(infoNow(of: seen), of: seen)
    }
    if detail.isOfTimeOfDay {
      detail.expiry = later(
        Machine.nanoseconds(ofClock: 0), by: nanoseconds(detail.remaining))
    }
    return detail
  }

  private static func infoNow(of seen: SeenDescriptor) throws(CheckpointError) -> DescriptorInfo {
    try about(seen.process) { () throws(SystemCallError) in
      try DescriptorInfo(seen.info.number, of: seen.process)
    }
  }

  /// One whose time is up looks as if it stood still until a processor has taken its interrupt
  /// (timerfd_get_remaining in fs/timerfd.c). A moment later they are told apart.
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {
    var unclear = unclearTimers(tree)
    for _ in 0..<maximumLooks where !unclear.isEmpty {
      Machine.sleep(seconds: 0.002)
      for one in unclear {
        let detail = try look(at: one.seen, infoNow(of: one.seen))
        tree.replace(one.index, kind: self, detail: detail.encoded())
      }
      unclear = unclearTimers(tree).filter(\.detail.isRunning)
    }
  }

  private static let maximumLooks = 5

  private static func unclearTimers(
    _ tree: TreeCapture
  ) -> [(index: Int, seen: SeenDescriptor, detail: Detail)] {
    tree.descriptions(of: self).compactMap { index, seen, state in
      guard let detail = try? Detail(decoding: state.detail[...]), detail.mayBeDue else {
        return nil
      }
      return (index, seen, detail)
    }
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    return try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.timer(
        clock: detail.clock, flags: state.flags & OpenFlags.nonBlocking)
    }
  }

  /// Time runs from here on.
  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError) {
    var detail = try restoration.decode(Detail.self, state.detail)
    // Due whenever it was looked at.
    if detail.isRunning && detail.remaining == [0, 0] { detail.remaining = detail.interval }
    guard detail.interval.count == 2, detail.remaining.count == 2,
      detail.remaining[0] <= never, detail.remaining[1] < 1_000_000_000
    else { throw .malformed(.outOfRange(5)) }
    try about(nil) { () throws(SystemCallError) in
      for _ in 0..<maximumSettings {
        detail.takeMissedTicks()
        let (left, start) = (detail.nanosecondsLeft, Machine.nanoseconds(ofClock: monotonic))
        if detail.remaining != [0, 0] {
          try file.setTimer(detail.interval + detail.valueToSet, flags: detail.flags)
        }
        if detail.ticks == 0 { return }
        // To set it takes its ticks back; to set them takes back one that has come in between.
        try file.setTimerTicks(detail.ticks)
        if !detail.isRunning || Machine.nanoseconds(ofClock: monotonic) - start < left { return }
        detail.runOut()
      }
    }
  }

  private static let maximumSettings = 8
  /// CLOCK_MONOTONIC
  private static let monotonic: Int32 = 1
}

/// KTIME_MAX in seconds: what is set to later never runs out.
private let never: UInt64 = 9_223_372_036

/// Of seconds and nanoseconds; the largest number for never.
private func nanoseconds(_ parts: [UInt64]) -> Int64 {
  parts[0] >= never ? .max : Int64(parts[0]) * 1_000_000_000 + Int64(min(parts[1], 999_999_999))
}

/// Never where the sum is too large, as ktime_add_safe has it.
private func later(_ moment: Int64, by duration: Int64) -> Int64 {
  let (sum, isTooLarge) = moment.addingReportingOverflow(duration)
  return isTooLarge ? .max : sum
}

extension TimerDescriptor.Detail {
  fileprivate init(
    _ info: DescriptorInfo, of seen: SeenDescriptor
  ) throws(CheckpointError) {
    guard let clock = info.number("clockid"), let ticks = info.number("ticks"),
      let flags = info.number("settime flags", radix: 8)
    else { throw seen.obstacle("this kernel does not tell how it is set") }
    self.clock = Int32(truncatingIfNeeded: clock)
    self.flags = UInt32(truncatingIfNeeded: flags)
    self.ticks = ticks
    interval = Self.pair(info.line("it_interval"))
    remaining = Self.pair(info.line("it_value"))
  }

  /// From `(1, 500)`.
  private static func pair(_ text: String?) -> [UInt64] {
    let numbers = (text ?? "").split { !$0.isNumber }.compactMap { UInt64($0) }
    return numbers.count == 2 ? numbers : [0, 0]
  }

  /// It stands still, or its time is up and it has not run out yet.
  fileprivate var mayBeDue: Bool { remaining == [0, 0] && (ticks == 0 || interval != [0, 0]) }
  /// It runs out again and again, and has: to set it to stand still would have taken the ticks back.
  fileprivate var isRunning: Bool { ticks > 0 && interval != [0, 0] }
  fileprivate var isAbsolute: Bool { flags & 1 != 0 }  // TFD_TIMER_ABSTIME
  /// Set to a time of CLOCK_REALTIME or CLOCK_REALTIME_ALARM.
  fileprivate var isOfTimeOfDay: Bool { isAbsolute && (clock == 0 || clock == 8) }

  /// What one that was not read would have run out by the time of day meanwhile: the kernel counts this itself, but
  /// only while no ticks are set.
  fileprivate mutating func takeMissedTicks() {
    let period = nanoseconds(interval)
    let start = max(expiry, 0)
    let late = Machine.nanoseconds(ofClock: 0) - start
    guard isOfTimeOfDay, isRunning, late >= 0, period > 0 else { return }
    let missed = late / period + 1
    ticks &+= UInt64(missed)
    let (span, isTooLong) = missed.multipliedReportingOverflow(by: period)
    expiry = later(start, by: isTooLong ? .max : span)
  }

  /// Until it runs out.
  fileprivate var nanosecondsLeft: Int64 {
    isOfTimeOfDay
      ? max(expiry, 0) - Machine.nanoseconds(ofClock: 0)
      : nanoseconds(remaining)
  }

  /// It has run out while it was being set. What waits for a time of day finds that out by itself.
  fileprivate mutating func runOut() {
    if isOfTimeOfDay { return }
    ticks &+= 1
    remaining = interval
  }

  /// Where there is no alarm clock, CLOCK_BOOTTIME_ALARM (9) can't be read; it is CLOCK_BOOTTIME (7) that wakes.
  private var readableClock: Int32 { clock == 9 ? 7 : clock }

  /// As timerfd_settime(2) wants it now.
  fileprivate var valueToSet: [UInt64] {
    if !isAbsolute { return remaining }
    // Its clock may begin anew with the machine, but a time of day stays what it is.
    let time =
      isOfTimeOfDay
      ? expiry : later(Machine.nanoseconds(ofClock: readableClock), by: nanosecondsLeft)
    return [UInt64(max(time, 1) / 1_000_000_000), UInt64(max(time, 1) % 1_000_000_000)]
  }
}

extension TimerDescriptor {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    guard let detail = try? Detail(decoding: state.detail[...]) else { return nil }
    guard detail.remaining.count == 2, detail.remaining != [0, 0] || detail.isRunning else {
      return "stands still"
    }
    return "runs out in \(detail.remaining[0])s"
      + (detail.interval == [0, 0] ? "" : ", again and again")
  }
}
