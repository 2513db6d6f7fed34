import FToolTestSupport
import LinuxSystem
import Testing

/// `raid events`, and what `status` shows of it.
@Suite struct EventsCommandTests {
  @Test func `the life of an array is told in its order`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    let data = try bench.dataOffset("m1.img")
    try bench.damage("m1.img", at: data + 8192, Workbench.noise(4096, seed: 7))
    try bench.ftool("raid scrub m0.img", ends: 1)
    try bench.ftool("raid fail m0.img --member m2.img")
    try bench.ftool("raid rebuild m0.img --member m2.img")
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.ftool("raid replace m0.img --member m0.img --onto new.img")
    let events = try bench.ftool("raid events m1.img")
    var rest = Substring(events.output)
    for words in [
      "the array was made: 3 members, ", "a scrub began",
      "a scrub finished: 1 block repaired", "1 block of m1.img in slot 1 were put right",
      "m2.img in slot 2 failed: it was declared failed", "m2.img in slot 2 came back",
      "the rebuild of m2.img in slot 2 finished", "new.img in slot 0 was added, to replace",
      "m0.img in slot 0 was removed", "new.img in slot 0 is in use now",
    ] {
      let found = rest.firstRange(of: words)
      #expect(found != nil, "\(words) in \(events.remark)")
      if let found { rest = rest[found.upperBound...] }
    }
    for line in events.output.split(separator: "\n") {
      let time = line.prefix { $0 != " " }
      #expect(time.count == 20 && time.hasSuffix("Z") && time.hasPrefix("2"), "\(line)")
    }
    #expect(events.error == "")
    let json = try bench.ftool("raid events m1.img --json").json
    let list = json["events"].elements
    #expect(json["type"] == .string("raid-events") && json["total"].number == Double(list.count))
    #expect(list.map { $0["sequence"].number } == (1...list.count).map { Double($0) })
    #expect(list.first?["kind"] == .string("created"))
    #expect(list.last?["kind"] == .string("member-replaced") && list.last?["slot"] == .number(0))
    let three = try bench.ftool("raid events m1.img -n 3").output
    #expect(events.output.hasSuffix(three) && three.split(separator: "\n").count == 3)
    #expect(try bench.ftool("raid events m1.img --since 1h").output == events.output)
    #expect(try bench.ftool("raid events m1.img --since 2001-01-01").output == events.output)
    #expect(try bench.ftool("raid events m1.img --since 2999-01-01T00:00:00Z").output == "")
    // The members that are left have all of it.
    try bench.remove("m1.img")
    #expect(try bench.ftool("raid events new.img").output == events.output)
  }

  @Test func `status shows what matters lately, and what to do`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "6", members: 4)
    #expect(!(try bench.ftool("raid status m0.img").output.contains("Lately:")))
    try bench.ftool("raid fail m0.img --member m2.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("Lately:"), status.remark)
    #expect(status.output.contains("Z  m2.img in slot 2 failed: it was declared failed"))
    #expect(status.output.contains("\nWhat to do:"), status.remark)
    #expect(status.output.contains("  ftool raid rebuild m0.img --member m2.img"), status.remark)
    let json = try bench.ftool("raid status m0.img --json").json
    #expect(json["recent_events"][0]["kind"] == .string("member-failed"))
    #expect(json["recent_events"][0]["member"] == .string("m2.img"))
    // Too many are gone: what is there is safe, and what to do about it.
    try bench.remove("m0.img")
    try bench.remove("m1.img")
    let lost = try bench.ftool("raid status m3.img")
    for words in [
      "cannot be started: too few members: 2 are needed, and 1 is there",
      "what is on the members that are there is as it was",
      "  ftool raid read m3.img --salvage -o FILE",
      "  ftool raid read m3.img --salvage --force -o FILE",
      "do not make another array",
      "Not there:   \(bench.folder.path)/m0.img, \(bench.folder.path)/m1.img",
    ] { #expect(lost.output.contains(words), "\(words) in \(lost.remark)") }
  }

  @Test func `a crash is in the history`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    for member in ["m0.img", "m1.img", "m2.img"] { try bench.markUnclean(member) }
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("in doubt: it was not closed properly"), status.remark)
    #expect(status.output.contains("everything else is as it was"), status.remark)
    try bench.ftool("raid scrub m0.img")
    let events = try bench.ftool("raid events m0.img").output
    #expect(events.contains("it was not closed properly before: "))
    #expect(events.contains("a resync finished"))
  }

  @Test func `a kill is told by who comes next`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(size: "12M", bytes: 8_000_000)
    var scrub = try bench.start("raid scrub m0.img --rate 2M")
    #expect(try bench.waitForJob())
    #expect(try bench.ftool("raid events m0.img").output.hasSuffix("  a scrub began\n"))
    scrub.signal(9)
    _ = try scrub.finish()
    try bench.ftool("raid scrub m0.img")
    let events = try bench.ftool("raid events m0.img").output
    #expect(events.contains("  a scrub was interrupted after "), "\(events)")
    #expect(events.hasSuffix("  a scrub finished\n"), "\(events)")
  }

  @Test func `refuses what makes no sense, and knows arrays without a history`() throws {
    let bench = try Workbench()
    try bench.makeArray("--sums none")
    let none = try bench.ftool("raid events m0.img")
    #expect(none.output == "" && none.error.contains("no room for a history"), none.remark)
    #expect(try bench.ftool("raid events m0.img --json").json["total"] == .number(0))
    for wrong in ["-n 0", "-n x", "--since yesterday", "--since 2026-02-30", "--since 5"] {
      try bench.ftool("raid events m0.img \(wrong)", ends: 64)
    }
    try bench.ftool("raid events nothing.img", ends: 66)
    try bench.ftool("raid create other x0.img x1.img --make 6M")
    try bench.ftool("raid events m0.img x0.img", ends: 64)
    // A ring of anything is passed over.
    try bench.shellOK("rm *.img")
    try bench.makeArray()
    let before = try bench.ftool("raid events m0.img").output
    try bench.shellOK(
      "grep -abo EVNT m1.img | head -1 | cut -d: -f1 > at; "
        + "dd if=/dev/urandom of=m1.img bs=1 seek=$(cat at) count=700 conv=notrunc status=none")
    #expect(try bench.ftool("raid events m0.img").output == before)
    try bench.ftool("raid scrub m0.img")
    try bench.ftool("raid status m0.img --test")
  }
}
