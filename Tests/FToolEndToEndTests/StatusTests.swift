import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct StatusTests {
  @Test func `says all of a healthy array at a glance`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "6", members: 4, "--bitmap internal")
    let status = try bench.ftool("raid status m0.img")
    for words in [
      "here:photos", "raid6, left-symmetric, 4 members, chunks of 64 KiB, metadata 1.2",
      "State:       healthy", "survives the loss of 2 members", "sums are valid",
      "Bitmap:      internal, nothing marked", "Last scrub:  never", "Errors:      none",
    ] {
      #expect(status.output.contains(words), status.remark)
    }
    for slot in 0..<4 { #expect(status.output.contains("   \(slot)  m\(slot).img  in sync")) }
    #expect(status.error == "")
    let json = try bench.ftool("raid status m0.img --json --test").json
    #expect(json["state"] == .string("healthy") && json["startable"] == .bool(true))
    #expect(json["losses_left"] == .number(2) && json["slots"] == .number(4))
    #expect(json["sums"] == .string("valid") && json["bitmap"] == .string("internal"))
    #expect(
      json["members"].elements.map { $0["state"].string } == .init(repeating: "in-sync", count: 4))
    #expect(json["marked_bytes"] == .number(0))
    #expect(json["members"][0]["bad_blocks"] == .null)
    #expect(json["operation"] == .null && json["in_use"]["writing"] == .bool(false))
    #expect(json["advice"] == .array([]))
  }

  @Test func `tells what the bitmap has marked`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray("--bitmap internal")
    try bench.ftool("raid fail m0.img --member m1.img")
    try bench.ftool("raid write m0.img", input: Workbench.noise(100_000, seed: 2))
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("Bitmap:      internal, "), status.remark)
    #expect(status.output.contains(" % marked: 64 KiB of "), status.remark)
    let json = try bench.ftool("raid status m0.img --json").json
    #expect(json["marked_bytes"] == .number(65_536))
  }

  @Test func `tells which blocks md lists as bad`() throws {
    let bench = try Workbench()
    let archive =
      Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))
      + "/Tests/Golden/arrays/raid5-3-badblocks.tar.zst"
    #expect(try bench.shell("tar --zstd -xf \(archive) --strip-components 1").status == 0)
    let status = try bench.ftool("raid status m0.img")
    let words =
      "in sync, 2 ranges listed as bad: 8 KiB at byte 4194304, 4 KiB at byte 9191424"
    #expect(status.output.contains(words), status.remark)
    let members = try bench.ftool("raid status m0.img --json").json["members"]
    #expect(members[0]["bad_blocks"] == .null)
    #expect(members[1]["bad_blocks"].elements.count == 2)
    #expect(members[1]["bad_blocks"][0]["member_offset"] == .number(4_194_304))
    #expect(members[1]["bad_blocks"][0]["bytes"] == .number(8192))
  }

  @Test func `finds the array by its name, a member, all members, or in another folder`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    for operand in ["photos", "here:photos", "m1.img", "m0.img m1.img m2.img", "./m2.img"] {
      let json = try bench.ftool("raid status \(operand) --json --test").json
      #expect(json["members"].elements.count == 3)
    }
    let moved = try bench.shell(
      "mkdir there && mv m1.img there && ftool raid status m0.img there/m1.img --test")
    #expect(moved.status == 2, moved.remark)
    #expect(try bench.shell("ftool raid status m0.img --scan there --test").status == 0)
    // What was used before is remembered, wherever one is.
    #expect(try bench.shell("cd there && ftool raid status m1.img --scan .. --test").status == 0)
    try bench.ftool("raid read m0.img --scan there --length 1")
    #expect(try bench.shell("cd / && ftool raid status photos --test").status == 0)
    try bench.ftool("raid status pictures", ends: 66)
  }

  @Test func `names the missing member and what to do`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    let members = try bench.ftool("raid status m0.img --json").json["members"]
    let id = try #require(members[1]["uuid"].string)
    try bench.remove("m1.img")
    let status = try bench.ftool("raid status photos")
    #expect(status.output.contains("degraded, every byte is still there"), status.remark)
    #expect(status.output.contains("none left"))
    #expect(status.output.contains("1  -       missing: it was member \(id)"), status.remark)
    #expect(status.output.contains("ftool raid rebuild photos --onto NEW"), status.remark)
    try bench.ftool("raid status photos --test", ends: 2)
    let json = try bench.ftool("raid status photos --test --json", ends: 2).json
    #expect(json["state"] == .string("degraded") && json["degraded_slots"] == .array([.number(1)]))
    #expect(json["members"][1]["uuid"] == .string(id))
    // Naming a file that is gone tells the same.
    try bench.ftool("raid status m0.img m1.img m2.img --test", ends: 2)
  }

  @Test func `describes what cannot be started`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(
      status.output.contains("State:       cannot be started: too few members"), status.remark)
    #expect(status.output.contains("0  m0.img  in sync"))
    #expect(status.output.contains("missing: it was member"))
    try bench.ftool("raid status m0.img --test", ends: 4)
    let json = try bench.ftool("raid status m0.img --test --json", ends: 4).json
    #expect(json["startable"] == .bool(false) && json["state"] == .string("not-startable"))
    #expect(json["reason"].string?.contains("too few members") == true)
  }

  @Test(arguments: [("linear", 2), ("0", 3)])
  func `needs every member where there is no redundancy`(level: String, members: Int) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: level, members: members, bytes: 100_000)
    let healthy = try bench.ftool("raid status m0.img --test")
    #expect(healthy.output.contains("every member is needed"), healthy.remark)
    try bench.remove("m1.img")
    try bench.ftool("raid status m0.img --test", ends: 4)
  }

  @Test func `counts for mirrored stripes what any further loss may cost`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "10", members: 4)
    func left(_ operand: String, ends: Int32) throws -> Double? {
      try bench.ftool("raid status \(operand) --json --test", ends: ends).json["losses_left"].number
    }
    #expect(try left("m0.img", ends: 0) == 1)
    #expect(try left("m0.img m1.img m2.img", ends: 2) == 0)
    #expect(try left("m0.img m2.img", ends: 2) == 0)
    #expect(try left("m0.img m1.img", ends: 4) == nil)
  }

  @Test func `counts errors and tells of blocks that stay wrong`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 8192, Workbench.noise(4096, seed: 7))
    try bench.ftool("raid scrub m0.img", ends: 1)
    let json = try bench.ftool("raid status m0.img --test --json").json
    #expect(json["damaged_blocks"] == .number(1) && json["repaired_blocks"] == .number(1))
    #expect(json["members"][1]["damaged_blocks"] == .number(1))
    #expect(json["members"][0]["damaged_blocks"] == .number(0))
    #expect(json["last_scrub"].string?.hasSuffix("Z") == true)
    for member in ["m0.img", "m1.img"] {
      try bench.damage(member, at: data + 65536, Workbench.noise(4096, seed: 8))
    }
    try bench.ftool("raid scrub m0.img", ends: 4)
    let status = try bench.ftool("raid status m0.img --test", ends: 4)
    #expect(status.output.contains("State:       damaged"), status.remark)
  }

  @Test func `tells that another system wrote`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    // As a kernel does it: the update time loses its high bits, and the checksum follows.
    for member in ["m0.img", "m1.img", "m2.img"] { try bench.touchAsKernel(member) }
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("sums are stale"), status.remark)
    #expect(status.output.contains("ftool raid scrub m0.img"))
    try bench.ftool("raid scrub m0.img")
    #expect(try bench.ftool("raid status m0.img").output.contains("sums are valid"))
  }

  @Test func `knows no array where there is none`() throws {
    let bench = try Workbench()
    try bench.folder.sparseFile("plain.img", byteCount: 1 << 20)
    let plain = try bench.ftool("raid status plain.img", ends: 66)
    #expect(plain.error.contains("plain.img is not a member of an array"), plain.remark)
    try bench.ftool("raid status plain.img --test", ends: 66)
    try bench.ftool("raid status nothing.img", ends: 66)
    try bench.ftool("raid status", ends: 64)
    try bench.makeArray()
    try bench.ftool("raid create other x0.img x1.img --make 6M")
    let mixed = try bench.ftool("raid status m0.img x0.img", ends: 64)
    #expect(mixed.error.contains("different arrays"), mixed.remark)
    try bench.ftool("raid status m0.img m0.img", ends: 64)
  }

  @Test func `a damaged superblock is told with its member`() throws {
    let bench = try Workbench()
    try bench.makeArray()
    try bench.damage("m1.img", at: 4096 + 50, [9, 9, 9])
    let alone = try bench.ftool("raid status m1.img", ends: 78)
    #expect(alone.error.contains("the superblock of m1.img cannot be used"), alone.remark)
    try bench.ftool("raid status m1.img --test", ends: 4)
    let all = try bench.ftool("raid status m0.img m1.img m2.img --test", ends: 2)
    #expect(all.output.contains("m1.img  not usable"), all.remark)
  }

  @Test func `follows a job and shows it when it changes`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    var scrub = try bench.start("raid scrub m0.img --rate 2M")
    #expect(try bench.waitForJob())
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("a scrub runs"), status.remark)
    #expect(status.output.contains("a running ftool writes to it"))
    #expect(status.output.contains("ftool raid wait m0.img"))
    let json = try bench.ftool("raid status m0.img --json --test").json
    #expect(
      json["operation"]["name"] == .string("scrub") && json["in_use"]["writing"] == .bool(true))
    #expect(json["operation"]["total_bytes"].number ?? 0 > 0)
    var watch = try bench.start("raid status m0.img --watch")
    let sawRunning = watch.waitForOutput("a scrub runs")
    #expect(sawRunning)
    scrub.signal(9)
    let end = try scrub.finish().end
    #expect(end == .signalled(9))
    let sawInterrupted = watch.waitForOutput("was interrupted")
    #expect(sawInterrupted)
    watch.signal(2)
    let watched = try watch.finish()
    #expect(watched.status == 130)
    // It was killed, and leaves nothing in doubt.
    let after = try bench.ftool("raid status m0.img --test --json").json
    #expect(after["state"] == .string("healthy") && after["clean"] == .bool(true))
    #expect(after["operation"]["phase"] == .string("interrupted"))
    try bench.ftool("raid scrub m0.img")
    try bench.ftool("raid status m0.img --test")
  }
}

