import FToolCommands
import Testing

@Suite struct RaidArgumentTests {
  private func create(_ arguments: String...) throws -> RaidCreate {
    try #require(try FTool.verb(["raid", "create"] + arguments) as? RaidCreate)
  }

  private struct Wrong: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let words: String
    init(_ arguments: String, _ words: String) {
      self.arguments = arguments.split(separator: " ").map(String.init)
      self.words = words
    }
    var testDescription: String { arguments.joined(separator: " ") }
  }

  @Test func `create has the defaults of the manual`() throws {
    let verb = try create("photos", "a", "b", "c")
    #expect(verb.name == "photos" && verb.members == ["a", "b", "c"])
    #expect(verb.level == nil && verb.effectiveLevel == .raid5)
    #expect(verb.metadata == .version1_2 && verb.sums == .crc32c)
    #expect(verb.bitmap == .none && verb.journal == nil && verb.spares == 0)
    #expect(try create("p", "a", "b").effectiveLevel == .mirror)
    #expect(try create("p", "a", "b", "c", "d").effectiveLevel == .raid6)
    #expect(try create("p", "a", "b", "c", "d", "--spares", "1").effectiveLevel == .raid5)
  }

  @Test func `create takes options anywhere and joined`() throws {
    let verb = try create(
      "-l5", "photos", "a", "-c64K", "b", "c", "--layout", "ra", "--make", "1T", "-nyf",
      "--metadata", "1.1", "--assume-clean", "--data-offset", "2048s")
    #expect(verb.level == .raid5 && verb.chunk == 65_536 && verb.make == 1 << 40)
    #expect(verb.layout == .parity("right-asymmetric") && verb.metadata == .version1_1)
    #expect(verb.write.dryRun && verb.write.yes && verb.write.force && verb.assumeClean)
    #expect(verb.dataOffset == 1 << 20)
  }

  @Test(arguments: [
    Wrong("x", "members"), Wrong("x a", "one member alone"), Wrong("x a a", "'a' is given twice"),
    Wrong("a/b c d", "cannot name an array"), Wrong("x a b --level 6", "level 6 has 4 to 255"),
    Wrong("x a b c --level ec:2+2", "has 4 members, and 3"),
    Wrong("x a b c --chunk 3K", "power of two"), Wrong("x a b c --chunk 2K", "power of two"),
    Wrong("x a b c --chunk 32M", "power of two"), Wrong("x a b --level 1 --chunk 64K", "no chunks"),
    Wrong("x a b c --layout near=2", "level 5 has no layout 'near=2'"),
    Wrong("x a b c --level 10 --layout near=4", "needs 4 members"),
    Wrong("x a b c --spares 4", "cannot be spares"),
    Wrong("x a b c --spares=-1", "cannot be spares"),
    Wrong("x a b c --level 0 --spares 1", "no redundancy"),
    Wrong("x a b missing --spares 1", "a spare cannot be missing"),
    Wrong("x a b c --journal internal --sums none", "needs the checksums"),
    Wrong("x a b c --uuid 12", "32 hexadecimal"), Wrong("x a b c --homehost a:b", "homehost"),
    Wrong("x a b c --metadata 0.90", "'1.0', '1.1' or '1.2'"),
    Wrong("x a b c --size 0", "0 is not a size"),
  ])
  private func `create refuses`(wrong: Wrong) {
    let tool = RunningTool(["raid", "create"] + wrong.arguments)
    #expect(tool.status == 64)
    #expect(tool.error.contains(wrong.words), "\(tool.error)")
  }

  @Test(arguments: [
    Wrong("read a --degraded", "--repair"), Wrong("rebuild a --member b --onto b", "the same"),
    Wrong("replace a --member b --onto b", "the same"), Wrong("replace a --member b", "--onto"),
    Wrong("fail a", "--member"), Wrong("remove a", "--member"), Wrong("add a", "--new"),
    Wrong("scrub a --range 5", "range"), Wrong("scrub a --repair maybe", "auto"),
    Wrong("write", "array"), Wrong("wait a --timeout 5", "duration"),
    Wrong("read a --read-policy best", "round-robin"), Wrong("examine", "member"),
    Wrong("list x", "unexpected"), Wrong("read a --wait x", "duration"), Wrong("wipe", "members"),
  ])
  private func `verbs refuse`(wrong: Wrong) {
    let tool = RunningTool(["raid"] + wrong.arguments)
    #expect(tool.status == 64)
    #expect(tool.error.contains(wrong.words), "\(tool.error)")
  }

  @Test func `read writes data to standard output unless told otherwise`() throws {
    let standard = try FTool.verb(["raid", "read", "a"])
    let dash = try FTool.verb(["raid", "read", "a", "-o", "-"])
    let file = try FTool.verb(["raid", "read", "a", "-o", "f"])
    #expect(standard.writesDataToStandardOutput && dash.writesDataToStandardOutput)
    #expect(!file.writesDataToStandardOutput)
  }

  @Test func `scrub and rebuild take their options`() throws {
    let scrub = try #require(
      try FTool.verb([
        "raid", "scrub", "a", "--repair", "never", "--rate", "50M", "--range", "1G-2G", "--wait",
        "10s", "--scan", "d", "--sums-file", "s",
      ]) as? RaidScrub)
    #expect(
      scrub.repair == .never && scrub.rate.rate == 50 << 20
        && scrub.change.lock.wait == .seconds(10))
    #expect(scrub.range?.lowerBound == 1 << 30 && scrub.operand.scan == ["d"])
    #expect(scrub.change.sums.sumsFile == "s")
    let rebuild = try #require(
      try FTool.verb(["raid", "rebuild", "a", "--onto", "new", "--verify"]) as? RaidRebuild)
    #expect(rebuild.onto == "new" && rebuild.verify && rebuild.member == nil)
  }
}
