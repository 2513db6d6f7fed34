import FToolTestSupport
import LinuxSystem
import Testing

/// What people get wrong, and programs that start ftool: nothing is harmed, and the sentence is true.
@Suite struct MistakeTests {
  @Test func `a member is neither the file to read into nor the one to write from`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let before = try bench.snapshot()
    for line in [
      "ftool raid read m0.img -o m0.img", "ftool raid read m0.img -o ./m1.img",
      "ln m2.img link; ftool raid read m0.img -o link; status=$?; rm link; exit $status",
      "ftool raid read m0.img 1<>m1.img", "ftool raid read m0.img --repair 1<>m1.img",
      "ftool raid write m0.img -i m1.img", "ftool raid write m0.img < m1.img",
      "ftool raid write m0.img --dry-run -i m2.img",
    ] {
      let run = try bench.shell(line)
      #expect(run.status == 64 && run.error.contains("is a member of the array"), run.remark)
    }
    var after = try bench.snapshot()
    for name in before.keys where before[name] != after[name] {
      Issue.record("\(name) changed")
    }
    after = [:]
  }

  @Test func `members that were not named are not written over either`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let before = try bench.snapshot()
    for line in [
      "read m0.img m2.img -o m1.img", "read m0.img m2.img --salvage -o out --map m1.img",
      "read --assume level=5,chunk=64K,data-offset=2M -o m2.img m0.img m1.img missing",
    ] {
      let run = try bench.ftool("raid \(line)", ends: 73)
      #expect(run.error.contains("is a member of an array, here:photos"), run.remark)
    }
    let same = try bench.ftool("raid read m0.img --salvage -o out --map out", ends: 64)
    #expect(same.error.contains("cannot be the map"), same.remark)
    #expect(try bench.snapshot() == before)
  }

  /// A copy that was stopped as it began looks like this.
  @Test func `files that are empty or cut short are told as such`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.folder.file("empty.img", [])
    for line in [
      "read m0.img m1.img empty.img", "write m0.img m1.img empty.img --dry-run",
      "scrub m0.img m1.img empty.img", "rebuild m0.img m1.img empty.img",
      "add m0.img --new empty.img", "create other empty.img m1.img --force",
      "fail m0.img m1.img empty.img --member m1.img", "recover --force m0.img m1.img empty.img -n",
    ] {
      let run = try bench.shell("ftool raid \(line) -y 2>&1 </dev/null || echo status $?")
      #expect(run.output.contains("status 6"), run.remark)
    }
    try bench.ftool("raid wipe empty.img --yes", ends: 66)
    try bench.ftool("checkpoint save -o= 1", ends: 64)
    let part = try bench.ftool("raid read m0.img#p1", ends: 66)
    #expect(part.error.contains("m0.img has no partition table"), part.remark)
    for size in ["0", "1", "512", "4096", "65536", "1M", "2100K", "3M"] {
      try bench.shellOK("head -c \(size) /dev/zero > zeros; cp m2.img cut; truncate -s \(size) cut")
      for operands in ["m0.img m1.img zeros", "m0.img m1.img cut", "-- m0.img m1.img cut"] {
        let run = try bench.shell(
          "ftool raid recover \(operands.hasPrefix("--") ? "--ignore-superblocks" : "") \(operands)"
        )
        #expect([0, 65, 66].contains(run.status), run.remark)
      }
    }
  }

  /// Much that is not empty begins with zeros.
  @Test func `a file of checksums is not made over something else`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray("--sums none")
    try bench.folder.file(
      "document",
      [UInt8](repeating: 0, count: 1 << 20) + Array("text".utf8)
        + [UInt8](repeating: 0, count: 2 << 20))
    let before = try bench.snapshot()
    for file in ["m1.img", "document"] {
      let run = try bench.ftool("raid scrub m0.img m2.img --degraded --sums-file \(file)", ends: 73)
      #expect(run.error.contains(file), run.remark)
    }
    #expect(try bench.snapshot() == before)
  }

  @Test func `what ftool knows of a member outlives its superblock`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    for name in ["m0.img", "m1.img", "m2.img"] {
      try bench.damage(name, at: 4096, [UInt8](repeating: 0, count: 4096))
    }
    let before = try bench.snapshot()
    let run = try bench.ftool("raid create other m1.img m0.img m2.img --level 5", ends: 73)
    #expect(run.error.contains("has been a member of the array"), run.remark)
    #expect(try bench.snapshot() == before)
    for name in ["m0.img", "m1.img", "m2.img"] { try bench.ftool("raid wipe \(name) --yes") }
    try bench.ftool("raid create other m1.img m0.img m2.img --level 5")
  }

  @Test(arguments: [
    ("ftool raid write m0.img <&-", "standard input"),
    ("ftool raid read m0.img >&-", "standard output"),
    ("ftool raid read m0.img --repair >&-", "standard output"),
    ("ftool raid write m0.img <&- >&-", "standard input"),
    ("ftool raid status m0.img >&-", "cannot write the result"),
  ])
  func `a stream that was closed is an error, and no member takes its place`(
    line: String, subject: String
  ) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let before = try bench.contents("m0.img").count
    let run = try bench.shell(line, timeoutSeconds: 20)
    #expect(run.status == 74 && run.error.contains(subject), run.remark)
    #expect(run.error.contains("Bad file descriptor"), run.remark)
    #expect(try bench.contents("m0.img").count == before)
    try bench.ftool("raid scrub m0.img --repair never")
  }

  @Test func `no error output is no reason to write into a member`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.remove("m1.img")
    let run = try bench.shell(
      "ftool raid read m0.img --length \(bytes.count) --repair --degraded 2>&-")
    #expect(run.status == 0 && run.bytes == bytes, run.remark)
  }

  @Test func `what is no file or disk is called so`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    for line in [
      "raid status .", "raid read /dev/null", "raid examine .", "raid recover . /dev/zero",
      "raid wipe . -y", "raid create x . /dev/null", "raid rebuild m0.img --onto .",
    ] {
      let run = try bench.ftool(line, ends: 64)
      #expect(run.error.contains("is neither a file nor a block device"), run.remark)
    }
    for line in ["raid read m0.img -o .", "raid write m0.img -i ."] {
      let run = try bench.ftool(line, ends: 64)
      #expect(run.error.contains("is a directory"), run.remark)
    }
  }

  @Test(arguments: [
    ("x missing missing --make 6M", "all members are missing"),
    ("x a b c --make 6M --spares 3", "of 3 members 3 cannot be spares"),
    ("x a --make 6M --level 1", "and 1 is given"),
    ("x a b c --make 6M --chunk 5000", "not 5000 bytes"),
    ("x a b c --make 6M --size 1", "--size is less than one chunk of 512 KiB"),
    ("x a b --make 6M --size 4K", "--size is less than 64 KiB"),
    ("x a b c --make 6M --data-offset 1000", "a multiple of 4K"),
    ("x a b c --make 6M --data-offset 4K", "the data cannot begin before byte "),
    ("x a b c --make 6M --data-offset 1M --metadata 1.0", "at the start of a member"),
    ("x a b c --make 6M --data-offset 20M", "a is too small: it has 6 MiB"),
    ("x a b c --make 6M --level 0 --bitmap internal", "level 0 has no use for a bitmap"),
    ("x a b c --make 9999999E", "'9999999E' is invalid for '--make <size>': that is too large"),
    ("x a b c --make 6M --homehost a\tb", "the homehost has"),
    ("there.img a b --make 6M", "'there.img' is a file: the array's name comes before its members"),
  ])
  func `create says what is wrong`(arguments: String, sentence: String) throws {
    let bench = try Workbench()
    try bench.folder.file("there.img", [1])
    let run = try bench.ftool("raid create \(arguments)", ends: 64)
    #expect(run.error.contains(sentence), run.remark)
    #expect(try Files.list(bench.folder.path) == ["there.img"])
  }

  @Test func `create says how to get members that are not there`() throws {
    let bench = try Workbench()
    let run = try bench.ftool("raid create x a b", ends: 66)
    #expect(run.error.contains("hint: --make SIZE makes the files first"), run.remark)
  }

  @Test func `reading behind the end is told as that`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    let alone = try bench.ftool("raid read m0.img --offset 1G", ends: 64)
    #expect(alone.error.contains("byte 1073741824 is past the array's end at byte "), alone.remark)
    let one = try bench.ftool("raid read m0.img --offset 1G --length 1", ends: 64)
    #expect(one.error.contains("reach past the array's end"), one.remark)
  }

  @Test func `a level is named as it was asked for`() throws {
    let bench = try Workbench()
    try bench.makeArray(level: "ec:2+2", members: 4)
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("Level:       ec:2+2, 4 members"), status.remark)
    #expect(try bench.ftool("raid status m0.img --json").json["level"] == .string("ec:2+2"))
    #expect(try bench.ftool("raid list").output.contains("ec:2+2"))
  }
}
