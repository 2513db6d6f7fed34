import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct ListWaitWipeTests {
  @Test func `list shows what is known and what is found`() throws {
    let bench = try Workbench()
    #expect(try bench.ftool("raid list").output == "no arrays were found\n")
    #expect(try bench.ftool("raid list --json").json["arrays"] == .array([]))
    try bench.makeArray()
    try bench.ftool("raid create other x0.img x1.img --make 6M --homehost here")
    try bench.remove("x1.img")
    let list = try bench.ftool("raid list")
    let lines = list.output.split(separator: "\n")
    #expect(lines.count == 3 && lines[0].hasPrefix("NAME"), list.remark)
    #expect(
      lines[1].hasPrefix("here:other") && lines[1].contains("degraded") && lines[1].contains("1/2"))
    #expect(
      lines[2].hasPrefix("here:photos") && lines[2].contains("healthy") && lines[2].contains("3/3"))
    let json = try bench.ftool("raid list --json").json["arrays"]
    #expect(json[1]["name"] == .string("here:photos") && json[1]["members_found"] == .number(3))
    #expect(json[1]["paths"] == .array(["m0.img", "m1.img", "m2.img"].map { .string($0) }))
    // Known from elsewhere; and found where nothing is known.
    let elsewhere = try bench.shell("mkdir e && cd e && ftool raid list")
    #expect(elsewhere.output.contains("here:photos"), elsewhere.remark)
    let scanned = try bench.shell(
      "cd e && XDG_STATE_HOME=$PWD ftool raid list && XDG_STATE_HOME=$PWD ftool raid list --scan .."
    )
    #expect(scanned.output.hasPrefix("no arrays were found\nNAME"), scanned.remark)
    try bench.ftool("raid list --scan nowhere", ends: 66)
    try bench.ftool("raid list operand", ends: 64)
  }

  @Test func `wait ends at once where nothing runs, and with the job where one does`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    #expect(try bench.ftool("raid wait m0.img").output == "nothing runs on here:photos\n")
    #expect(try bench.ftool("raid wait photos --json").json["type"] == .string("raid-wait"))
    try bench.ftool("raid wait nothing", ends: 66)
    try bench.ftool("raid wait m0.img --timeout soon", ends: 64)
    var scrub = try bench.start("raid scrub m0.img --rate 2M")
    #expect(try bench.waitForJob())
    let late = try bench.ftool("raid wait m0.img --timeout 200ms", ends: 1)
    #expect(late.error.contains("still being worked on after 200ms"), late.remark)
    #expect(
      try bench.ftool("raid wait m0.img --timeout 0s --json", ends: 1).json["code"] == .number(1))
    var waiting = try bench.start("raid wait m0.img --progress json")
    var interrupted = try bench.start("raid wait m0.img")
    Machine.sleep(seconds: 0.4)
    interrupted.signal(15)
    let ended = try interrupted.finish()
    #expect(ended.status == 143, "\(ended.errorText)")
    let done = try scrub.finish()
    #expect(done.status == 0, "\(done.errorText)")
    let waited = try waiting.finish()
    #expect(waited.status == 0)
    #expect(waited.errorText.contains("\"task\":\"scrub\""), "\(waited.errorText)")
    try bench.ftool("raid status m0.img --test")
  }

  @Test(arguments: ["1.0", "1.1", "1.2"])
  func `wipe makes members plain files and leaves the data`(version: String) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "1", members: 2, "--metadata \(version) --bitmap internal")
    let before = try bench.snapshot()
    let plan = try bench.ftool("raid wipe m1.img --dry-run")
    #expect(
      plan.output.hasPrefix("would erase from m1.img of here:photos:\n  superblock \(version): "))
    let refused = try bench.ftool("raid wipe m1.img", ends: 64)
    #expect(refused.error.contains("nobody can be asked without a terminal"), refused.remark)
    #expect(refused.error.contains("-y/--yes"))
    #expect(try bench.snapshot() == before)
    let json = try bench.ftool("raid wipe m1.img --yes --json").json
    let erased = json["members"][0]["erased"].elements
    let names = Set(erased.compactMap { $0["what"].string })
    #expect(names.isSuperset(of: ["superblock \(version)", "bitmap", "sums", "roster", "header"]))
    // Nothing but what is listed changed.
    var expected = try #require(before["m1.img"])
    for piece in erased {
      let start = Int(try #require(piece["offset"].number))
      let count = Int(try #require(piece["bytes"].number))
      expected.replaceSubrange(start..<start + count, with: [UInt8](repeating: 0, count: count))
    }
    #expect(try bench.contents("m1.img") == expected)
    try bench.ftool("raid status m1.img", ends: 66)
    let again = try bench.ftool("raid wipe m1.img -y", ends: 66)
    #expect(again.error.contains("m1.img is not a member"), again.remark)
    try bench.ftool("raid status m0.img --test", ends: 2)
    let examined = try? BuiltTool.run(program: "mdadm", ["--examine", bench.folder.path("m1.img")])
    if let examined { #expect(examined.status != 0) }
    try bench.ftool("raid rebuild m0.img --onto m1.img")
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `wipe finds all superblocks, and a header left behind by growing`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    #expect(try bench.shell("truncate -s 8M m1.img").status == 0)
    var names = try bench.ftool("raid wipe m1.img -n").output
    #expect(names.contains("header: 4 KiB at byte 6287360"), "\(names)")
    try bench.ftool("raid create over m1.img m2.img --force --level 1 --metadata 1.0")
    names = try bench.ftool("raid wipe m1.img -n").output
    #expect(names.contains("superblock 1.0"), "\(names)")
    try bench.ftool("raid wipe m1.img m2.img -y")
    try bench.ftool("raid status m1.img", ends: 66)
    try bench.ftool("raid create new m1.img m2.img")
  }

  @Test func `wipe leaves alone what is none`() throws {
    let bench = try Workbench()
    try bench.folder.sparseFile("fs.img", byteCount: 1 << 20)
    try bench.damage("fs.img", at: 1080, [0x53, 0xef])
    let before = try bench.snapshot()
    let foreign = try bench.ftool("raid wipe fs.img -y", ends: 73)
    #expect(foreign.error.contains("fs.img is no member of an array: it holds ext"), foreign.remark)
    try bench.ftool("raid wipe nothing.img -y", ends: 66)
    try bench.ftool("raid wipe missing -y", ends: 64)
    try bench.ftool("raid wipe", ends: 64)
    #expect(try bench.snapshot() == before)
    // One bad member among several: none is touched.
    try bench.makeArray()
    let all = try bench.snapshot()
    try bench.ftool("raid wipe m0.img fs.img -y", ends: 73)
    #expect(try bench.snapshot() == all)
  }
}
