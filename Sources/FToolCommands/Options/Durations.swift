/// Reads a duration such as `250ms 10s 5m 2h 7d`: whole numbers, of one unit.
func parseDuration(_ text: String) throws(InvalidValue) -> Duration {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let expected = InvalidValue("a duration is a whole number with ms, s, m, h or d behind it")
  guard let count = Int64(digits) else { throw expected }
  let unitMilliseconds: Int64
  switch text.dropFirst(digits.count) {
  case "ms": unitMilliseconds = 1
  case "s": unitMilliseconds = 1000
  case "m": unitMilliseconds = 60 * 1000
  case "h": unitMilliseconds = 3600 * 1000
  case "d": unitMilliseconds = 86_400 * 1000
  default: throw expected
  }
  let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unitMilliseconds)
  guard !overflow else { throw InvalidValue("the duration is too long") }
  return .milliseconds(milliseconds)
}

/// A duration as people read it, in its two largest units: `850ms`, `28s`, `2m 5s`, `3h 40m`,
/// `7d 2h`.
func durationText(_ duration: Duration) -> String {
  let seconds = duration.components.seconds
  if seconds < 1 { return "\(duration.components.attoseconds / 1_000_000_000_000_000)ms" }
  let units: [(name: String, seconds: Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
  guard let first = units.firstIndex(where: { seconds >= $0.seconds }) else { return "0s" }
  let large = "\(seconds / units[first].seconds)\(units[first].name)"
  guard first + 1 < units.count else { return large }
  let small = seconds % units[first].seconds / units[first + 1].seconds
  return small == 0 ? large : "\(large) \(small)\(units[first + 1].name)"
}
