import FToolTestSupport
import LinuxSystem
import Testing

/// Who may do what while others work on the same members, and what never changes a byte.
@Suite struct LockTests {
  @Test func `a writer keeps everybody out but those who only look`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    try bench.folder.sparseFile("new.img", byteCount: 12 << 20)
    var scrub = try bench.start("raid scrub m0.img --rate 1M")
    #expect(try bench.waitForJob())
    for line in [
      "raid write m0.img", "raid read m0.img --length 1", "raid scrub m0.img",
      "raid rebuild m0.img",
      "raid fail m0.img --member m1.img", "raid remove m0.img --member m1.img",
      "raid replace m0.img --member m1.img --onto new.img", "raid wipe m1.img --yes",
      "raid add m0.img --new new.img", "raid create x m1.img new.img --force",
      "raid rebuild m0.img --onto new.img",
    ] {
      let run = try bench.ftool(line, ends: 75, input: [1])
      #expect(run.error.contains("is held by another running ftool"), run.remark)
      let json = try bench.ftool(line + " --json", ends: 75, input: [1])
      let object = line.hasPrefix("raid read") ? try json.errorJSON : try json.json
      #expect(object["code"] == .number(75) && object["hint"].string?.contains("--wait") == true)
    }
    for line in ["raid status m0.img", "raid list", "raid examine m0.img"] { try bench.ftool(line) }
    let late = try bench.ftool("raid read m0.img --length 1 --wait 300ms", ends: 75)
    #expect(late.bytes == [])
    var waiting = try bench.start("raid read m0.img --length 100 --wait 1m")
    Machine.sleep(seconds: 0.5)
    scrub.signal(2)
    _ = try scrub.finish()
    let read = try waiting.finish()
    #expect(read.status == 0 && read.output == Array(bytes.prefix(100)), "\(read.errorText)")
  }

  @Test func `readers share, and keep writers out`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    // It waits for somebody to read the pipe.
    let reader = try bench.start("raid read m0.img")
    Machine.sleep(seconds: 0.7)
    #expect(try bench.ftool("raid read m0.img --length 10").bytes == Array(bytes.prefix(10)))
    try bench.ftool("raid scrub m0.img --repair never")
    try bench.ftool("raid write m0.img", ends: 75, input: [1])
    #expect(try bench.ftool("raid status m0.img").output.contains("a running ftool reads it"))
    #expect(try bench.ftool("raid wait m0.img").output.hasPrefix("nothing runs"))
    reader.signal(9)
    #expect(try bench.ftool("raid write m0.img --wait 10s", input: [1]).status == 0)
  }

  @Test func `who reads changes nothing, whatever there is to mend`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    var scrub = try bench.start("raid scrub m0.img --rate 1M")
    #expect(try bench.waitForJob())
    scrub.signal(9)
    _ = try scrub.finish()
    for member in ["m0.img", "m1.img", "m2.img"] { try bench.markUnclean(member) }
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 3_997_696, [1, 2, 3])
    // In doubt, damaged, and interrupted: many reasons to write.
    let before = try bench.snapshot()
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    try bench.ftool("raid status m0.img --test", ends: 2)
    try bench.ftool("raid list")
    try bench.ftool("raid examine m0.img m1.img m2.img")
    try bench.ftool("raid wait m0.img")
    try bench.ftool("raid scrub m0.img --repair never", ends: 4)
    for line in [
      "write m0.img", "scrub m0.img", "rebuild m0.img", "fail m0.img --member m1.img --force",
      "wipe m1.img", "replace m0.img --member m1.img --onto new.img",
      "add m0.img --new new.img", "rebuild m0.img --member m1.img --onto new.img",
    ] {
      if line.contains("new.img"), !Files.exists(bench.folder.path("new.img")) { continue }
      let run = try bench.shell("printf x | ftool raid \(line) --dry-run")
      #expect([0, 4].contains(run.status), run.remark)
    }
    #expect(try bench.snapshot() == before)
    // The times of the files tell the same.
    let touched = try bench.shell(
      "touch -d 2020-01-01 m?.img; ftool raid read m0.img > out; find . -name 'm?.img' -newermt 2020-01-02"
    )
    #expect(touched.output == "", touched.remark)
  }
}
