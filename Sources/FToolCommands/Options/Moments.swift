/// A moment that an option names: a time, or how long ago it was.
package struct Moment: Equatable, Sendable {
  /// Seconds since 1970, of a time.
  private var seconds: Int64?
  private var ago: Duration = .zero

  /// Reads `2026-01-31`, `2026-01-31T23:59:58Z` (RFC 3339 in UTC), or a duration such as `2h` or `7d`.
  init(parsing text: String) throws(InvalidValue) {
    if let time = UTCTime(parsing: text) {
      seconds = time.secondsSinceEpoch
      return
    }
    do throws(InvalidValue) {
      ago = try parseDuration(text)
    } catch {
      throw InvalidValue(
        "a moment is a time such as 2026-01-31T23:59:58Z, a day such as 2026-01-31, or how long ago it "
          + "was, such as 2h or 7d")
    }
  }

  /// Seconds since 1970.
  package func secondsSinceEpoch(now: UInt64) -> Int64 {
    seconds ?? Int64(clamping: now) - ago.components.seconds
  }
}

extension UTCTime {
  /// A time as RFC 3339 has it in UTC, or a day, which stands for its beginning; nil for anything else.
  init?(parsing text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 10 || bytes.count == 20 else { return nil }
    var numbers: [Int64] = []
    var number: Int64 = 0
    for (index, byte) in (bytes + (bytes.count == 10 ? Array("T00:00:00Z".utf8) : [])).enumerated()
    {
      let separator = Self.separators[index]
      if let separator {
        guard byte == separator || separator == UInt8(ascii: "T") && byte == 0x20 else {
          return nil
        }
        numbers.append(number)
        number = 0
      } else {
        guard (0x30...0x39).contains(byte) else { return nil }
        number = number * 10 + Int64(byte - 0x30)
      }
    }
    let (year, month, day) = (numbers[0], numbers[1], numbers[2])
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let monthLengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1970, (1...12).contains(month), day >= 1, day <= monthLengths[Int(month) - 1],
      numbers[3] < 24, numbers[4] < 60, numbers[5] < 61
    else { return nil }
    // Days since 1970: of whole years, whole months, and the rest.
    let before = year - 1
    let leapDays = before / 4 - before / 100 + before / 400 - 477
    let days =
      (year - 1970) * 365 + leapDays + monthLengths[..<(Int(month) - 1)].reduce(0, +) + day - 1
    self.init(
      secondsSinceEpoch: days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5])
  }

  /// What stands at the places of `2026-01-31T23:59:58Z` that have no digit.
  private static let separators: [UInt8?] = "0000-00-00T00:00:00Z".utf8.map {
    $0 == UInt8(ascii: "0") ? nil : $0
  }
}
