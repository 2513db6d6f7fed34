import FToolTestSupport
import LinuxSystem
import Testing

/// Where members are is remembered, and what was one and tells nothing any more is missed by its path.
@Suite struct RegistryTests {
  /// The paths that are remembered of the only array.
  private func paths(_ bench: borrowing Workbench) throws -> [String] {
    let text = String(decoding: try bench.contents("state/ftool/arrays"), as: UTF8.self)
    return text.split(separator: "\n").flatMap { $0.split(separator: "\t").dropFirst(2) }
      .map { String($0.split(separator: "/").last ?? "") }.sorted()
  }

  @Test func `members that are not given stay known`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    #expect(try bench.shell("mkdir z && mv m1.img m2.img z/").status == 0)
    try bench.ftool("raid read m0.img z/m1.img z/m2.img --length 1")
    // Two of three, and then the third by the array's name alone.
    try bench.ftool("raid write m0.img z/m2.img --degraded", input: [bytes[0]])
    let status = try bench.ftool("raid status photos")
    #expect(status.output.contains("z/m1.img  out of date"), status.remark)
    try bench.ftool("raid rebuild photos")
    #expect(try bench.shell("cd / && ftool raid read photos --length 3000000").bytes == bytes)
    // One whose folder is away for a while, too.
    #expect(try bench.shell("mv z y").status == 0)
    try bench.ftool("raid read m0.img y/m1.img --length 1")
    #expect(try bench.shell("mv y z").status == 0)
    try bench.ftool("raid status photos --test")
  }

  @Test func `what is none any more is forgotten`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(try paths(bench) == ["m0.img", "m1.img", "m2.img"])
    try bench.ftool("raid wipe m1.img -y")
    try bench.ftool("raid read m0.img --length 1")
    #expect(try paths(bench) == ["m0.img", "m2.img"])
    // One that went over to another array is that one's.
    try bench.folder.sparseFile("x.img", byteCount: 6 << 20)
    try bench.ftool("raid create other m2.img x.img --level 1 --force -y")
    #expect(try paths(bench) == ["m0.img", "m2.img", "x.img"])
    try bench.ftool("raid status photos", ends: 0)
    #expect(try bench.ftool("raid list").output.contains("other"))
  }

  @Test(arguments: [0, 5000, 10_000, 2 << 20], ["1.0", "1.1", "1.2"])
  func `a member that is cut short is named, with how much is missing`(
    byteCount: Int, version: String
  ) throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray("--metadata \(version)")
    #expect(try bench.shell("truncate -s \(byteCount) m1.img").status == 0)
    // Once is not enough: it stays known.
    for _ in 0..<2 {
      for line in ["raid read m0.img --length \(bytes.count)", "raid list", "raid scrub m0.img -n"]
      {
        let run = try bench.ftool(line)
        let words = run.error.split(separator: "\n").filter { $0.contains("m1.img") }
        #expect(
          words.count == 1 && words[0].contains("m1.img is shorter than it should be: it has ")
            && words[0].contains(" or more are missing"), run.remark)
        if line.contains("read") { #expect(run.bytes == bytes) }
      }
      let status = try bench.ftool("raid status m0.img --test", ends: 2)
      #expect(status.output.contains("m1.img  not usable: "), status.remark)
      #expect(status.output.contains("shorter than it should be"), status.remark)
    }
  }

  @Test(
    .enabled(if: SomebodyElse.isPossible, "needs root, setpriv, and a build that others may read"))
  func `a member that may not be opened is no missing one`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(
      try bench.shell(
        "chmod 777 . m*.img state state/ftool; chmod 666 state/ftool/*; chmod 0 m1.img"
      ).status == 0)
    let ftool = "\(SomebodyElse.command) \"\(try BuiltTool.path)\" raid"
    for line in [
      "write photos <<< x", "read m0.img --length 1", "scrub m0.img",
      "rebuild m0.img",
    ] {
      let run = try bench.shell("\(ftool) \(line)")
      #expect(run.status == 77, run.remark)
      #expect(run.error.contains("m1.img: open: Permission denied"), run.remark)
      #expect(run.error.contains("ftool: hint: look at its owner and mode"), run.remark)
    }
    let status = try bench.shell("\(ftool) status m0.img --test")
    #expect(status.status == 2, status.remark)
    #expect(status.output.contains("m1.img  not usable: open: Permission denied"), status.remark)
    // A new member in its place would give up a sound one.
    #expect(status.output.contains("m1.img, which may be all that is missing:"), status.remark)
    #expect(!status.output.contains("--onto"), status.remark)
    // Who names the others goes without it.
    let run = try bench.shell("\(ftool) read m0.img m2.img --length 1")
    #expect(run.status == 0, run.remark)
    #expect(try bench.shell("chmod 666 m1.img").status == 0)
    try bench.ftool("raid status m0.img --test")
  }

  @Test func `a member that is cut short is found by its superblock alone`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    #expect(try bench.shell("truncate -s 2M m1.img").status == 0)
    let run = try bench.shell("XDG_STATE_HOME=$PWD/none ftool raid read m0.img --length 1")
    #expect(
      run.error.contains("m1.img is shorter than it should be: it has 2 MiB of at least "),
      run.remark)
  }
}
