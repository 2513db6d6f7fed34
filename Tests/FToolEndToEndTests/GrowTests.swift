import FToolTestSupport
import LinuxSystem
import Testing

/// `ftool raid grow`, as a script would use it.
@Suite struct GrowTests {
  @Test func `a member more, another level, another chunk, and back`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 16_000_000)
    for number in 3...4 {
      try bench.folder.sparseFile("m\(number).img", byteCount: 12 << 20)
    }
    let before = try bench.snapshot()
    let plan = try bench.ftool("raid grow m0.img --add m3.img --dry-run")
    #expect(plan.output.hasPrefix("would make raid5 of 3 members"), plan.remark)
    #expect(try bench.snapshot() == before)
    for (line, level, members) in [
      ("--add m3.img", "raid5", 4), ("--add m4.img --level 6", "raid6", 5),
      ("--chunk 16K", "raid6", 5), ("--level 5", "raid5", 4), ("--layout ra", "raid5", 4),
    ] {
      let run = try bench.ftool("raid grow m0.img \(line) --json").json
      #expect(run["type"] == .string("raid-grow") && run["complete"] == .bool(true))
      #expect(run["level"] == .string(level) && run["members"] == .number(Double(members)))
      let status = try bench.ftool("raid status m0.img --json --test").json
      #expect(status["level"] == .string(level))
      #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
      try bench.ftool("raid scrub m0.img")
    }
    let events = try bench.ftool("raid events m0.img").output
    #expect(
      events.contains("a reshape began") && events.contains("a reshape finished"), "\(events)")
    // Two steps of one command: nobody is lost on the way, and who leaves is a spare.
    let last = try bench.ftool("raid status m0.img").output
    #expect(last.contains("m4.img") && last.contains("spare"), "\(last)")
  }

  @Test(arguments: [15, 9] as [Int32]) func `stopped or killed, the same command goes on`(
    signal: Int32
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "24M", bytes: 40_000_000)
    try bench.folder.sparseFile("m3.img", byteCount: 24 << 20)
    var grow = try bench.start("raid grow m0.img --add m3.img --rate 6M")
    #expect(try bench.waitForJob())
    Machine.sleep(seconds: 1.5)
    grow.signal(signal)
    let ended = try grow.finish()
    #expect(ended.status == (signal == 9 ? nil : 143), "\(ended.errorText)")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("Progress:    a reshape was interrupted"), status.remark)
    #expect(status.output.contains("ftool raid grow m0.img"), status.remark)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    let refused = try bench.ftool("raid write m0.img", ends: 78, input: [1])
    #expect(refused.error.contains("'ftool raid grow' goes on with it"), refused.remark)
    let other = try bench.ftool("raid grow m0.img --chunk 16K", ends: 64)
    #expect(other.error.contains("is under way"), other.remark)
    try bench.ftool("raid grow m0.img \(signal == 9 ? "" : "--add m3.img")")
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  /// What was there when the members were used further is of no time.
  @Test(arguments: ["1", "5", "6", "10"]) func `smaller, and then larger again`(level: String)
    throws
  {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: level, members: 4)
    let small = try #require(
      bench.ftool("raid grow m0.img --size 512K --force --json").json["bytes"].number)
    try bench.ftool("raid grow m0.img --size max")
    try bench.ftool("raid scrub m0.img")
    let count = bytes.count
    let read = try bench.ftool("raid read m0.img --length \(count)").bytes
    #expect(read.prefix(Int(small)) == bytes.prefix(Int(small)))
    #expect(read.count == count && read.dropFirst(Int(small)).allSatisfy { $0 == 0 })
    try bench.ftool("raid write m0.img", input: bytes)
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --length \(count)").bytes == bytes)
  }

  @Test func `a new member comes before a spare, and the same again changes nothing`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(try bench.shell("truncate -s 6M s.img n.img x.img").status == 0)
    try bench.ftool("raid add m0.img --new s.img --spare")
    try bench.ftool("raid grow m0.img --add n.img")
    let before = try bench.snapshot()
    let again = try bench.ftool("raid grow m0.img --add n.img")
    #expect(again.output.contains("n.img is in the array already"), again.remark)
    let useless = try bench.ftool("raid grow m0.img --add x.img --member-count 4", ends: 64)
    #expect(useless.error.contains("without x.img"), useless.remark)
    #expect(
      try bench.snapshot().filter { $0.key.hasSuffix("img") }
        == before.filter { $0.key.hasSuffix("img") })
    #expect(try bench.shell("truncate -s 1M tiny.img").status == 0)
    try bench.ftool("raid grow m0.img --add tiny.img --dry-run", ends: 64)
  }

  @Test(arguments: ["--sums crc32c", "--sums none --bitmap internal"])
  func `more members for copies, which go to other places, too`(options: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(
      level: "10", members: 3, size: "12M", bytes: 12_000_000, "--size 8M \(options)")
    for number in 3...5 {
      try bench.folder.sparseFile("m\(number).img", byteCount: 12 << 20)
    }
    for (line, members) in [
      ("--add m3.img", 4), ("--layout offset=2", 4), ("--add m4.img --chunk 32K", 5),
      ("--chunk 64K", 5), ("--add m5.img --layout near=2", 6),
    ] {
      let run = try bench.ftool("raid grow m0.img \(line) --json").json
      #expect(run["level"] == .string("raid10") && run["members"] == .number(Double(members)))
      #expect(run["complete"] == .bool(true))
      try bench.ftool("raid status m0.img --test")
      #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
      try bench.ftool("raid scrub m0.img")
    }
    for (line, sentence) in [
      ("--member-count 5 --force", "cannot be made to have fewer members"),
      ("--layout near=3", "the array has 2 copies of everything"),
      ("--layout far=2", "cannot be changed to"), ("--layout ls", "cannot be changed to"),
    ] {
      let run = try bench.ftool("raid grow m0.img \(line)", ends: 64)
      #expect(run.error.contains(sentence), run.remark)
    }
    try bench.remove("m1.img")
    try bench.remove("m4.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `what cannot be done is said with what can`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.folder.sparseFile("small.img", byteCount: 1 << 20)
    let before = try bench.snapshot()
    for (line, status, sentence) in [
      ("", 64, "no reshape of the array is under way"),
      ("--chunk 48K", 64, "a chunk is a power of two"),
      ("--level 6", 64, "1 new members are needed, and 0 are there"),
      ("--level 10", 64, "raid5 cannot be made into raid10"),
      ("--member-count 2", 64, "its end would be lost"),
      ("--layout near=2", 64, "cannot be changed to"),
      ("--add none.img", 66, "none.img"),
      ("--level ec:3+1 --member-count 9", 64, "ec:3+1 has 4 members"),
    ] {
      let run = try bench.ftool("raid grow m0.img \(line)", ends: Int32(status))
      #expect(run.error.contains(sentence), run.remark)
    }
    let same = try bench.ftool("raid grow m0.img --chunk 64K")
    #expect(same.output.contains("the array has this shape already"), same.remark)
    #expect(try bench.snapshot() == before)
    let small = try bench.ftool("raid grow m0.img --add small.img", ends: 64)
    #expect(small.error.contains("small.img"), small.remark)
    try bench.remove("m1.img")
    let degraded = try bench.ftool("raid grow m0.img --add new.img --degraded", ends: 66)
    #expect(degraded.error.contains("the array is degraded"), degraded.remark)
  }

  @Test func `fewer members give up the end of the array, if that is said`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(members: 4, size: "12M", bytes: 10_000_000)
    try bench.ftool("raid grow m0.img --member-count 3 --force")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid scrub m0.img")
    // Who has left is a spare, and comes back.
    try bench.ftool("raid grow m0.img --member-count 4")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: ["--sums crc32c", "--sums none --bitmap internal"])
  func `larger members are used to their end`(options: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(options)
    let full = try bench.ftool("raid grow m0.img --size max")
    #expect(full.output.contains("uses all the room that its members have"), full.remark)
    #expect(try bench.shell("truncate -s 12M m?.img").status == 0)
    let before = try bench.ftool("raid status m0.img --json").json["bytes"].number
    try bench.ftool("raid grow m0.img --size max --dry-run")
    try bench.ftool("raid grow m0.img --size max")
    let status = try bench.ftool("raid status m0.img --json --test").json
    let (now, then) = (try #require(status["bytes"].number), try #require(before))
    #expect(now > then * 3 / 2)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    let end = Int(now) - bytes.count
    try bench.ftool("raid write m0.img --offset \(end)", input: bytes)
    try bench.ftool("raid scrub m0.img")
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --offset \(end)").bytes == bytes)
    let smaller = try bench.ftool("raid grow m0.img m2.img --size 4M --degraded", ends: 66)
    #expect(smaller.error.contains("degraded"), smaller.remark)
  }

  @Test func `rows that are larger than what is worked in`() throws {
    let bench = try Workbench()
    try bench.ftool(
      "raid create photos \(Workbench.names(3)) --make 48M --level 5 --chunk 4M --homehost here")
    let bytes = Workbench.noise(30_000_000)
    try bench.ftool("raid write m0.img", input: bytes)
    try bench.folder.sparseFile("m3.img", byteCount: 48 << 20)
    try bench.ftool("raid grow m0.img --add m3.img")
    try bench.ftool("raid scrub m0.img")
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: [("5", 3), ("10", 4)])
  func `without room to move it goes by way of spare room`(level: String, members: Int) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(
      level: level, members: members, size: "24M", bytes: 40_000_000, "--metadata 1.0")
    let new = "m\(members).img"
    try bench.folder.sparseFile(new, byteCount: 24 << 20)
    for (line, sentence) in [("--chunk 16K", "by way of spare room"), ("--add \(new)", "")] {
      var grow = try bench.start("raid grow m0.img \(line) --rate 10M")
      #expect(try bench.waitForJob())
      Machine.sleep(seconds: 1)
      grow.signal(9)
      let ended = try grow.finish()
      #expect(ended.status == nil && ended.errorText.contains(sentence), "\(ended.errorText)")
      #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
      // A kernel would not know what is on its way.
      let examined = try bench.ftool("raid examine m0.img --json")
      #expect(examined.output.contains("write-journal"), examined.remark)
      try bench.ftool("raid grow m0.img")
      #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
      try bench.ftool("raid scrub m0.img")
    }
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `cut off in the first of two steps, the same command takes both`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "6", members: 4, size: "24M", bytes: 40_000_000)
    var grow = try bench.start("raid grow m0.img --level 5 --rate 10M")
    #expect(try bench.waitForJob())
    Machine.sleep(seconds: 1)
    grow.signal(9)
    #expect(try grow.finish().status == nil)
    try bench.ftool("raid grow m0.img --level 1", ends: 64)
    try bench.ftool("raid grow m0.img --level 5")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("raid5"), status.remark)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid scrub m0.img")
  }

  @Test func `so little of each member that nothing is left is refused`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    let before = try bench.contents("m0.img")
    for size in ["12", "60K"] {
      let run = try bench.ftool("raid grow m0.img --size \(size) --force", ends: 64)
      #expect(run.error.contains("nothing would be left of the array"), run.remark)
    }
    #expect(try bench.contents("m0.img") == before)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a new member that is too small changes nothing`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let before = try bench.contents("m0.img")
    try bench.folder.sparseFile("small.img", byteCount: 4 << 20)
    try bench.ftool("raid grow m0.img --add small.img", ends: 64)
    try bench.ftool("raid add m0.img small.img", ends: 64)
    // Nor does a folder to write from.
    let folder = try bench.ftool("raid write m0.img -i .", ends: 64)
    #expect(folder.error.contains("is a directory"), folder.remark)
    #expect(try bench.contents("m0.img") == before)
  }

  @Test func `with members lost on the way, what is not there is said`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(members: 4, size: "24M", bytes: 60_000_000)
    for name in ["m4.img", "m5.img"] { try bench.folder.sparseFile(name, byteCount: 24 << 20) }
    var grow = try bench.start("raid grow m0.img --level 6 --add m4.img --add m5.img --rate 10M")
    #expect(try bench.waitForJob())
    Machine.sleep(seconds: 1)
    grow.signal(2)
    #expect(try grow.finish().status == 130)
    try bench.ftool("raid grow m0.img --add m4.img --add m4.img", ends: 64)
    // The second parity is not everywhere yet.
    try bench.ftool("raid status m0.img --test", ends: 2)
    try bench.ftool("raid read m0.img -o whole")
    _ = try bench.shell("mkdir away; mv m0.img away")
    let one = try bench.ftool("raid status m1.img --test", ends: 2)
    #expect(one.output.contains("ftool raid grow m1.img --degraded"), one.remark)
    _ = try bench.shell("mv m1.img away")
    let two = try bench.ftool("raid status m2.img --test", ends: 4)
    #expect(two.output.contains("incomplete"), two.remark)
    #expect(two.output.contains("--salvage"), two.remark)
    let refused = try bench.ftool("raid grow m2.img --degraded", ends: 66)
    #expect(refused.error.contains("too few members"), refused.remark)
    _ = try bench.shell("mv away/* .")
    try bench.ftool("raid grow m0.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test(arguments: ["raid grow m0.img --add m2.img", "raid grow m0.img"])
  func `a mirror that was cut off while it was filled goes on`(command: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "1", members: 2, size: "40M", bytes: 36_000_000)
    try bench.folder.sparseFile("m2.img", byteCount: 40 << 20)
    var grow = try bench.start("raid grow m0.img --add m2.img --rate 8M")
    #expect(try bench.waitForJob())
    Machine.sleep(seconds: 1)
    grow.signal(2)
    #expect(try grow.finish().status == 130)
    try bench.ftool(command)
    try bench.ftool("raid status m0.img --test")
    _ = try bench.shell("rm m0.img m1.img")
    #expect(try bench.ftool("raid read m2.img --length \(bytes.count)").bytes == bytes)
  }

  /// Who grows an array by its members' names may forget one of its spares.
  @Test func `a spare that was forgotten keeps nobody from the array`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    for name in ["z.img", "m3.img"] { try bench.folder.sparseFile(name, byteCount: 6 << 20) }
    try bench.ftool("raid add m0.img --new z.img")
    try bench.ftool("raid grow m0.img m1.img m2.img --add m3.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("-  z.img   out of date"), status.remark)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid scrub m0.img")
    try bench.ftool("raid add m0.img --new z.img")
    #expect(try bench.ftool("raid status m0.img").output.contains("-  z.img   spare"))
    try bench.remove("m1.img")
    try bench.ftool("raid rebuild m0.img --degraded")
    try bench.ftool("raid status m0.img --test")
  }

  /// The regions of members are as long as they were when these came.
  @Test(arguments: ["1.0", "1.2"])
  func `a file as large as the others takes a place after a reshape`(
    _ version: String
  ) throws {
    let bench = try Workbench()
    try bench.ftool(
      "raid create photos \(Workbench.names(4)) --make 6M --level 5 --chunk 4K --metadata \(version)"
    )
    let bytes = Workbench.noise(3_000_000)
    try bench.ftool("raid write m0.img", input: bytes)
    for name in ["x.img", "y.img", "new.img"] {
      try bench.folder.sparseFile(name, byteCount: 6 << 20)
    }
    try bench.ftool("raid grow m0.img --level 6 --add x.img --add y.img")
    try bench.remove("m2.img")
    try bench.ftool("raid rebuild m0.img --onto new.img")
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid scrub m0.img")
    _ = try bench.shell("rm m0.img m1.img")
    #expect(try bench.ftool("raid read new.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `another mirror is filled`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "1", members: 2)
    try bench.folder.sparseFile("m2.img", byteCount: 6 << 20)
    try bench.ftool("raid grow m0.img --add m2.img")
    try bench.ftool("raid status m0.img --test")
    try bench.remove("m0.img")
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid read m2.img --length \(bytes.count)").bytes == bytes)
  }
}
