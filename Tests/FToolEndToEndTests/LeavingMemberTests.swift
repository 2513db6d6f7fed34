import FToolTestSupport
import LinuxSystem
import Testing

/// Members that failed, were replaced or were removed: what is said of them, and that nobody takes them for
/// members again.
@Suite struct LeavingMemberTests {
  @Test func `failing a member twice changes nothing and is no error`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(
      try bench.ftool("raid fail m0.img --member m1.img --json").json["changed"] == .bool(true))
    // Once more as it is now, and when the others have moved on.
    for _ in 0..<2 {
      let before = try bench.snapshot()
      let again = try bench.ftool("raid fail m0.img --member m1.img")
      #expect(
        again.output == "m1.img has failed already: it was in slot 1; nothing was changed\n",
        again.remark)
      let json = try bench.ftool("raid fail m0.img --member m1.img --json").json
      #expect(json["changed"] == .bool(false) && json["member"] == .string("m1.img"))
      #expect(try bench.snapshot() == before)
      try bench.ftool("raid write m0.img", input: [1])
      try bench.ftool("raid write m0.img", input: [2])
    }
    try bench.ftool("raid remove m0.img --member m1.img")
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.ftool("raid fail m0.img --member nobody.img", ends: 66)
  }

  @Test func `a member that is out of date is failed where the others count on it`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let old = try bench.contents("m1.img")
    try bench.ftool("raid write m0.img", input: [1])
    try bench.ftool("raid write m0.img", input: [2])
    try bench.folder.file("m1.img", old)
    try bench.ftool("raid fail m0.img --member m1.img", ends: 66)
    let run = try bench.ftool("raid fail m0.img --member m1.img --degraded")
    #expect(run.output == "declared m1.img failed\n", run.remark)
    #expect(try bench.ftool("raid read m0.img m2.img --length 1").bytes == [2])
    let again = try bench.ftool("raid fail m0.img --member m1.img")
    #expect(again.output.contains("has failed already"), again.remark)
  }

  /// As a new member takes the place of an old one, with the old one still beside it as a cut left it.
  @Test(arguments: [true, false])
  func `who was replaced is no member any more, and nobody speaks of it`(isCutOff: Bool) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(level: "1", members: 2)
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    let old = try bench.contents("m1.img")
    let plan = try bench.ftool("raid replace m0.img --member m1.img --onto new.img --dry-run")
    #expect(plan.output.contains("would erase the superblock of m1.img"), plan.remark)
    try bench.ftool("raid replace m0.img --member m1.img --onto new.img")
    let left = try bench.contents("m1.img")
    #expect((left[4096..<8192] + left.suffix(4096)).allSatisfy { $0 == 0 })
    let data = try bench.dataOffset("m0.img")
    #expect(left[data...].starts(with: bytes), "the data stays")
    // Cut off before its superblock was erased, it is as it was.
    if isCutOff { try bench.folder.file("m1.img", old) }
    for line in [
      "raid read m0.img --length \(bytes.count)", "raid read photos --length \(bytes.count)",
      "raid write m0.img -i m1.part", "raid scrub photos",
    ] {
      try bench.folder.file("m1.part", Array(bytes.prefix(9)))
      let run = try bench.ftool(line)
      #expect(run.error == "", run.remark)
      if line.contains("read") { #expect(run.bytes == bytes) }
    }
    let status = try bench.ftool("raid status m0.img --test")
    #expect(status.error == "", status.remark)
    #expect(status.output.contains("m1.img   no member any more") == isCutOff, status.remark)
    let list = try bench.ftool("raid list")
    #expect(list.output.contains("2/2") && list.error == "", list.remark)
    if isCutOff {
      let states = try bench.ftool("raid status m0.img --json").json["members"].elements
      #expect(states.map { $0["state"].string } == ["in-sync", "in-sync", "replaced"])
      let again = try bench.ftool("raid fail m0.img --member m1.img")
      #expect(
        again.output.hasPrefix("m1.img is not used already: another member has taken its place"))
      // Given again, it is finished; and it may be told to go, too. Its number may be another's by now, which
      // keeps its place.
      let plan = try bench.ftool("raid replace m0.img --member m1.img --onto new.img -n")
      #expect(plan.output.contains("would erase the superblock of m1.img"), plan.remark)
      let run = try bench.ftool("raid replace m0.img --member m1.img --onto new.img")
      #expect(
        run.output == "new.img is in sync in slot 1 already: m1.img is no member any more\n",
        run.remark)
      try bench.ftool("raid status m1.img", ends: 66)
      try bench.folder.file("m1.img", old)
      try bench.ftool("raid remove m0.img --member m1.img")
      #expect(try bench.ftool("raid status m0.img --test").output.contains("1  new.img  in sync"))
    }
    try bench.ftool("raid status m1.img", ends: 66)
    try bench.ftool("raid read m1.img", ends: 66)
    // And what nobody calls a member may become one.
    try bench.ftool("raid add m0.img --new m1.img")
  }

  @Test func `who is removed when another has its place and its number harms nobody`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.ftool("raid rebuild m0.img --member m1.img --onto new.img")
    let read = try bench.ftool("raid read m0.img --length \(bytes.count)")
    #expect(read.bytes == bytes && read.error == "", read.remark)
    try bench.ftool("raid remove m0.img --member m1.img")
    try bench.ftool("raid status m0.img --test")
    try bench.ftool("raid status m1.img", ends: 66)
    try bench.remove("m2.img")
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `a spare that was removed does not come back, and a failed member can`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray("--bitmap internal")
    for name in ["one.img", "two.img"] {
      try bench.folder.sparseFile(name, byteCount: 6 << 20)
      try bench.ftool("raid add m0.img --new \(name)")
      let other = try bench.ftool("raid status m0.img")
      #expect(other.output.contains("\(name)  spare"), other.remark)
      try bench.ftool("raid remove m0.img --member \(name)")
      let status = try bench.ftool("raid status m0.img")
      #expect(!status.output.contains(".img  spare") && status.error == "", status.remark)
      try bench.ftool("raid status \(name)", ends: 66)
    }
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.ftool("raid remove m0.img --member m1.img")
    let warned = try bench.ftool("raid read m0.img --length 1")
    #expect(warned.error.contains("m1.img is not used"), warned.remark)
    try bench.ftool("raid write m0.img", input: [1])
    let json = try bench.ftool("raid rebuild m0.img --member m1.img --json").json
    #expect(json["rebuilt"][0]["marked_only"] == .bool(true))
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `a rebuild with nothing to copy says why`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray("--bitmap internal")
    try bench.ftool("raid fail m0.img --member m1.img")
    let run = try bench.ftool("raid rebuild m0.img")
    #expect(
      run.output
        == "m1.img in slot 1 is in sync: nothing was written while it was away, so that nothing had "
        + "to be copied\n", run.remark)
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.ftool("raid write m0.img", input: [1])
    let some = try bench.ftool("raid rebuild m0.img")
    #expect(
      some.output.hasPrefix("rebuilt m1.img in slot 1: ")
        && some.output.hasSuffix(", which may have been written while it was away\n"), some.remark)
    try bench.ftool("raid scrub m0.img")
  }
}
