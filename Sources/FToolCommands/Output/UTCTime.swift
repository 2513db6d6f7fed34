import LinuxSystem

/// A moment, as it stands on the members: seconds since 1970 and microseconds, and its text.
package struct UTCTime: Equatable, Sendable {
  /// Seconds since 1970-01-01T00:00:00Z.
  package var secondsSinceEpoch: Int64
  /// Microseconds behind them, 0 to 999,999.
  package var microseconds: UInt32

  /// A moment that many seconds after the epoch.
  package init(secondsSinceEpoch: Int64, microseconds: UInt32 = 0) {
    self.secondsSinceEpoch = secondsSinceEpoch
    self.microseconds = microseconds
  }

  /// `2026-01-31T23:59:58Z`; with microseconds only where there are some.
  package var rfc3339: String {
    let (day, second) = Self.floorDivide(secondsSinceEpoch, by: 86_400)
    let date = Self.date(daysSinceEpoch: day)
    var text = "\(Self.padded(date.year, 4))-\(Self.padded(date.month, 2))-"
    text += "\(Self.padded(date.day, 2))T\(Self.padded(second / 3600, 2)):"
    text += "\(Self.padded(second / 60 % 60, 2)):\(Self.padded(second % 60, 2))"
    if microseconds > 0 { text += ".\(Self.padded(Int64(microseconds), 6))" }
    return text + "Z"
  }

  /// The date of a day in the Gregorian calendar.
  ///
  /// Years are counted from 1 March, so that the leap day is the last of its year, and days in eras
  /// of 400 years, which are all 146,097 days long.
  /// Now.
  static var now: UTCTime {
    let now = Machine.now()
    return UTCTime(secondsSinceEpoch: Int64(now.seconds), microseconds: now.microseconds)
  }

  /// Without what file names do not like: `20260102T030405Z`.
  var compact: String {
    String(rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
  }

  private static func date(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(daysSinceEpoch + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  private static func floorDivide(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ value: Int64, _ digitCount: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, digitCount - digits.count)) + digits
  }
}
