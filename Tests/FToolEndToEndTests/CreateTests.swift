import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct CreateTests {
  @Test func `makes an array of new files and says what it made`() throws {
    let bench = try Workbench()
    let made = try bench.ftool("raid create photos a.img b.img c.img --make 6M --homehost here")
    #expect(made.output.hasPrefix("created here:photos: raid5, "), made.remark)
    #expect(made.error == "")
    #expect(try bench.contents("a.img").count == 6 << 20)
    let again = try bench.ftool(
      "raid create more d.img e.img --make 6M --json --uuid 0123456789abcdef0123456789abcdef")
    let json = try again.json
    #expect(json["type"] == .string("raid-create"))
    #expect(json["level"] == .string("raid1"))
    #expect(json["uuid"] == .string("01234567:89abcdef:01234567:89abcdef"))
    #expect(json["members"].elements.count == 2)
    #expect(again.error == "")
  }

  @Test(
    arguments: [
      ("linear", 2), ("0", 2), ("1", 3), ("4", 3), ("5", 3), ("6", 4), ("10", 3), ("ec:2+3", 5),
    ]) func `keeps data at every level`(level: String, members: Int) throws
  {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: level, members: members)
    let read = try bench.ftool("raid read m0.img --length \(bytes.count)")
    #expect(read.bytes == bytes)
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid scrub m0.img")
    for version in ["1.0", "1.1"] {
      let other = try Workbench()
      let bytes = try other.makeFilledArray(level: level, members: members, "--metadata \(version)")
      #expect(try other.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
      try other.ftool("raid scrub m0.img")
    }
  }

  @Test func `a dry run makes nothing`() throws {
    let bench = try Workbench()
    let plan = try bench.ftool("raid create photos a.img b.img --make 6M --dry-run")
    #expect(plan.output.contains("would create"))
    #expect(plan.output.contains("a.img") && plan.output.contains("b.img"))
    #expect(try Files.list(bench.folder.path) == [])
    let json = try bench.ftool("raid create photos a.img b.img --make 6M -n --json").json
    #expect(json["type"] == .string("raid-create-plan"))
    try bench.folder.sparseFile("a.img", byteCount: 6 << 20)
    try bench.folder.sparseFile("b.img", byteCount: 6 << 20)
    let before = try bench.snapshot()
    try bench.ftool("raid create photos a.img b.img --dry-run")
    #expect(try bench.snapshot() == before)
  }

  @Test func `refuses what holds something, and overwrites it when forced`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let before = try bench.snapshot()
    let refused = try bench.ftool("raid create other m0.img new.img", ends: 73)
    #expect(refused.error.contains("m0.img holds something already: md 1.2"), refused.remark)
    #expect(refused.error.contains("hint: "))
    #expect(try bench.snapshot() == before)
    try bench.ftool("raid create other m0.img new.img --force")
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `refuses a filesystem and a partition table`() throws {
    let bench = try Workbench()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.folder.sparseFile("fs.img", byteCount: 6 << 20)
    try bench.damage("fs.img", at: 1024 + 56, [0x53, 0xef])
    let fs = try bench.ftool("raid create other fs.img new.img", ends: 73)
    #expect(fs.error.contains("fs.img holds something already: ext"), fs.remark)
    try bench.folder.sparseFile("disk.img", byteCount: 6 << 20)
    try bench.damage("disk.img", at: 446, [0x80, 0, 2, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 0, 16, 0, 0])
    try bench.damage("disk.img", at: 510, [0x55, 0xaa])
    let disk = try bench.ftool("raid create other disk.img new.img", ends: 73)
    #expect(disk.error.contains("disk.img"), disk.remark)
  }

  @Test func `parity of data that is there already is right after create`() throws {
    let bench = try Workbench()
    for name in ["a.img", "b.img", "c.img"] {
      try bench.folder.file(name, Workbench.noise(6 << 20, seed: UInt64(name.utf8.first!)))
    }
    try bench.ftool("raid create other a.img b.img c.img --assume-clean", ends: 73)
    try bench.ftool("raid create other a.img b.img c.img")
    let scrub = try bench.ftool("raid scrub a.img")
    #expect(scrub.output.contains("no problems found"), scrub.remark)
    let before = try bench.ftool("raid read a.img").bytes
    try bench.remove("b.img")
    #expect(try bench.ftool("raid read a.img").bytes == before)
  }

  @Test func `a member may be missing from the start`() throws {
    let bench = try Workbench()
    try bench.ftool("raid create photos a.img missing c.img --make 6M --level 5")
    try bench.ftool("raid status a.img --test", ends: 2)
    try bench.ftool("raid create other d.img missing --make 6M --level 0", ends: 64)
    try bench.ftool("raid create other d.img missing missing --make 6M --level 5", ends: 64)
    #expect(!Files.exists(bench.folder.path("d.img")))
  }

  @Test(
    arguments: [
      "raid create photos a.img --make 6M", "raid create photos a.img b.img --make 6M --level 5x",
      "raid create photos a.img b.img c.img --make 6M --level 7",
      "raid create photos a.img b.img --make 6M --level 6",
      "raid create photos a.img b.img c.img --make 6M --level 5 --layout near=2",
      "raid create photos a.img b.img c.img --make 6M --level 5 --layout sideways",
      "raid create photos a.img b.img c.img --make 6M --chunk 3K",
      "raid create photos a.img b.img c.img --make 6M --chunk 32M",
      "raid create photos a.img b.img c.img --make 6M --sums none --journal internal",
      "raid create photos a.img b.img c.img --make 6M --spares 4",
      "raid create photos a.img a.img --make 6M", "raid create pho/tos a.img b.img --make 6M",
      "raid create photos a.img b.img --make 6Q", "raid create photos a.img b.img --make 0",
      "raid create photos a.img b.img --make 6M --uuid 12",
      "raid create photos a.img b.img --make 6M --metadata 0.90",
      "raid create photos a.img b.img --make 20K",
      "raid create photos a.img b.img --make 6M --size 60M",
      "raid create photos a.img b.img --make 6M --no-such-option", "raid create photos",
      "raid create",
    ]) func `wrong usage makes nothing`(line: String) throws
  {
    let bench = try Workbench()
    let run = try bench.ftool(line, ends: 64)
    #expect(run.output == "")
    #expect(run.error.hasPrefix("ftool: error: "), run.remark)
    #expect(try Files.list(bench.folder.path) == [])
    let json = try bench.ftool(line + " --json", ends: 64).json
    #expect(json["type"] == .string("error") && json["code"] == .number(64))
    #expect(json["message"].string?.isEmpty == false)
  }

  @Test func `the same file under another name is refused`() throws {
    let bench = try Workbench()
    try bench.folder.sparseFile("a.img", byteCount: 6 << 20)
    let linked = try bench.shell(
      "ln a.img b.img && ln -s a.img c.img && ftool raid create x a.img b.img")
    #expect(linked.status == 64, linked.remark)
    #expect(linked.error.contains("same file"))
    try bench.ftool("raid create x a.img c.img", ends: 64)
    try bench.ftool("raid create x a.img ./a.img", ends: 64)
    try bench.ftool("raid create x a.img@0+3M a.img@2M", ends: 64)
    try bench.ftool("raid create x a.img@0+3M a.img@3M")
    try bench.ftool("raid status a.img@0+3M a.img@3M --test")
  }

  @Test func `members of other sizes are used as far as all reach`() throws {
    let bench = try Workbench()
    try bench.folder.sparseFile("a.img", byteCount: 6 << 20)
    try bench.folder.sparseFile("b.img", byteCount: 9 << 20)
    try bench.ftool("raid create photos a.img b.img --level 1")
    let size = try #require(try bench.ftool("raid status a.img --json").json["bytes"].number)
    #expect(size < 6 * 1048576 && size > 3 * 1048576)
    try bench.folder.sparseFile("tiny.img", byteCount: 8192)
    let tiny = try bench.ftool("raid create photos2 tiny.img b.img --level 1 --force", ends: 64)
    #expect(tiny.error.contains("tiny.img"), tiny.remark)
  }

  @Test func `what is there is not made again`() throws {
    let bench = try Workbench()
    try bench.folder.file("b.img", [1, 2, 3])
    let run = try bench.ftool("raid create photos a.img b.img --make 6M", ends: 73)
    #expect(run.error.contains("b.img is there already"), run.remark)
    #expect(try bench.contents("b.img") == [1, 2, 3])
    #expect(!Files.exists(bench.folder.path("a.img")))
    try bench.ftool("raid create photos a.img no/where.img --make 6M", ends: 66)
    #expect(!Files.exists(bench.folder.path("a.img")))
    try bench.ftool("raid create photos a.img z.img", ends: 66)
  }
}
