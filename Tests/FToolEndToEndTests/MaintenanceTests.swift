import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct MaintenanceTests {
  @Test(arguments: ["1", "5", "6", "ec:2+3"])
  func `scrub names the member and block that are wrong, and repairs them`(level: String) throws {
    let bench = try Workbench()
    let members = level == "1" ? 2 : level == "5" ? 3 : level == "6" ? 4 : 5
    let bytes = try bench.makeFilledArray(level: level, members: members)
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 20480, Workbench.noise(8192, seed: 4))
    let before = try bench.snapshot()
    let plan = try bench.ftool("raid scrub m0.img --dry-run", ends: 4)
    #expect(
      plan.output.contains("m1.img, bytes 20480 to 28672 of its data: the content does not agree"),
      plan.remark)
    let never = try bench.ftool("raid scrub m0.img --repair never --json", ends: 4).json
    #expect(never["problems"] == .number(2) && never["repaired"] == .number(0))
    #expect(never["findings"][0]["member"] == .string("m1.img"))
    #expect(never["findings"][1]["member_offset"] == .number(24576))
    #expect(try bench.snapshot() == before)
    let repaired = try bench.ftool("raid scrub m0.img", ends: 1)
    #expect(repaired.output.contains("2 problems found, 2 repaired, 0 left"), repaired.remark)
    try bench.ftool("raid scrub m0.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  /// The superblocks know members by their number; one that was not named when another came may have the same.
  @Test(arguments: ["5", "10"]) func `a spare that was away is never taken for another member`(
    level: String
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: level, members: 4)
    let four = "m0.img m1.img m2.img m3.img"
    #expect(try bench.shell("truncate -s 6M s1.img s2.img").status == 0)
    try bench.ftool("raid add --spare --new s1.img \(four)")
    try bench.ftool("raid add --spare --new s2.img \(four)")
    try bench.ftool("raid fail --member m3.img \(four) s1.img s2.img")
    try bench.remove("s1.img")
    let three = "m0.img m1.img m2.img s2.img"
    let status = try bench.ftool("raid status --test \(three)", ends: 2)
    #expect(status.output.contains("degraded"), status.remark)
    #expect(try bench.ftool("raid read \(three) --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid rebuild \(three) --degraded")
    try bench.ftool("raid status --test \(three)")
    try bench.remove("m1.img")
    #expect(
      try bench.ftool("raid read m0.img m2.img s2.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a spare that was not named is none the worse for who came meanwhile`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(members: 4)
    let three = "m0.img m1.img m2.img"
    #expect(try bench.shell("truncate -s 6M s1.img n.img").status == 0)
    try bench.ftool("raid add --spare --new s1.img \(three) m3.img")
    try bench.remove("m3.img")
    try bench.ftool("raid add --new n.img --degraded \(three)")
    try bench.ftool("raid write --offset 2M --degraded \(three) n.img s1.img", input: [1, 2, 3])
    try bench.remove("n.img")
    let all = "\(three) s1.img"
    try bench.ftool("raid status --test \(all)", ends: 2)
    let read = try bench.ftool("raid read \(all) --length \(bytes.count)").bytes
    #expect(read.prefix(2 << 20) == bytes.prefix(2 << 20))
    #expect(read.dropFirst(2 << 20).prefix(3) == [1, 2, 3])
    try bench.ftool("raid rebuild \(all) --degraded")
    try bench.ftool("raid status --test \(all)")
    try bench.ftool("raid scrub \(all)")
  }

  @Test func `each of two new members gets a place of its own`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "6", members: 4)
    try bench.remove("m0.img")
    try bench.remove("m1.img")
    #expect(try bench.shell("truncate -s 6M x.img y.img").status == 0)
    try bench.ftool("raid add m2.img --new x.img --degraded")
    try bench.ftool("raid add m2.img --new y.img --degraded")
    try bench.ftool("raid rebuild m2.img")
    try bench.ftool("raid status m2.img --test")
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read x.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `an older copy of a member is rebuilt without being asked for by name`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(members: 4)
    #expect(try bench.shell("cp m2.img old").status == 0)
    try bench.ftool("raid write m0.img", input: bytes.reversed())
    #expect(try bench.shell("mv old m2.img").status == 0)
    let write = try bench.ftool("raid write m0.img", ends: 66, input: [1])
    #expect(write.error.contains("m2.img was in slot 2, and it is out of date"), write.remark)
    try bench.ftool("raid rebuild m0.img")
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m0.img")
    #expect(try bench.ftool("raid read m1.img --length \(bytes.count)").bytes == bytes.reversed())
  }

  /// Whatever the copy has: it is the only one for the slot.
  @Test(arguments: [1, 20]) func `a replacement takes the place of a member that is gone`(
    seconds: Int
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(members: 3)
    #expect(try bench.shell("truncate -s 6M n.img").status == 0)
    // Cut off on the way, or with a block that nobody could give.
    if seconds == 1 {
      let run = try bench.shell(
        "timeout -s KILL 1 '\(BuiltTool.path)' raid replace m0.img --member m1.img --onto n.img --rate 512K"
      )
      #expect(run.status != 0, run.remark)
    } else {
      let start = try bench.dataOffset("m1.img")
      try bench.damage("m1.img", at: start + 4096, [1, 2, 3])
      try bench.damage("m0.img", at: start + 4096, [1, 2, 3])
      try bench.ftool("raid replace m0.img --member m1.img --onto n.img", ends: 3)
    }
    try bench.remove("m1.img")
    let status = try bench.ftool("raid status m0.img --test", ends: 2)
    #expect(status.output.contains("ftool raid rebuild m0.img"), status.remark)
    try bench.ftool("raid rebuild m0.img", ends: seconds == 1 ? 0 : 3)
    let after = try bench.ftool("raid status m0.img --json").json
    #expect(after["state"] == .string("healthy"))
    if seconds > 1 { try bench.ftool("raid write m0.img", input: bytes) }
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  /// It does not know them, and the others do.
  @Test(arguments: ["1", "5"])
  func `a member that comes back leaves those that came meanwhile`(
    level: String
  ) throws {
    let bench = try Workbench()
    var bytes = try bench.makeFilledArray(level: level, members: 3)
    #expect(
      try bench.shell("mkdir away && mv m0.img away && truncate -s 6M n1.img n2.img").status == 0)
    try bench.ftool("raid write m1.img --degraded", input: [1, 2, 3])
    bytes.replaceSubrange(0..<3, with: [1, 2, 3])
    try bench.ftool("raid replace m1.img --member m1.img --onto n1.img")
    try bench.ftool("raid replace n1.img --member m2.img --onto n2.img")
    #expect(try bench.shell("mv away/m0.img .").status == 0)
    try bench.ftool("raid rebuild n1.img --member m0.img")
    try bench.ftool("raid status n1.img --test")
    try bench.remove("n1.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `replace is given again when it has come to its end`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(members: 3)
    #expect(try bench.shell("truncate -s 6M n.img").status == 0)
    try bench.ftool("raid replace m0.img --member m1.img --onto n.img")
    for operand in ["m0.img", "m0.img m1.img m2.img"] {
      let again = try bench.ftool("raid replace \(operand) --member m1.img --onto n.img")
      #expect(again.output.contains("n.img is in sync in slot 1 already"), again.remark)
    }
    let typo = try bench.ftool("raid replace m0.img --member none.img --onto n.img", ends: 66)
    #expect(typo.error.contains("none.img"), typo.remark)
  }

  @Test func `scrub does not guess without sums`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray("--sums none")
    try bench.damage("m1.img", at: try bench.dataOffset("m1.img") + 20480, [1, 2, 3])
    let before = try bench.contents("m1.img")
    let run = try bench.ftool("raid scrub m0.img", ends: 4)
    #expect(run.output.contains("cannot be known"), run.remark)
    let data = try bench.dataOffset("m1.img")
    #expect(Array(try bench.contents("m1.img")[data...]) == Array(before[data...]))
  }

  /// What tells where its sums are is gone, and so is some of its data.
  @Test func `a member that lost its sums is compared, and gets them again`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    #expect(try bench.shell("truncate -s 6000 m1.img && truncate -s 6M m1.img").status == 0)
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("what m1.img holds, which nothing vouches for"), status.remark)
    #expect(status.output.contains("ftool raid scrub m0.img"), status.remark)
    try bench.ftool("raid read m0.img --length \(bytes.count) -o out")
    #expect(try bench.contents("out") == bytes)
    let before = try bench.snapshot()
    try bench.ftool("raid scrub m0.img --repair never", ends: 4)
    #expect(try bench.snapshot() == before)
    let scrub = try bench.ftool("raid scrub m0.img", ends: 1)
    #expect(scrub.error.contains("m1.img had no checksums, and keeps them again"), scrub.remark)
    try bench.ftool("raid scrub m0.img")
    let after = try bench.ftool("raid status m0.img")
    #expect(!after.output.contains("What to do"), after.remark)
    #expect(after.output.contains("had no checksums, and keeps them again"), after.remark)
    try bench.ftool("raid read m1.img m2.img --length \(bytes.count) -o out")
    #expect(try bench.contents("out") == bytes)
  }

  @Test func `scrub takes a range`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.damage("m1.img", at: try bench.dataOffset("m1.img") + 655360, [1, 2, 3])
    try bench.ftool("raid scrub m0.img --range 0-512K")
    try bench.ftool("raid scrub m0.img --range 1M-2M", ends: 1)
    try bench.ftool("raid scrub m0.img --range 2M-")
  }

  @Test func `scrub says what is wrong with a range`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    let size = Int(try #require(try bench.ftool("raid status m0.img --json").json["bytes"].number))
    let before = try bench.snapshot()
    for (range, sentence) in [
      ("5G-", "byte 5368709120 is past the array's end at byte \(size)"),
      ("\(size)-", "byte \(size) is past the array's end at byte \(size)"),
      ("5G-6G", "bytes 5368709120 to 6442450944 reach past the array's end at byte \(size)"),
      ("0-\(size + 1)", "bytes 0 to \(size + 1) reach past the array's end at byte \(size)"),
      ("2M-1M", "the range is empty: it must end behind its start"),
      ("1M-1M", "the range is empty: it must end behind its start"),
      ("nonsense", "a range is A-B or A-, where A and B are sizes"),
      ("5", "a range is A-B or A-"), ("1-2-3", "a range is A-B or A-"),
      ("1x-2", "'1x-2' is invalid for '--range <from-to>'"), ("=-5", "a range is A-B or A-"),
      ("9E-", "'9E-' is invalid for '--range <from-to>': that is too large"),
    ] {
      let run = try bench.ftool(
        "raid scrub m0.img --range\(range.hasPrefix("=") ? "" : " ")\(range)", ends: 64)
      #expect(run.error.contains(sentence), run.remark)
    }
    #expect(try bench.snapshot() == before)
    // Its last byte is there.
    try bench.ftool("raid scrub m0.img --range \(size - 1)-")
    try bench.ftool("raid scrub m0.img --range 0-\(size)")
  }

  @Test func `a rebuild that is given again has nothing to do`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.ftool("raid rebuild m0.img --member m1.img --onto new.img -y")
    let before = try bench.snapshot()
    for line in [
      "--member m1.img --onto new.img", "--onto new.img", "--member gone.img --onto new.img",
    ] {
      let plan = try bench.ftool("raid rebuild m0.img \(line) --dry-run")
      #expect(plan.output.contains("new.img is in sync in slot 1 already"), plan.remark)
      let run = try bench.ftool("raid rebuild m0.img \(line) -y")
      #expect(run.output.contains("new.img is in sync in slot 1 already"), run.remark)
    }
    #expect(try bench.snapshot() == before)
    try bench.ftool("raid rebuild m0.img --member m2.img --onto new.img -y", ends: 64)
    try bench.ftool("raid fail m0.img --member m2.img")
    // It is another slot that is empty now.
    try bench.ftool("raid rebuild m0.img --onto new.img -y", ends: 64)
    try bench.ftool("raid rebuild m0.img --member m2.img --onto new.img -y", ends: 64)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `nobody in sync gives way to a spare`() throws {
    let bench = try Workbench()
    try bench.ftool(
      "raid create photos m0.img m1.img m2.img sp.img --make 6M --level 5 --chunk 64K --spares 1")
    let before = try bench.snapshot()
    for line in ["", "--dry-run"] {
      let run = try bench.ftool(
        "raid rebuild m0.img --member m1.img --onto sp.img -y \(line)", ends: 64)
      #expect(run.error.contains("slot 1 has a member that is in sync"), run.remark)
      #expect(run.error.contains("'ftool raid replace'"), run.remark)
    }
    #expect(try bench.snapshot() == before)
  }

  @Test func `a member that is not given leaves its place though it could be read`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let left = try Files.contents(of: bench.folder.path("m1.img"), limit: 64 << 20)
    let run = try bench.ftool(
      "raid rebuild m0.img m2.img --member m1.img --onto new.img -y")
    #expect(run.output.hasPrefix("rebuilt new.img in slot 1: "), run.remark)
    #expect(try Files.contents(of: bench.folder.path("m1.img"), limit: 64 << 20) == left)
    #expect(try bench.ftool("raid read m0.img new.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a lost member is rebuilt onto a new one`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.remove("m1.img")
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let before = try bench.snapshot()
    let plan = try bench.ftool("raid rebuild m0.img --onto new.img --dry-run")
    #expect(plan.output.hasPrefix("would rebuild slot 1 onto new.img: up to "), plan.remark)
    #expect(plan.output.contains("would write the superblocks of m0.img, m2.img"), plan.remark)
    #expect(
      try bench.ftool("raid rebuild m0.img --onto new.img -n --json").json["jobs"][0]["slot"]
        == .number(1))
    #expect(try bench.snapshot() == before)
    let run = try bench.ftool("raid rebuild m0.img --onto new.img --verify")
    #expect(run.output.hasPrefix("rebuilt new.img in slot 1: "), run.remark)
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid scrub m0.img")
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    let nothing = try bench.ftool("raid rebuild m0.img --json --degraded").json
    #expect(nothing["rebuilt"] == .array([]))
  }

  @Test func `rebuild refuses what will not do`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.folder.sparseFile("small.img", byteCount: 3 << 20)
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let full = try bench.ftool("raid rebuild m0.img --onto new.img", ends: 64)
    #expect(full.error.contains("no slot is empty"), full.remark)
    try bench.ftool("raid rebuild m0.img --member m1.img", ends: 64)
    try bench.ftool("raid rebuild m0.img --member m1.img --onto m1.img", ends: 64)
    try bench.remove("m1.img")
    let before = try bench.snapshot()
    let small = try bench.ftool("raid rebuild m0.img --onto small.img", ends: 64)
    #expect(small.error.contains("small.img is too small: it has"), small.remark)
    try bench.ftool("raid rebuild m0.img --onto nothing.img", ends: 66)
    let used = try bench.ftool("raid rebuild m0.img --onto m2.img", ends: 64)
    #expect(used.error.contains("m2.img is a member of the array already"), used.remark)
    #expect(try bench.contents("m2.img").count == before["m2.img"]?.count)
    try bench.damage("new.img", at: 1080, [0x53, 0xef])
    let foreign = try bench.ftool("raid rebuild m0.img --onto new.img", ends: 73)
    #expect(foreign.error.contains("new.img holds something already"), foreign.remark)
    let listed = try bench.ftool("raid rebuild m0.img m2.img new.img", ends: 66)
    #expect(listed.error.contains("--onto new.img has a rebuild fill it"), listed.remark)
    try bench.ftool("raid rebuild m0.img m2.img new.img --onto new.img --force")
    let none = try Workbench()
    _ = try none.makeFilledArray(level: "0", members: 2)
    try none.ftool("raid rebuild m0.img", ends: 64)
  }

  /// Killed as it begins, a rebuild leaves who was a member without a superblock.
  @Test(arguments: ["", "--member m1.img"]) func `the same rebuild goes on where it was killed`(
    _ options: String
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.ftool("raid fail m0.img --member m1.img")
    // A stranger is named with --onto, or not touched.
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.ftool("raid rebuild m0.img new.img m2.img", ends: 66)
    try bench.damage("m1.img", at: 4096, [UInt8](repeating: 0, count: 4096))
    let run = try bench.ftool("raid rebuild m0.img m1.img m2.img \(options)")
    #expect(run.output.hasPrefix("rebuilt m1.img in slot 1: "), run.remark)
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: ["", "--member m2.img"]) func `whose place is not known is not filled`(
    _ options: String
  ) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "6", members: 5)
    for name in ["m1.img", "m2.img"] { try bench.ftool("raid fail m0.img --member \(name)") }
    try bench.damage("m1.img", at: 4096, [UInt8](repeating: 0, count: 4096))
    let before = try bench.contents("m1.img")
    let run = try bench.ftool("raid rebuild \(Workbench.names(5)) \(options)", ends: 66)
    #expect(run.error.contains("m1.img is not a member of an array"), run.remark)
    #expect(run.error.contains("--onto m1.img has a rebuild fill it"), run.remark)
    #expect(try bench.contents("m1.img") == before)
  }

  /// To look at everything again is to find what else is wrong: told, and no reason to call the copy bad.
  @Test(arguments: ["rebuild m0.img m2.img", "replace m0.img m1.img m2.img --member m1.img"])
  func `reading back tells what is wrong with others`(_ command: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.damage("m2.img", at: bench.dataOffset("m2.img") + 20_000, [1, 2, 3])
    let plain = command.hasPrefix("replace")
    let run = try bench.ftool("raid \(command) --onto new.img --verify --json", ends: 3)
    #expect(
      run.error.contains(
        "1 block of other members is damaged, the first at byte 16384 of the data of m2.img"),
      run.remark)
    #expect(try run.json["rebuilt"][0]["member"] == .string("new.img"))
    let lost = try run.json["rebuilt"][0]["lost_blocks"]
    #expect(lost == .array(plain ? [] : [.number(16384)]), run.remark)
    try bench.ftool("raid scrub m0.img new.img m2.img", ends: plain ? 1 : 4)
    if plain {
      #expect(
        try bench.ftool("raid read new.img m2.img --length \(bytes.count)").bytes == bytes)
    }
  }

  @Test func `replace keeps redundancy and lets the old member go`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let before = try bench.snapshot()
    let plan = try bench.ftool("raid replace m0.img --member m1.img --onto new.img --dry-run")
    #expect(plan.output.contains("would replace m1.img in slot 1 by new.img"), plan.remark)
    #expect(try bench.snapshot() == before)
    let json = try bench.ftool("raid replace m0.img --member m1.img --onto new.img --json --verify")
      .json
    #expect(json["rebuilt"][0]["member"] == .string("new.img"))
    #expect(json["rebuilt"][0]["replaced"] == .string("m1.img"))
    let status = try bench.ftool("raid status m0.img --test")
    #expect(status.output.contains("1  new.img  in sync"), status.remark)
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid replace m0.img --member nobody --onto new2.img --degraded", ends: 66)
    let taken = try bench.ftool(
      "raid replace m0.img --member m0.img --onto new.img --degraded", ends: 64)
    #expect(taken.error.contains("already"), taken.remark)
  }

  @Test func `fail, remove, add and rebuild heal an array`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    let before = try bench.snapshot()
    for verb in ["fail", "remove"] {
      try bench.ftool(
        "raid \(verb) m0.img --member m1.img --dry-run", ends: verb == "fail" ? 0 : 64)
    }
    #expect(try bench.snapshot() == before)
    let inUse = try bench.ftool("raid remove m0.img --member m1.img", ends: 64)
    #expect(
      inUse.error.contains("m1.img is in use") && inUse.error.contains("ftool raid fail"),
      inUse.remark)
    #expect(
      try bench.ftool("raid fail photos --member ./m1.img").output == "declared m1.img failed\n")
    try bench.ftool("raid status m0.img --test", ends: 2)
    let needed = try bench.ftool("raid fail m0.img --member m2.img", ends: 65)
    #expect(needed.error.contains("would lose data without m2.img"), needed.remark)
    try bench.ftool("raid fail m0.img --member nobody.img", ends: 66)
    try bench.ftool("raid remove m0.img --member m1.img")
    #expect(try bench.ftool("raid status m0.img").output.contains("1  m1.img  out of date"))
    try bench.ftool("raid write m0.img", input: [7])
    let planned = try bench.snapshot()
    try bench.ftool("raid add m0.img --new m1.img --dry-run")
    #expect(try bench.snapshot() == planned)
    #expect(
      try bench.ftool("raid add m0.img --new m1.img").output.contains("added m1.img in slot 1"))
    #expect(try bench.ftool("raid status m0.img").output.contains("ftool raid rebuild m0.img"))
    try bench.ftool("raid rebuild m0.img")
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid scrub m0.img")
    try bench.remove("m0.img")
    let read = try bench.ftool("raid read m1.img --length \(bytes.count)")
    #expect(read.bytes == [7] + bytes.dropFirst())
  }

  @Test(arguments: ["", "raid write m0.img m1.img m2.img"])
  func `a copy of a member is removed for good`(meanwhile: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.shellOK("cp m2.img copy.img")
    if !meanwhile.isEmpty { try bench.ftool(meanwhile, input: bytes) }
    let members = "m0.img m1.img m2.img copy.img"
    try bench.ftool("raid remove \(members) --member copy.img")
    try bench.ftool("raid remove m0.img m1.img m2.img --member copy.img", ends: 66)
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a spare takes the place of a failed member`() throws {
    let bench = try Workbench()
    try bench.ftool(
      "raid create photos m0.img m1.img m2.img sp.img --make 6M --level 5 --chunk 64K --spares 1")
    let bytes = Workbench.noise(2_000_000)
    try bench.ftool("raid write m0.img", input: bytes)
    #expect(try bench.ftool("raid status m0.img").output.contains("-  sp.img  spare"))
    try bench.remove("m1.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("to put the spare in the empty place"), status.remark)
    let run = try bench.ftool("raid rebuild m0.img --degraded")
    #expect(run.output.hasPrefix("rebuilt sp.img in slot 1"), run.remark)
    try bench.ftool("raid status m0.img --test")
    try bench.folder.sparseFile("sp2.img", byteCount: 6 << 20)
    #expect(try bench.ftool("raid add m0.img --new sp2.img").output == "added sp2.img as a spare\n")
    try bench.ftool("raid add m0.img --new sp2.img", ends: 64)
    try bench.ftool("raid remove m0.img --member sp2.img")
    #expect(!(try bench.ftool("raid status m0.img").output.contains("sp2.img  spare")))
    try bench.folder.sparseFile("small.img", byteCount: 1 << 20)
    try bench.ftool("raid add m0.img --new small.img", ends: 64)
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a member that was away gets what it missed`() throws {
    let bench = try Workbench()
    var bytes = try bench.makeFilledArray(size: "16M", bytes: 9_000_000, "--bitmap internal")
    #expect(try bench.shell("mkdir z && mv m1.img z/").status == 0)
    let piece = Workbench.noise(5000, seed: 9)
    try bench.ftool("raid write m0.img --offset 3M --degraded", input: piece)
    bytes.replaceSubrange(3 << 20..<3 << 20 + piece.count, with: piece)
    #expect(try bench.shell("mv z/m1.img .").status == 0)
    let run = try bench.ftool("raid rebuild m0.img --json").json
    #expect(run["rebuilt"][0]["bytes"].number ?? .infinity < 8_000_000)
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid scrub m0.img")
    try bench.remove("m0.img")
    #expect(try bench.ftool("raid read m1.img --length \(bytes.count)").bytes == bytes)
  }
}
