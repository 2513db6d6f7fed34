import Testing

@testable import FToolCommands

@Suite struct MomentTests {
  @Test(
    arguments: [
      ("1970-01-01", Int64(0)), ("1970-01-01T00:00:01Z", 1), ("2000-02-29T12:00:00Z", 951_825_600),
      ("2000-03-01", 951_868_800), ("2026-11-21T21:27:28Z", 1_795_296_448),
      ("2026-11-21 21:27:28Z", 1_795_296_448), ("2100-02-28", 4_107_456_000),
      ("2100-03-01", 4_107_542_400), ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] as [(String, Int64)])
  func `a time is read, and written as it was`(text: String, seconds: Int64) throws {
    #expect(try Moment(parsing: text).secondsSinceEpoch(now: 77) == seconds)
    let written = UTCTime(secondsSinceEpoch: seconds).rfc3339
    #expect(UTCTime(parsing: written)?.secondsSinceEpoch == seconds)
  }

  @Test func `every day of many years has its number`() throws {
    for day in stride(from: Int64(0), to: 80_000, by: 1) {
      let time = UTCTime(secondsSinceEpoch: day * 86_400)
      #expect(UTCTime(parsing: String(time.rfc3339.prefix(10))) == time)
    }
  }

  @Test(
    arguments: [
      ("2h", Int64(1000 - 7200)), ("0s", 1000), ("7d", 1000 - 604_800), ("1500ms", 999),
    ] as [(String, Int64)])
  func `a duration is so long ago`(text: String, seconds: Int64) throws {
    #expect(try Moment(parsing: text).secondsSinceEpoch(now: 1000) == seconds)
  }

  @Test(arguments: [
    "", "x", "2026", "2026-02-30", "2026-13-01", "2026-00-10", "1969-12-31", "2026-11-21T24:00:00Z",
    "2026-11-21T21:60:28Z", "2026-11-21T21:27:28", "2026-11-21t21:27:28Z", "2026-11-21T21:27:28+",
    "5",
    "-2h", "2026/11/21", "99999999999999999999d",
  ])
  func `anything else is refused`(text: String) {
    #expect(throws: InvalidValue.self) { try Moment(parsing: text) }
  }
}
