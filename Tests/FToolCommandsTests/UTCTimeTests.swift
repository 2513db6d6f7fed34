import FToolCommands
import Testing

@Suite struct UTCTimeTests {
  private struct Known: Sendable {
    let seconds: Int64
    let text: String
  }

  @Test(arguments: [
    Known(seconds: 0, text: "1970-01-01T00:00:00Z"),
    Known(seconds: -1, text: "1969-12-31T23:59:59Z"),
    Known(seconds: 951_782_400, text: "2000-02-29T00:00:00Z"),
    Known(seconds: 951_868_800, text: "2000-03-01T00:00:00Z"),
    Known(seconds: 1_000_000_000, text: "2001-09-09T01:46:40Z"),
    Known(seconds: 1_709_164_800, text: "2024-02-29T00:00:00Z"),
    Known(seconds: 1_767_225_599, text: "2025-12-31T23:59:59Z"),
    Known(seconds: 4_107_542_400, text: "2100-03-01T00:00:00Z"),
    Known(seconds: (1 << 40) - 1, text: "36812-02-20T00:36:15Z"),
  ])
  private func `is RFC 3339`(known: Known) {
    #expect(UTCTime(secondsSinceEpoch: known.seconds).rfc3339 == known.text)
  }

  @Test func `shows microseconds where there are some`() {
    let time = UTCTime(secondsSinceEpoch: 0, microseconds: 42)
    #expect(time.rfc3339 == "1970-01-01T00:00:00.000042Z")
  }
}
