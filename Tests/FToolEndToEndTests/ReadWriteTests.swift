import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct ReadWriteTests {
  @Test func `writes where it is told and reads it back`() throws {
    let bench = try Workbench()
    var bytes = try bench.makeFilledArray()
    let piece = Workbench.noise(70_001, seed: 3)
    let wrote = try bench.ftool("raid write m0.img --offset 65530", input: piece)
    #expect(wrote.output == "wrote 68.4 KiB to here:photos at byte 65530\n", wrote.remark)
    bytes.replaceSubrange(65530..<65530 + piece.count, with: piece)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    let part = try bench.ftool("raid read m0.img --offset 4097 --length 99999")
    #expect(part.bytes == Array(bytes[4097..<4097 + 99999]))
    #expect(part.error == "")
    #expect(try bench.ftool("raid read m0.img --length 0").bytes == [])
    // To a file, from a file, and direct.
    try bench.ftool("raid read m0.img -o out --length \(bytes.count)")
    #expect(try bench.contents("out") == bytes)
    try bench.folder.file("in", piece)
    try bench.ftool("raid write m0.img -i in --offset 1M --sync")
    #expect(try bench.ftool("raid read m0.img --offset 1M --length \(piece.count)").bytes == piece)
    try bench.ftool("raid scrub m0.img")
  }

  @Test func `tells JSON beside the data`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    let read = try bench.ftool("raid read m0.img --length \(bytes.count) --json")
    #expect(read.bytes == bytes)
    let json = try read.errorJSON
    #expect(json["type"] == .string("raid-read") && json["bytes"] == .number(Double(bytes.count)))
    let file = try bench.ftool("raid read m0.img -o out --length 5 --json").json
    #expect(file["bytes"] == .number(5))
    let wrote = try bench.ftool("raid write m0.img --json --offset 7", input: [1, 2, 3]).json
    #expect(wrote["type"] == .string("raid-write") && wrote["offset"] == .number(7))
    #expect(wrote["bytes"] == .number(3))
  }

  @Test func `an offset past the end writes nothing`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    let size = Int(try #require(try bench.ftool("raid status m0.img --json").json["bytes"].number))
    let before = try bench.snapshot()
    for line in [
      "raid read m0.img --offset \(size + 1)", "raid read m0.img --offset 1 --length \(size)",
      "raid read m0.img --offset 9E", "raid read m0.img --length 9P",
      "raid read m0.img --offset -5", "raid write m0.img --offset \(size + 1)",
      "raid write m0.img --offset 1Z",
    ] {
      let run = try bench.ftool(line, ends: 64)
      #expect(run.bytes == [] && run.error.hasPrefix("ftool: error: "), run.remark)
    }
    try bench.folder.file("big", [UInt8](repeating: 1, count: 5000))
    let big = try bench.ftool("raid write m0.img -i big --offset \(size - 4096)", ends: 64)
    #expect(big.error.contains("reach past the array's end"), big.remark)
    try bench.remove("big")
    #expect(try bench.snapshot() == before)
    // What is exactly at the end fits, and one byte more from a pipe is told.
    try bench.ftool("raid write m0.img --offset \(size - 3)", input: [1, 2, 3])
    let piped = try bench.ftool(
      "raid write m0.img --offset \(size - 3)", ends: 64, input: [1, 2, 3, 4])
    #expect(piped.error.contains("longer than the array"), piped.remark)
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `reads degraded with a warning and exit 0`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "6", members: 5)
    try bench.remove("m1.img")
    try bench.remove("m3.img")
    let read = try bench.ftool("raid read m0.img --length \(bytes.count)")
    #expect(read.bytes == bytes)
    #expect(read.error.contains("ftool: warning: the array is degraded"), read.remark)
    let quiet = try bench.ftool("raid read m0.img --length \(bytes.count) --quiet")
    #expect(quiet.bytes == bytes && quiet.error == "")
    let json = try bench.ftool("raid read m0.img --length 1 --json -q").errorJSON
    #expect(json["warnings"].elements.count == 1)
    try bench.remove("m4.img")
    let lost = try bench.ftool("raid read m0.img", ends: 66)
    #expect(lost.bytes == [] && lost.error.contains("too few members"), lost.remark)
  }

  @Test func `a forgotten member is named, and not left behind`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let id = try #require(
      try bench.ftool("raid status m0.img --json").json["members"][1]["uuid"].string)
    let before = try bench.snapshot()
    for line in [
      "raid write m0.img m2.img", "raid scrub m0.img m2.img",
      "raid fail m0.img m2.img --member m2.img",
      "raid remove m0.img m2.img --member m0.img",
      "raid replace m0.img m2.img --member m0.img --onto n",
      "raid read m0.img m2.img --repair",
    ] {
      let run = try bench.ftool(line, ends: 66, input: [1])
      #expect(run.error.contains("slot 1 (member \(id))"), run.remark)
      #expect(run.error.contains("--degraded"), run.remark)
    }
    #expect(try bench.snapshot() == before)
    try bench.ftool("raid write m0.img m2.img --degraded", input: [1])
    let read = try bench.ftool("raid read m0.img --length 1")
    #expect(read.bytes == [1] && read.error.contains("m1.img is not used: it is out of date"))
  }

  @Test func `a damaged block is computed, counted, and repaired when that is wanted`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    let data = try bench.dataOffset("m0.img")
    for member in ["m0.img", "m1.img", "m2.img"] {
      try bench.damage(member, at: data + (member == "m1.img" ? 131072 : 8192), [1, 2, 3, 4, 5])
    }
    _ = try bench.ftool("raid read m0.img --length \(bytes.count)", ends: 65)  // two in one stripe
    try bench.damage("m2.img", at: data + 8192, [0])
    try bench.remove("m2.img")
    let lost = try bench.ftool("raid read m0.img --length \(bytes.count)", ends: 65)
    #expect(lost.error.contains("are lost"), lost.remark)

    let other = try Workbench()
    let content = try other.makeFilledArray()
    try other.damage("m0.img", at: data + 8192, [1, 2, 3, 4, 5])
    let before = try other.snapshot()
    let read = try other.ftool("raid read m0.img --length \(content.count) --json")
    #expect(read.bytes == content)
    #expect(try read.errorJSON["blocks_restored"].number ?? 0 >= 1)
    #expect(try other.snapshot() == before)
    #expect(try other.ftool("raid read m0.img --length \(content.count) --repair").bytes == content)
    try other.ftool("raid scrub m0.img")
    #expect(try other.ftool("raid status m0.img --json").json["repaired_blocks"] == .number(1))
  }

  @Test func `a damaged block without a second copy is an error that says where`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "0", members: 2)
    let data = try bench.dataOffset("m0.img")
    try bench.damage("m0.img", at: data + 65536, [1, 2, 3])
    let read = try bench.ftool("raid read m0.img --length \(bytes.count)", ends: 65)
    #expect(read.error.contains("m0.img"), read.remark)
    #expect(read.bytes == Array(bytes.prefix(read.bytes.count)))
  }

  @Test func `a file ends where reading failed`() throws {
    let bench = try Workbench()
    // Zeros up to the damage: they become a hole, which counts, too.
    try bench.makeArray(level: "0", members: 2)
    try bench.ftool("raid write m0.img", input: [1, 2, 3])
    let data = try bench.dataOffset("m0.img")
    try bench.damage("m0.img", at: data + 3 * 65536 + 8192, [1, 2, 3])
    let bad = 6 * 65536 + 8192
    for (line, start) in [
      ("raid read m0.img -o out", 0), ("raid read m0.img -o out --offset 70000", 70000),
    ] {
      try bench.folder.file("out", [UInt8](repeating: 7, count: 1_000_000))
      let read = try bench.ftool(line, ends: 65)
      #expect(read.error.contains("bytes \(bad) to \(bad + 4096) of the array"), read.remark)
      let copied = try bench.contents("out")
      #expect(copied.count == bad - start)
      #expect(copied == Array(([1, 2, 3] + [UInt8](repeating: 0, count: bad - 3))[start...]))
    }
    // And where the disk that is written to is full.
    let full = try bench.shell("ulimit -f 100; trap '' XFSZ; ftool raid read m0.img -o small")
    #expect(full.status != 0, full.remark)
    #expect(try bench.contents("small").count <= 100 * 1024)
  }

  @Test func `a closed pipe ends it without a word`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    let run = try bench.shell("ftool raid read m0.img | head -c 1 | cat; echo \"${PIPESTATUS[0]}\"")
    #expect(run.bytes.first == bytes.first)
    #expect(run.output.hasSuffix("0\n") && run.error == "", run.remark)
    for line in ["raid status m0.img", "raid list", "raid status m0.img --json", "--help"] {
      let run = try bench.shell("ftool \(line) | head -c 1; echo \" ${PIPESTATUS[0]}\"")
      #expect(run.output.hasSuffix(" 0\n") && run.error == "", run.remark)
    }
    let closed = try bench.shell("ftool raid status m0.img >&-")
    #expect(closed.status == 74 && closed.error.contains("cannot write the result"), closed.remark)
    let full = try bench.shell("ftool raid status m0.img > /dev/full")
    #expect(full.status == 74, full.remark)
    let fullRead = try bench.shell("ftool raid read m0.img > /dev/full")
    #expect(fullRead.status == 74, fullRead.remark)
  }

  @Test func `a truncated member is not believed`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    #expect(try bench.shell("truncate -s 2M m1.img").status == 0)
    let all = try bench.ftool("raid status m0.img m1.img m2.img --test", ends: 2)
    #expect(all.output.contains("m1.img  not usable"), all.remark)
    try bench.ftool("raid status m1.img", ends: 78)
    for members in ["m0.img m1.img m2.img", "m0.img", "m0.img m2.img"] {
      let run = try bench.ftool("raid read \(members) --length \(bytes.count)")
      #expect(run.bytes == bytes)
      // The registry knows that it was a member.
      #expect(run.error.contains("m1.img") == (members != "m0.img m2.img"), "\(run.error)")
    }
    let write = try bench.ftool("raid write m0.img m1.img m2.img", ends: 66, input: [1])
    #expect(
      write.error.contains("are not there: slot 1 (member ")
        && write.error.contains("m1.img is shorter than it should be"), write.remark)
    try bench.ftool("raid write m0.img --degraded", input: [bytes[0]])
    let list = try bench.ftool("raid list")
    #expect(list.output.contains("degraded") && list.error.contains("m1.img"), list.remark)
    let examined = try bench.ftool("raid examine m1.img", ends: 66)
    #expect(
      examined.output.contains("Place : byte 4096")
        && examined.output.contains("Problem : it tells of at least "), examined.remark)
    // It is held already, and may be filled anew.
    #expect(try bench.shell("truncate -s 6M m1.img").status == 0)
    try bench.damage("m1.img", at: 4096 + 72, [9])
    let members = "m0.img m1.img m2.img"
    try bench.ftool("raid rebuild \(members) --degraded --onto m1.img", ends: 73)
    try bench.ftool("raid rebuild \(members) --degraded --onto m1.img --force")
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `what is in doubt without a member is read by who insists`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    // Left as a writer leaves it that is killed: dirty, and nothing says where.
    for member in ["m0.img", "m1.img", "m2.img"] { try bench.markUnclean(member) }
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.remove("m1.img")
    let refused = try bench.ftool("raid read m0.img", ends: 65)
    #expect(refused.error.contains("are in doubt") && refused.error.contains("--force"))
    let read = try bench.ftool("raid read m0.img --force --length \(bytes.count)")
    #expect(read.bytes == bytes && read.error.contains("may be wrong"))
  }

  @Test func `an array without its journal is read by who insists`() throws {
    let bench = try Workbench()
    let archive =
      Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))
      + "/Tests/Golden/arrays/raid5-3-journal-unclean.tar.zst"
    #expect(try bench.shell("tar --zstd -xf \(archive) --strip-components 1").status == 0)
    let bytes = try bench.ftool("raid read m0.img").bytes
    try bench.remove("m3.img")
    let refused = try bench.ftool("raid read m0.img", ends: 66)
    #expect(refused.bytes.isEmpty && refused.error.contains("give the journal's device too"))
    let status = try bench.ftool("raid status m0.img --test", ends: 4)
    #expect(status.output.contains("a journal that was not given"), status.remark)
    let read = try bench.ftool("raid read m0.img --force")
    #expect(read.bytes.count == bytes.count && read.error.contains("may be old or torn"))
  }

  @Test(arguments: ["1.2", "1.1"])
  func `a member that grew is still known`(version: String) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray("--metadata \(version)")
    #expect(try bench.shell("truncate -s 9M m1.img").status == 0)
    let status = try bench.ftool("raid status m0.img --test")
    #expect(status.output.contains("sums are valid"), status.remark)
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid write m0.img", input: [9])
    try bench.ftool("raid scrub m0.img")
    #expect(try bench.ftool("raid status m0.img --test").output.contains("sums are valid"))
  }

  @Test func `sums of a foreign array are kept in a file`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray("--sums none")
    #expect(try bench.ftool("raid status m0.img").output.contains("no sums are kept"))
    try bench.ftool("raid scrub m0.img --sums-file sums")
    let status = try bench.ftool("raid status m0.img --sums-file sums")
    #expect(status.output.contains("sums are valid: in sums"), status.remark)
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 4096, [1, 2, 3])
    let read = try bench.ftool("raid read m0.img --sums-file sums --length \(bytes.count)")
    #expect(read.bytes == bytes)
    let scrub = try bench.ftool("raid scrub m0.img --sums-file sums", ends: 1)
    #expect(scrub.output.contains("m1.img, block at byte 4096 of its data"), scrub.remark)
  }

  @Test func `what is refused leaves a file of sums as it was`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray("--sums none")
    let fresh = try bench.ftool("raid write m0.img --sums-file sums", input: bytes)
    #expect(fresh.error.contains("the file of sums sums is not complete"), fresh.remark)
    let whole = try bench.ftool("raid scrub m0.img --sums-file sums")
    #expect(whole.error.isEmpty, whole.remark)
    let sums = try bench.contents("sums")
    for (line, status) in [
      ("add --new m1.img m0.img", 64), ("write m0.img --offset 1G", 64),
      ("rebuild m0.img --member m2.img", 64), ("replace m0.img --member m1.img --onto m2.img", 64),
      ("grow m0.img -l 6", 64), ("write m0.img --dry-run", 0),
    ] as [(String, Int32)] {
      try bench.ftool("raid \(line) --sums-file sums -y", ends: status, input: [1])
      #expect(try bench.contents("sums") == sums, "\(line)")
    }
    try bench.damage("m1.img", at: bench.dataOffset("m1.img") + 4096, [1, 2, 3])
    let read = try bench.ftool("raid read m0.img --sums-file sums --length \(bytes.count)")
    #expect(read.bytes == bytes)
    let missing = try bench.ftool("raid read m0.img --sums-file none", ends: 74)
    #expect(missing.error.contains("the file of sums none cannot be used: No such file"))
  }

  @Test func `a damaged file of sums is told as such`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray("--sums none")
    try bench.ftool("raid scrub m0.img --sums-file sums")
    try bench.damage("sums", at: 40, [1, 2, 3])
    let read = try bench.ftool("raid read m0.img --sums-file sums --length 5", ends: 65)
    #expect(read.error.contains("the header of the file of sums sums is damaged"), read.remark)
    #expect(read.error.contains("remove it"), read.remark)
    let status = try bench.ftool("raid status m0.img --sums-file sums")
    #expect(status.output.contains("the file of sums sums is damaged"), status.remark)
    try bench.remove("sums")
    try bench.ftool("raid scrub m0.img --sums-file sums")
    let again = try bench.ftool("raid read m0.img --sums-file sums --length \(bytes.count)")
    #expect(again.bytes == bytes)
    #expect(try bench.shell("truncate -s 8K sums").status == 0)
    let short = try bench.ftool("raid write m0.img --sums-file sums", ends: 64, input: [1])
    #expect(short.error.contains("sums is too short for the array's sums"), short.remark)
  }

  @Test func `sums on the members are not kept in a file, too`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let run = try bench.ftool("raid write m0.img --sums-file sums", ends: 64, input: [1])
    #expect(run.error.contains("the array keeps its sums on its members"), run.remark)
    #expect(!Files.exists(bench.folder.path("sums")))
  }
}
