import FToolTestSupport
import LinuxSystem
import Testing

/// `recover --force` on arrays that lack current members.
@Suite struct ForcedStartCommandTests {
  /// A RAID 5 whose member m2 missed a write, and whose member m1 is lost; what is in it.
  private func beyond(_ bench: borrowing Workbench, _ options: String = "") throws -> [UInt8] {
    var data = try bench.makeFilledArray(options)
    try bench.ftool("raid fail m0.img --member m2.img")
    let news = Workbench.noise(20_000, seed: 9)
    try bench.ftool("raid write m0.img", input: news)
    data.replaceSubrange(0..<news.count, with: news)
    try bench.remove("m1.img")
    return data
  }

  @Test func `members that were put back from a copy are called that`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(try bench.shell("mkdir old && cp m1.img m2.img old").status == 0)
    let news = Workbench.noise(20_000, seed: 9)
    try bench.ftool("raid write m0.img", input: news)
    #expect(try bench.shell("cp old/* .").status == 0)
    let before = try bench.snapshot()
    let run = try bench.ftool("raid recover -fy m0.img m1.img m2.img", ends: 65)
    #expect(
      run.output.contains("the others count on it, and are 4 events ahead")
        && run.output.contains("older copy"),
      run.remark)
    #expect(
      try bench.snapshot().filter { $0.key.hasPrefix("m") }
        == before.filter { $0.key.hasPrefix("m") })
  }

  @Test func `a mirror whose halves were written apart is told, and neither is lost unasked`()
    throws
  {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "1", members: 2)
    let sides = [Workbench.noise(20_000, seed: 9), Workbench.noise(20_000, seed: 10)]
    #expect(try bench.shell("mkdir a b && mv m0.img a && mv m1.img b").status == 0)
    try bench.ftool("raid write a/m0.img --degraded", input: sides[0])
    try bench.ftool("raid write a/m0.img --degraded", input: sides[0])
    try bench.ftool("raid write b/m1.img --degraded", input: sides[1])
    #expect(try bench.shell("mv a/m0.img b/m1.img .").status == 0)
    let status = try bench.ftool("raid status m0.img --test", ends: 2)
    #expect(status.output.contains("went its own way"), status.remark)
    #expect(status.output.contains("ftool raid read m1.img missing -o FILE"), status.remark)
    #expect(
      status.output.contains("ftool raid rebuild m0.img --member m1.img --force"), status.remark)
    for (line, side) in [("m0.img", sides[0]), ("m1.img missing", sides[1])] {
      let read = try bench.ftool("raid read \(line) --length \(bytes.count)").bytes
      #expect(read == side + bytes[side.count...])
    }
    let before = try bench.snapshot()
    let all = try bench.ftool("raid rebuild m0.img")
    #expect(all.output.contains("m1.img went another way than the others"), all.remark)
    let refused = try bench.ftool("raid rebuild m0.img --member m1.img", ends: 73)
    #expect(refused.error.contains("may be on it alone"), refused.remark)
    #expect(
      try bench.snapshot().filter { $0.key.hasPrefix("m") }
        == before.filter { $0.key.hasPrefix("m") })
    try bench.ftool("raid rebuild m0.img --member m1.img --force")
    try bench.ftool("raid status m0.img --test")
    let read = try bench.ftool("raid read m1.img missing --length \(bytes.count)").bytes
    #expect(read == sides[0] + bytes[sides[0].count...])
  }

  /// Also when somebody else has its place by now.
  @Test func `who went its own way is not written over once it is replaced`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "1", members: 2)
    let own = Workbench.noise(20_000, seed: 10)
    #expect(try bench.shell("mkdir a b && mv m0.img a && mv m1.img b").status == 0)
    for _ in 0..<3 { try bench.ftool("raid write a/m0.img --degraded", input: [1, 2, 3]) }
    try bench.ftool("raid write b/m1.img --degraded", input: own)
    #expect(try bench.shell("mv a/m0.img b/m1.img .").status == 0)
    try bench.folder.sparseFile("x.img", byteCount: 6 << 20)
    try bench.ftool("raid rebuild m0.img --onto x.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("m1.img  went its own way"), status.remark)
    for command in [
      "add m0.img --new m1.img", "replace m0.img --member x.img --onto m1.img",
      "rebuild m0.img --member x.img --onto m1.img",
    ] {
      _ = try bench.shell("ftool raid \(command) --yes")
      let read = try bench.ftool("raid read m1.img missing --length \(bytes.count)").bytes
      #expect(read == own + bytes[own.count...], "\(command)")
    }
    try bench.ftool("raid replace m0.img --member x.img --onto m1.img", ends: 73)
    try bench.ftool("raid add m0.img --new m1.img", ends: 73)
  }

  @Test func `shows the price, asks, takes back, and keeps everything else`() throws {
    let bench = try Workbench()
    let data = try beyond(bench)
    let status = try bench.ftool("raid status m0.img")
    #expect(
      status.output.contains("ftool raid recover --force --dry-run m0.img"), status.remark)
    let before = try bench.snapshot()
    let forgotten = try bench.ftool("raid recover --force -y m0.img m2.img", ends: 66)
    #expect(forgotten.error.contains("members that were not given: slot 1"), forgotten.remark)
    #expect(forgotten.error.contains("say 'missing'"), forgotten.remark)
    let unasked = try bench.ftool("raid recover --force m0.img m2.img missing", ends: 64)
    #expect(unasked.error.contains("about to take back m2.img and give up"), unasked.remark)
    let plan = try bench.ftool("raid recover --force -n m0.img m2.img missing")
    for words in [
      "m2.img", "current again, without ", "stays in sync in slot 0",
      "has all but what the bitmap of the others marks as written since it left", "Lost: ",
      "  bytes 65536 to 131072", "Empty afterwards: slot 1",
    ] { #expect(plan.output.contains(words), plan.remark) }
    let json = try bench.ftool("raid recover -fn m0.img m2.img missing --json").json
    #expect(json["verdict"] == .string("possible") && json["changed"] == .bool(false))
    #expect(
      try bench.snapshot().filter { $0.key.hasPrefix("m") }
        == before.filter { $0.key.hasPrefix("m") })

    let done = try bench.ftool("raid recover -fy m0.img m2.img missing --json", ends: 3).json
    #expect(done["changed"] == .bool(true) && done["lost_bytes"] == json["lost_bytes"])
    #expect(done["members"][1]["taken_back"] == .bool(true))
    let damaged = try bench.ftool("raid status m0.img --test --json", ends: 4).json
    #expect(damaged["state"] == .string("damaged") && damaged["lost_bytes"] == json["lost_bytes"])
    // What was told is lost, and nothing else.
    let out = try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    let map = try ParsedMap(bench.contents("out.map"))
    #expect(Double(map.byteCount("-")) == json["lost_bytes"].number, out.remark)
    let read = try bench.contents("out")
    for (range, letter) in map.pieces where letter == "+" {
      let known = range.clamped(to: 0..<data.count)
      #expect(read[known].elementsEqual(data[known]))
    }
    let first = try #require(json["lost"][0]["offset"].number)
    try bench.ftool("raid read m0.img --offset \(Int(first)) --length 1", ends: 65)
    // Once more there is nothing to do.
    let again = try bench.ftool("raid recover -fy m0.img m2.img missing")
    #expect(again.output.contains("there is nothing to force"), again.remark)
    let events = try bench.ftool("raid events m0.img")
    #expect(
      events.output.contains(
        "m2.img in slot 2 was out of date, and was taken back by 'recover --force'"),
      events.remark)
    // It lives on: what is lost can be written again, and the empty slot be filled.
    try bench.ftool("raid write m0.img", input: data)
    #expect(try bench.ftool("raid read m0.img --length \(data.count)").bytes == data)
    try bench.shellOK("truncate -s 6M new.img")
    let rebuilt = try bench.shell("ftool raid rebuild m0.img --onto new.img")
    #expect(rebuilt.status == 0 || rebuilt.status == 3, rebuilt.remark)
    #expect(try bench.ftool("raid read m0.img --length \(data.count)").bytes == data)
  }

  @Test func `what nothing speaks for is not merged`() throws {
    let bench = try Workbench()
    _ = try beyond(bench, "--sums none")
    let before = try bench.contents("m2.img")
    let run = try bench.ftool("raid recover -fy m0.img m2.img missing", ends: 65)
    #expect(run.output.contains("m2.img may lack anything"), run.remark)
    #expect(run.error.contains("read --salvage --force"), run.remark)
    #expect(try bench.contents("m2.img") == before)
    let json = try bench.ftool("raid recover -fy m0.img m2.img missing --json", ends: 65).json
    #expect(json["result"]["verdict"] == .string("impossible"), "\(json)")
  }

  @Test func `refuses what it is not for`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let whole = try bench.ftool("raid recover --force m0.img")
    #expect(whole.output.contains("starts as it is"), whole.remark)
    try bench.ftool("raid recover --force --level 5 m0.img", ends: 64)
    try bench.ftool("raid recover --force none.img", ends: 66)
    try bench.shellOK("truncate -s 6M empty.img")
    try bench.ftool("raid recover --force m0.img empty.img", ends: 66)
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    let few = try bench.ftool("raid recover --force m0.img", ends: 66)
    #expect(few.error.contains("too few members"), few.remark)
  }

  @Test func `finds the array by one member and by its name`() throws {
    let bench = try Workbench()
    _ = try beyond(bench)
    for operand in ["m0.img", "photos"] {
      let run = try bench.ftool("raid recover -fn \(operand)")
      #expect(run.output.contains("m2.img"), run.remark)
    }
  }
}
