import FToolTestSupport
import LinuxSystem
import Testing

/// Disks that are full, files that may not be written, members that the kernel has.
@Suite struct EnvironmentTests {
  @Test func `a full disk is told, and what was written before is intact`() throws {
    guard Machine.userID == 0 else { return }
    let bench = try Workbench()
    let mounted = try bench.shell("mkdir small && mount -t tmpfs -o size=9M tmpfs small")
    guard mounted.status == 0 else { return }  // not where mounting is forbidden
    defer { _ = try? BuiltTool.run(program: "umount", [bench.folder.path("small")]) }
    let members = "small/m0.img small/m1.img small/m2.img"
    try bench.ftool("raid create photos \(members) --make 12M --level 5 --chunk 64K --journal none")
    let bytes = Workbench.noise(1_000_000)
    try bench.ftool("raid write small/m0.img", input: bytes)
    let full = try bench.ftool(
      "raid write small/m0.img --offset 4M", ends: 74, input: Workbench.noise(12_000_000))
    #expect(full.error.contains("there is no room for member small/m"), full.remark)
    #expect(full.error.contains("hint: make room"))
    #expect(try bench.ftool("raid read small/m0.img --length \(bytes.count)").bytes == bytes)
    let status = try bench.ftool("raid status small/m0.img --test --json", ends: 2).json
    #expect(status["state"] == .string("in-doubt") && status["degraded_slots"] == .array([]))
    let room = try bench.shell("mount -o remount,size=64M small && ftool raid scrub small/m0.img")
    #expect(room.status == 0 || room.status == 1, room.remark)
    #expect(!room.output.contains("cannot be known"), room.remark)
    try bench.ftool("raid status small/m0.img --test")
    #expect(try bench.ftool("raid read small/m0.img --length \(bytes.count)").bytes == bytes)
  }

  @Test func `files that may not be written or read need a permission`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    #expect(try bench.shell("chmod 444 m?.img; chmod 755 .").status == 0)
    func asNobody(_ line: String) throws -> Workbench.Run {
      // Root may do anything: another user must ask.
      guard Machine.userID == 0 else { return try bench.shell(line) }
      let wrapped = try bench.shell(
        "cp '\(try BuiltTool.path)' tool && chmod 755 tool && HOME=/nonexistent XDG_STATE_HOME= "
          + "setpriv --reuid=65534 --regid=65534 --clear-groups "
          + line.replacingTool(with: "./tool"))
      return wrapped
    }
    let read = try asNobody("ftool raid read m0.img --length 1000")
    guard read.status != 127, read.status != 126 else { return }  // no setpriv here
    #expect(read.status == 0 && read.bytes == Array(bytes.prefix(1000)), read.remark)
    for line in [
      "ftool raid scrub m0.img", "ftool raid wipe m0.img -y",
      "ftool raid fail m0.img --member m1.img",
    ] {
      let run = try asNobody(line)
      #expect(run.status == 77, run.remark)
      #expect(run.error.contains("m0.img: open: Permission denied"), run.remark)
    }
    #expect(try asNobody("ftool raid status m0.img --test").status == 0)
    #expect(try bench.shell("chmod 000 m0.img").status == 0)
    let hidden = try asNobody("ftool raid read m0.img")
    #expect(hidden.status == 77, hidden.remark)
    if Machine.userID == 0 { try bench.ftool("raid status m0.img --test") }
  }

  @Test(.enabled(if: LoopDevice.isAvailable, "needs root and a free loop device"))
  func `a member that backs a loop device is not written`() throws {
    let bench = try Workbench()
    let bytes = try bench.makeFilledArray()
    let loop = try LoopDevice(bench.folder.path("m1.img"))
    for line in [
      "raid write m0.img", "raid scrub m0.img", "raid wipe m1.img --yes",
      "raid fail m0.img --member m2.img",
    ] {
      let run = try bench.ftool(line, ends: 75, input: [1])
      #expect(run.error.contains("m1.img is in use: it backs the loop device loop"), run.remark)
    }
    #expect(try bench.ftool("raid read m0.img --length \(bytes.count)").bytes == bytes)
    #expect(
      try bench.ftool("raid status m0.img --test").output.contains("it backs the loop device"))
    // A block device is a member like any other.
    let read = try bench.ftool("raid read m0.img \(loop.path) m2.img --length \(bytes.count)")
    #expect(read.bytes == bytes)
  }
}

extension String {
  fileprivate func replacingTool(with path: String) -> String {
    hasPrefix("ftool ") ? path + dropFirst("ftool".count) : self
  }
}
