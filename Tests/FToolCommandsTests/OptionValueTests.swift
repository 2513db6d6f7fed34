import Testing

@testable import FToolCommands

@Suite struct OptionValueTests {
  @Test func `sizes have the units of the manual`() throws {
    #expect(try parseSize("512") == 512)
    #expect(try parseSize("64K") == 65_536)
    #expect(try parseSize("64KiB") == 65_536)
    #expect(try parseSize("64kB") == 64_000)
    #expect(try parseSize("1M") == 1 << 20)
    #expect(try parseSize("3T") == 3 << 40)
    #expect(try parseSize("8s") == 4096)
  }

  @Test(arguments: ["", "K", "-1", "1.0001K", "1X", "1 K", "99999999999T", "0x10", "١"])
  func `sizes that are none are refused`(text: String) {
    #expect(throws: InvalidValue.self) { try parseSize(text) }
  }

  @Test func `rates are sizes with or without a second`() throws {
    #expect(try parseRate("50M") == 50 << 20)
    #expect(try parseRate("50MB/s") == 50_000_000)
    #expect(throws: InvalidValue.self) { try parseRate("0") }
  }

  @Test func `durations have the units of the manual`() throws {
    #expect(try parseDuration("250ms") == .milliseconds(250))
    #expect(try parseDuration("10s") == .seconds(10))
    #expect(try parseDuration("5m") == .seconds(300))
    #expect(try parseDuration("2h") == .seconds(7200))
    #expect(try parseDuration("7d") == .seconds(604_800))
    #expect(try parseDuration("0s") == .zero)
  }

  @Test(arguments: ["", "5", "s", "-5s", "1.5h", "5 s", "9999999999999999d", "5w"])
  func `durations that are none are refused`(text: String) {
    #expect(throws: InvalidValue.self) { try parseDuration(text) }
  }

  @Test func `durations read well`() {
    #expect(durationText(.milliseconds(850)) == "850ms")
    #expect(durationText(.seconds(28)) == "28s")
    #expect(durationText(.seconds(125)) == "2m 5s")
    #expect(durationText(.seconds(13_200)) == "3h 40m")
    #expect(durationText(.seconds(612_000)) == "7d 2h")
    #expect(durationText(.seconds(3600)) == "1h")
  }

  @Test func `ranges may be open at the end`() throws {
    let whole = try ByteRange(parsing: "1M-2M")
    #expect(whole.lowerBound == 1 << 20 && whole.upperBound == 2 << 20)
    #expect(try ByteRange(parsing: "1M-").upperBound == nil)
  }

  @Test(arguments: ["", "-", "-2M", "1M", "2M-1M", "1M-1M", "1-2-3", "a-b"])
  func `ranges that are none are refused`(text: String) {
    #expect(throws: InvalidValue.self) { try ByteRange(parsing: text) }
  }

  @Test func `UUIDs may be spelled as md and as the rest of the world do`() throws {
    let md = try UUIDChoice(parsing: "00112233:44556677:8899aabb:ccddeeff")
    let usual = try UUIDChoice(parsing: "00112233-4455-6677-8899-AABBCCDDEEFF")
    #expect(md == usual)
    #expect(md.bytes == (0..<16).map { UInt8($0 * 0x11) })
    #expect(throws: InvalidValue.self) { try UUIDChoice(parsing: "0011") }
    #expect(throws: InvalidValue.self) {
      try UUIDChoice(parsing: "0011223344556677889-aabbccddeefg")
    }
  }

  @Test func `levels have numbers and names`() throws {
    #expect(try LevelChoice(parsing: "linear") == .linear)
    #expect(try LevelChoice(parsing: "stripe") == LevelChoice(parsing: "0"))
    #expect(try LevelChoice(parsing: "Mirror") == LevelChoice(parsing: "1"))
    #expect(try LevelChoice(parsing: "raid6") == .raid6)
    #expect(try LevelChoice(parsing: "10") == .raid10)
    #expect(try LevelChoice(parsing: "ec:8+3") == .erasure(dataCount: 8, parityCount: 3))
  }

  @Test(arguments: [
    "", "7", "raid", "50", "ec:", "ec:8", "ec:8+0", "ec:8+7", "ec:0+2", "ec:250+6", "ec:a+b",
  ])
  func `levels that are none are refused`(text: String) {
    #expect(throws: InvalidValue.self) { try LevelChoice(parsing: text) }
  }

  @Test func `layouts have long and short names`() throws {
    #expect(try LayoutChoice(parsing: "ls") == .parity("left-symmetric"))
    #expect(try LayoutChoice(parsing: "parity-last") == .parity("parity-last"))
    #expect(try LayoutChoice(parsing: "near=3") == .near(copyCount: 3))
    #expect(try LayoutChoice(parsing: "f2") == .far(copyCount: 2))
    #expect(try LayoutChoice(parsing: "offset=2").description == "offset=2")
  }

  @Test(arguments: ["", "near", "near=", "near=0", "n-1", "x2", "middle", "near=999"])
  func `layouts that are none are refused`(text: String) {
    #expect(throws: InvalidValue.self) { try LayoutChoice(parsing: text) }
  }
}