extension Workbench {
  /// Writes a superblock as a kernel would: with an update time that has no high bits.
  func touchAsKernel(_ member: String) throws {
    try changeSuperblock(member) { block in
      for index in 197..<200 { block[index] = 0 }
    }
  }

  /// Writes a superblock that says that the array was not closed.
  func markUnclean(_ member: String) throws {
    try changeSuperblock(member) { block in
      for index in 208..<216 { block[index] = 0 }
      // An event more than the bitmap has seen.
      block[200] += 2
    }
  }

  private func changeSuperblock(_ member: String, _ change: (inout [UInt8]) -> Void) throws {
    var block = Array(try contents(member)[4096..<4096 + 512])
    change(&block)
    for index in 216..<220 { block[index] = 0 }
    let words = 256 / 4 + 128 * 2 / 4
    var sum: UInt64 = 0
    for word in 0..<words {
      sum += (0..<4).reduce(0) { $0 | UInt64(block[word * 4 + $1]) << UInt64(8 * $1) }
    }
    let folded = UInt32(truncatingIfNeeded: (sum & 0xffff_ffff) + (sum >> 32))
    for index in 0..<4 {
      block[216 + index] = UInt8(truncatingIfNeeded: folded >> UInt32(8 * index))
    }
    try damage(member, at: 4096, block)
  }
}
