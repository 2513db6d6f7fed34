import FToolTestSupport
import LinuxSystem
import SystemPackage
import Testing

/// Long jobs that somebody stops, asks or kills.
@Suite struct InterruptionTests {
  @Test(arguments: [(1, 129), (2, 130), (15, 143)] as [(Int32, Int32)])
  func `a scrub stops where it is, and the same command goes on`(
    signal: Int32, status: Int32
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    var scrub = try bench.start("raid scrub m0.img --rate 2M")
    #expect(try bench.waitForJob())
    Machine.sleep(seconds: 1.2)
    scrub.signal(signal)
    let ended = try scrub.finish()
    #expect(ended.status == status, "\(ended.errorText)")
    #expect(ended.errorText.contains("ftool: error: interrupted by signal \(signal)"))
    #expect(ended.errorText.contains("run the same command again"))
    let state = try bench.ftool("raid status m0.img --json --test").json
    #expect(state["operation"]["phase"] == .string("interrupted"))
    let done = try #require(state["operation"]["done_bytes"].number)
    #expect(done > 0)
    let resumed = try bench.ftool("raid scrub m0.img --json").json
    #expect(resumed["complete"] == .bool(true))
    let all = try bench.ftool("raid scrub m0.img --json").json
    let rest =
      try #require(resumed["checked_bytes"].number) + (resumed["skipped_bytes"].number ?? 0)
    let whole = try #require(all["checked_bytes"].number) + (all["skipped_bytes"].number ?? 0)
    #expect(rest < whole)
    #expect(try bench.ftool("raid status m0.img --json").json["operation"] == .null)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a read that was stopped says how far it came`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    // Nobody takes what it writes, so that it is under way when the signal comes.
    var read = try bench.start("raid read m0.img --offset 4K")
    try bench.waitUntilFull(read)
    read.signal(2)
    let ended = try read.finish()
    let end = 4096 + ended.output.count
    #expect(ended.status == 130 && end < bytes.count, "\(ended.errorText)")
    #expect(ended.output == Array(bytes[4096..<end]))
    #expect(
      ended.errorText.contains("or the rest with --offset \(end)\n"), "\(ended.errorText) at \(end)"
    )
  }

  @Test(arguments: [2, 9] as [Int32])
  func `a rebuild goes on from where it was stopped or killed`(signal: Int32) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    try bench.remove("m1.img")
    try bench.folder.sparseFile("new.img", byteCount: 12 << 20)
    var rebuild = try bench.start("raid rebuild m0.img --onto new.img --rate 2M")
    #expect(try bench.waitForJob())
    let running = try bench.ftool("raid status m0.img --test", ends: 2)
    #expect(running.output.contains("State:       being rebuilt"), running.remark)
    Machine.sleep(seconds: 1.5)
    rebuild.signal(signal)
    let ended = try rebuild.finish()
    #expect(ended.status == (signal == 9 ? nil : 130), "\(ended.errorText)")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("to go on rebuilding"), status.remark)
    // Half a member is worth what is on it, and no more.
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    let resumed = try bench.ftool("raid rebuild m0.img --onto new.img --json").json
    let rest = try #require(resumed["rebuilt"][0]["bytes"].number)
    #expect(rest > 0)
    if signal != 9 { #expect(rest < 11_000_000) }
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m0.img")
    #expect(try bench.ftool("raid read m2.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: ["m0.img m2.img", "m0.img m2.img new.img", "photos --scan ."])
  func `a killed rebuild goes on however the members are named`(members: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    try bench.remove("m1.img")
    try bench.folder.sparseFile("new.img", byteCount: 12 << 20)
    var rebuild = try bench.start("raid rebuild m0.img m2.img --onto new.img --rate 2M")
    #expect(try bench.waitForJob())
    rebuild.signal(9)
    _ = try rebuild.finish()
    try bench.ftool("raid rebuild \(members) --onto new.img")
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m0.img")
    #expect(try bench.ftool("raid read m2.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: [2, 9] as [Int32])
  func `a scrub that goes on ends with what all of it has found`(signal: Int32) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 5000, [1, 2, 3, 4])
    var scrub = try bench.start("raid scrub m0.img --rate 2M")
    #expect(try bench.waitForJob())
    // Noted about once a second.
    var done = 0.0
    for _ in 0..<100 where done == 0 {
      Machine.sleep(seconds: 0.1)
      let state = try bench.ftool("raid status m0.img --json").json
      done = state["operation"]["done_bytes"].number ?? 0
    }
    #expect(done > 0)
    scrub.signal(signal)
    _ = try scrub.finish()
    let resumed = try bench.ftool("raid scrub m0.img --json", ends: 1).json
    #expect(try #require(resumed["resumed_at"].number) > 0)
    #expect(resumed["problems"] == .number(1) && resumed["repaired"] == .number(1))
    #expect(resumed["repaired_before"] == .number(1) && resumed["findings"] == .array([]))
    #expect(try bench.ftool("raid scrub m0.img").output.contains("no problems found"))
  }

  @Test func `an interrupted replacement goes on, and redundancy is never less`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    try bench.folder.sparseFile("new.img", byteCount: 12 << 20)
    let line = "raid replace m0.img --member m1.img --onto new.img"
    var replace = try bench.start(line + " --rate 2M")
    #expect(try bench.waitForJob())
    replace.signal(2)
    let ended = try replace.finish()
    #expect(ended.status == 130, "\(ended.errorText)")
    let status = try bench.ftool("raid status m0.img --test")
    #expect(status.output.contains("survives the loss of 1 member"), status.remark)
    #expect(status.output.contains("ftool \(line)"), status.remark)
    try bench.ftool(line)
    #expect(try bench.ftool("raid status m0.img --test").output.contains("1  new.img  in sync"))
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `SIGUSR1 asks for a line, in any mode`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    var scrub = try bench.start("raid scrub m0.img --rate 3M")
    #expect(try bench.waitForJob())
    scrub.signal(SystemSignal.user1)
    Machine.sleep(seconds: 1)
    scrub.signal(2)
    let ended = try scrub.finish()
    let lines = ended.errorText.split(separator: "\n").filter { $0.hasPrefix("scrub: ") }
    #expect(lines.count == 1 && lines.first?.contains(" of ") == true, "\(ended.errorText)")
  }

  @Test func `an interrupted write leaves a clean array`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    var write = try bench.start("raid write m0.img")
    Machine.sleep(seconds: 0.5)
    write.signal(2)
    Machine.sleep(seconds: 0.2)
    let ended = try write.finish(input: Workbench.noise(1000))
    #expect(ended.status == 130, "\(ended.errorText)")
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `progress is JSON, lines, or nothing`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    let json = try bench.ftool("raid scrub m0.img --progress json")
    let objects = try json.error.split(separator: "\n").map { try ParsedJSON(String($0)) }
    #expect(
      objects.last?["type"] == .string("progress") && objects.last?["task"] == .string("scrub"))
    #expect(objects.last?["done_bytes"] == objects.last?["total_bytes"])
    #expect(try bench.ftool("raid scrub m0.img --progress plain").error.contains("scrub: 100.0 %"))
    #expect(try bench.ftool("raid scrub m0.img --progress bar").error.contains("[####"))
    #expect(try bench.ftool("raid scrub m0.img").error == "")
  }

  private enum SystemSignal { static let user1: Int32 = 10 }
}
