import BinaryCodec

/// A timer of timer_create(2).
package struct TimerState: FieldCoded, Equatable, Sendable {
  package var id: Int32 = 0
  package var clock: Int32 = 0
  package var signal: Int32 = 0
  /// SIGEV_SIGNAL 0, SIGEV_NONE 1, SIGEV_THREAD_ID 4.
  package var notification: Int32 = 0
  /// The thread that gets the signal, for SIGEV_THREAD_ID.
  package var thread: Int32 = 0
  /// What is sent along: `sigval`.
  package var value: UInt64 = 0
  /// Period and time left: seconds and nanoseconds of each.
  package var times: [UInt64] = []

  package init() {}

  package mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
    try coder.field(1, &id)
    try coder.field(2, &clock)
    try coder.field(3, &signal)
    try coder.field(4, &notification)
    try coder.field(5, &thread)
    try coder.field(6, &value)
    try coder.field(7, &times)
    guard times.count == 4 || !coder.isReading else { throw .outOfRange(7) }
  }

  /// The timers in the text of /proc/PID/timers, without their times; nil if it says what it never says.
  ///
  ///     ID: 0
  ///     signal: 35/000000000000004d
  ///     notify: signal/pid.988
  ///     ClockID: 1
  static func parse(_ text: String) -> [TimerState]? {
    var timers: [TimerState] = []
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { return nil }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      if line[..<colon] == "ID" {
        guard let id = Int32(value) else { return nil }
        timers.append(TimerState())
        timers[timers.count - 1].id = id
        continue
      }
      guard !timers.isEmpty, timers[timers.count - 1].take(line[..<colon], value) else {
        return nil
      }
    }
    return timers
  }

  private mutating func take(_ key: Substring, _ value: Substring) -> Bool {
    switch key {
    case "signal":
      let parts = value.split(separator: "/")
      guard parts.count == 2, let signal = Int32(parts[0]),
        let sent = UInt64(parts[1], radix: 16)
      else { return false }
      (self.signal, self.value) = (signal, sent)
    case "notify":
      let parts = value.split(whereSeparator: { $0 == "/" || $0 == "." })
      guard parts.count == 3, let thread = Int32(parts[2]) else { return false }
      let kinds: [Substring: Int32] = ["signal": 0, "none": 1, "thread": 2]
      guard let kind = kinds[parts[0]] else { return false }
      notification = kind | (parts[1] == "tid" ? 4 : 0)
      self.thread = parts[1] == "tid" ? thread : 0
    case "ClockID":
      guard let clock = Int32(value) else { return false }
      self.clock = clock
    default: break
    }
    return true
  }
}
