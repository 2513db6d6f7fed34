import FToolTestSupport
import LinuxSystem
import Testing

/// `raid read --salvage` as people run it when more is lost than the redundancy bears.
@Suite struct SalvageCommandTests {
  @Test(arguments: [
    ("5", 4, [1, 2]), ("6", 5, [0, 2, 4]), ("10", 4, [0, 1]), ("linear", 3, [1]), ("0", 3, [2]),
    ("4", 4, [0, 3]), ("ec:3+3", 6, [0, 1, 2, 3]),
  ])
  func `gives everything that is left, and fills up when members come back`(
    level: String, members: Int, gone: [Int]
  ) throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray(level: level, members: members)
    let size = try #require(
      bench.ftool("raid status m0.img --json").json["bytes"].number.map { Int($0) })
    let array = data + [UInt8](repeating: 0, count: size - data.count)
    // Elsewhere: beside the others they would be found under any name.
    try bench.shellOK("mkdir away")
    for slot in gone { try bench.move("m\(slot).img", "away/m\(slot).img") }
    let left = (0..<members).first { !gone.contains($0) }!
    try bench.ftool("raid read m\(left).img -o normal", ends: 66)
    let before = try bench.snapshot().filter { $0.key.hasSuffix(".img") }
    let run = try bench.ftool("raid read m\(left).img --salvage -o out", ends: 65)
    #expect(run.error.contains("of the array are lost; out.map says where"), run.remark)
    #expect(run.output.contains("Lost:  "), run.remark)
    let map = try ParsedMap(bench.contents("out.map"))
    let out = try bench.contents("out")
    #expect(out.count == size && map.end == size)
    for (range, status) in map.pieces {
      // What is lost is a hole.
      let isRight =
        status == "+"
        ? out[range].elementsEqual(array[range]) : out[range].allSatisfy { $0 == 0 }
      #expect(isRight && "+-".contains(status), "\(range) \(status)")
    }
    #expect(map.byteCount("+") > size / 8 && map.byteCount("-") > 0)
    // The same to a pipe: nothing is shifted.
    let piped = try bench.shell(
      "ftool raid read m\(left).img --salvage 2>/dev/null | cmp - out; echo ${PIPESTATUS[*]}")
    #expect(piped.output == "65 0\n", piped.remark)
    #expect(try bench.snapshot().filter { $0.key.hasSuffix(".img") } == before)
    // One comes back, which is enough, and then all.
    try bench.move("away/m\(gone[0]).img", "m\(gone[0]).img")
    let second = try bench.ftool("raid read m\(left).img --salvage -o out")
    #expect(try ParsedMap(bench.contents("out.map")).byteCount("+") == size, second.remark)
    let isFilled = try bench.contents("out") == array
    #expect(isFilled)
    for slot in gone.dropFirst() { try bench.move("away/m\(slot).img", "m\(slot).img") }
    let last = try bench.ftool("raid read m\(left).img --salvage -o out --json").json
    #expect(last["complete"] == .bool(true) && last["lost_bytes"] == .number(0))
    #expect(last["rescued_bytes"] == .number(Double(size)) && last["map"] == .string("out.map"))
    let isWhole = try bench.contents("out") == array
    #expect(isWhole)
    #expect(try ParsedMap(bench.contents("out.map")).pieces.map(\.status) == ["+"])
  }

  @Test func `counts what is lost, to the block`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray()
    let start = try bench.dataOffset("m0.img")
    // Two of three members have lost the same block of two rows.
    for (member, seed) in [("m0.img", UInt64(3)), ("m1.img", 4)] {
      try bench.damage(member, at: start + 8192, Workbench.noise(4096, seed: seed))
      try bench.damage(member, at: start + 70_000, Workbench.noise(9, seed: seed))
    }
    let run = try bench.ftool("raid read m0.img --salvage -o out --json", ends: 65).json
    let result = run["result"]
    #expect(run["code"] == .number(65) && result["complete"] == .bool(false))
    let map = try ParsedMap(bench.contents("out.map"))
    #expect(result["lost_bytes"].number == Double(map.byteCount("-")))
    #expect(result["lost_pieces"].number == Double(map.pieces.count { $0.status == "-" }))
    #expect(map.byteCount("-") <= 4 * 4096)
    let out = try bench.contents("out")
    for (range, status) in map.pieces where status == "+" {
      let known = range.clamped(to: 0..<data.count)
      #expect(out[known].elementsEqual(data[known]))
    }
    let text = try bench.shell("ftool raid read m0.img --salvage -o again")
    #expect(
      text.status == 65 && text.error.contains("4 KiB (4096 bytes) in 1 piece")
        || text.error.contains(" pieces of the array are lost; again.map says where"), text.remark)
  }

  @Test func `a whole array is read whole, at any offset`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray()
    let whole = try bench.shell(
      "ftool raid read m0.img --salvage | cmp -n 3000000 - data || exit 9")
    #expect(whole.status == 9)  // there is no file data
    try bench.write("data", data)
    #expect(try bench.shell("ftool raid read m0.img --salvage | cmp -n 3000000 - data").status == 0)
    let part = try bench.ftool("raid read m0.img --salvage --offset 1000 --length 2000")
    #expect(part.bytes == Array(data[1000..<3000]))
    // In a file everything is at its place, and what is outside has not been tried.
    try bench.ftool("raid read m0.img --salvage --offset 100000 --length 200000 -o out")
    let map = try ParsedMap(bench.contents("out.map"))
    #expect(map.pieces.map(\.status) == ["?", "+", "?"])
    #expect(map.pieces[1].range == 100_000..<300_000)
    #expect(try Array(bench.contents("out")[100_000..<300_000]) == Array(data[100_000..<300_000]))
    try bench.ftool("raid read m0.img --salvage -o out")
    #expect(try Array(bench.contents("out").prefix(data.count)) == data)
    try bench.ftool("raid read m0.img --salvage --offset 1T", ends: 64)
  }

  @Test func `keeps what the file has where nothing better comes`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    let map = try ParsedMap(bench.contents("out.map"))
    let lost = try #require(map.pieces.first { $0.status == "-" }).range
    // Somebody has found some of it elsewhere.
    try bench.damage("out", at: lost.lowerBound, Workbench.noise(100, seed: 8))
    try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    let out = try bench.contents("out")
    #expect(Array(out[lost.lowerBound..<lost.lowerBound + 100]) == Workbench.noise(100, seed: 8))
  }

  @Test func `takes members out of date only when forced, and says so`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray()
    try bench.shellOK("cp m2.img old")
    try bench.ftool("raid fail m0.img --member m2.img")
    try bench.ftool("raid write m0.img", input: Workbench.noise(4096, seed: 9))
    try bench.shellOK("mv old m2.img; rm m1.img")
    let strict = try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    #expect(strict.error.contains("m2.img is not used: "), strict.remark)
    let forced = try bench.ftool("raid read m0.img --salvage -o out --force")
    #expect(
      forced.error.contains("may be old or wrong: the map marks them with '/'"), forced.remark)
    #expect(forced.output.contains("In doubt:  "))
    let map = try ParsedMap(bench.contents("out.map"))
    #expect(map.byteCount("-") == 0 && map.byteCount("/") > 0)
    let out = try bench.contents("out")
    let afterChange = 200_000..<data.count
    #expect(Array(out[afterChange]) == Array(data[afterChange]))
    // Without force it is not whole, and stays as it is.
    try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    #expect(try bench.contents("out") == out)
    #expect(try ParsedMap(bench.contents("out.map")).byteCount("/") == map.byteCount("/"))
  }

  @Test func `refuses maps and files that do not belong together`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.remove("m1.img")
    try bench.remove("m2.img")
    try bench.ftool("raid read m0.img --salvage -o out", ends: 65)
    try bench.shellOK("cp out.map good.map; cp out out.bak")
    func refuse(_ line: String, _ status: Int32, _ words: String) throws {
      let before = try bench.snapshot()
      let run = try bench.ftool(line, ends: status)
      #expect(run.error.contains(words), run.remark)
      #expect(try bench.snapshot() == before)
    }
    try refuse("raid read m0.img --salvage -o other --map good.map", 66, "other")
    try refuse("raid read m0.img --salvage -o out --map new.map", 73, "out is there already")
    try refuse("raid read m0.img --salvage --map good.map", 73, "standard output cannot be gone on")
    try refuse("raid read m0.img --salvage -o out --map out", 64, "cannot be the map")
    try refuse("raid read m0.img --salvage -o out2 --map m0.img", 64, "is a member")
    try refuse("raid read m0.img --salvage -o m0.img", 64, "is a member")
    try refuse("raid read m0.img --salvage --repair", 64, "--salvage only reads")
    try refuse("raid read m0.img --map x", 64, "--map is for --salvage")
    try bench.shellOK("sed -i 's/Array: ..../Array: 0000/' out.map")
    try refuse("raid read m0.img --salvage -o out", 73, "is the map of another array")
    try bench.shellOK("grep -v Array good.map > out.map")
    try refuse("raid read m0.img --salvage -o out", 73, "does not say which array")
    try bench.shellOK("head -n -1 good.map > out.map")
    try refuse("raid read m0.img --salvage -o out", 73, "out.map tells of ")
    try bench.shellOK("sed '9s/^0x/0y/' good.map > out.map")
    try refuse("raid read m0.img --salvage -o out", 65, "out.map is no map: line 9 ")
    try bench.shellOK("tail -c 100000 m0.img > out.map")
    try refuse("raid read m0.img --salvage -o out", 65, "out.map is no map: line 1 ")
    try bench.shellOK("cp good.map out.map; truncate -s 1000 out")
    try refuse("raid read m0.img --salvage -o out", 64, "out is too small")
  }

  @Test func `a member that lost its end gives what is left`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray(level: "0", members: 2)
    let start = try bench.dataOffset("m1.img")
    try bench.shellOK("truncate -s \(start + 1_000_000) m1.img")
    let run = try bench.ftool("raid read m0.img m1.img --salvage -o out", ends: 65)
    #expect(run.error.contains("m1.img has lost its end, "), run.remark)
    let map = try ParsedMap(bench.contents("out.map"))
    let out = try bench.contents("out")
    #expect(map.pieces[0].status == "+" && map.pieces[0].range.count > 1_900_000)
    for (range, status) in map.pieces where status == "+" {
      let known = range.clamped(to: 0..<data.count)
      #expect(out[known].elementsEqual(data[known]))
    }
  }

  @Test func `a layout that is said is salvaged, too`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray(level: "linear", members: 3)
    let start = try bench.dataOffset("m0.img")
    let json = try bench.ftool("raid examine m0.img --json").json
    #expect(json.has("members") || json.has("type"))
    let size = 3 << 20
    try bench.ftool(
      "raid read m0.img missing m2.img --assume level=linear,data-offset=\(start),size=\(size) "
        + "--salvage -o out", ends: 65)
    let map = try ParsedMap(bench.contents("out.map"))
    #expect(map.pieces.map(\.range) == [0..<size, size..<2 * size, 2 * size..<3 * size])
    #expect(map.pieces.map(\.status) == ["+", "-", "+"])
    let count = min(size, data.count)
    #expect(try Array(bench.contents("out").prefix(count)) == Array(data.prefix(count)))
  }

  /// One superblock tells the size of another member that is as large.
  @Test(arguments: ["linear", "0"]) func `one superblock is enough`(_ level: String) throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray(
      level: level, members: 2, size: "4M", bytes: 5_300_000, "--data-offset 1M")
    try bench.damage("m0.img", at: 4096, [UInt8](repeating: 0, count: 4096))
    let found = try bench.ftool("raid recover m0.img m1.img")
    let advice = try #require(
      found.output.split(separator: "\n").first { $0.contains("ftool raid read --assume") })
    #expect(try bench.shell(String(advice)).status == 0, found.remark)
    #expect(try bench.contents("array.img").prefix(data.count).elementsEqual(data))
  }

  @Test func `is interrupted, and goes on from its map`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray()
    var reader = try bench.start("raid read m0.img --salvage --map piped.map")
    try bench.waitUntilFull(reader)
    reader.signal(2)
    let outcome = try reader.finish()
    #expect(outcome.status == 130)
    #expect(try ParsedMap(bench.contents("piped.map")).byteCount("?") > 0)
    // As if it had been killed: the map knows less than the file has.
    try bench.ftool("raid read m0.img --salvage --length 500000 -o out")
    try bench.ftool("raid read m0.img --salvage -o out")
    #expect(try Array(bench.contents("out").prefix(data.count)) == data)
  }
}

/// A ddrescue map, read by its own rules.
struct ParsedMap {
  var pieces: [(range: Range<Int>, status: String)] = []
  var end: Int { pieces.last?.range.upperBound ?? 0 }

  init(_ bytes: [UInt8]) throws {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
    let status = lines[0].split(separator: " ")
    #expect(status.count == 3 && status[0].hasPrefix("0x") && status[2] == "1")
    for line in lines.dropFirst() {
      let words = line.split(separator: " ")
      let start = try #require(Int(words[0].dropFirst(2), radix: 16))
      let size = try #require(Int(words[1].dropFirst(2), radix: 16))
      #expect(start == end && size > 0)
      pieces.append((start..<start + size, String(words[2])))
    }
  }

  func byteCount(_ status: String) -> Int {
    pieces.reduce(0) { $0 + ($1.status == status ? $1.range.count : 0) }
  }
}

extension Workbench {
  func move(_ name: String, _ newName: String) throws {
    try Files.rename(folder.path(name), to: folder.path(newName))
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = try OwnedDescriptor.open(
      folder.path(name), access: .writeOnly, options: [.create, .truncate])
    let buffer = AlignedBuffer(bytes)
    try file.write(buffer.bytes, range: 0..<bytes.count, at: 0)
  }

  func shellOK(_ line: String) throws {
    let run = try shell(line)
    #expect(run.status == 0, run.remark)
  }
}

/// Images that ddrescue made of failing disks.
@Suite struct RescuedImageTests {
  /// Zeros where the disk could not be read, and the map that says so.
  private func copyBadly(_ bench: borrowing Workbench, _ member: String) throws {
    let start = try bench.dataOffset(member)
    let size = try bench.contents(member).count
    try bench.damage(member, at: start + 8192, [UInt8](repeating: 0, count: 65_536))
    let map = """
      # Mapfile. Created by GNU ddrescue version 1.27
      # Command line: ddrescue /dev/sdb \(member) \(member).map
      0x00000000     +               1
      0x00000000  \(start + 8192)  +
      \(start + 8192)  65536  -
      \(start + 73_728)  \(size - start - 73_728)  +

      """
    try bench.folder.file("\(member).map", Array(map.utf8))
  }

  @Test func `what was not rescued is computed, and never read as zeros`() throws {
    let bench = try Workbench()
    let data = try bench.makeFilledArray("--sums none")
    try copyBadly(bench, "m1.img")
    let blind = try bench.ftool("raid read m0.img --length \(data.count)")
    #expect(blind.bytes != data)
    let run = try bench.ftool("raid read m0.img --holes m1.img=m1.img.map --length \(data.count)")
    #expect(run.bytes == data, run.remark)
    // By the superblocks first, as recover says: they also know the journal, and what is out of date.
    let plain = try bench.ftool(
      "raid recover --holes m1.img=m1.img.map m0.img m1.img m2.img --json"
    ).json
    let line = try #require(plain["by_superblocks"].string)
    #expect(line.contains(" --holes m1.img=m1.img.map "), "\(line)")
    try bench.shellOK("rm -f array.img; \(line)")
    #expect(try bench.contents("array.img").prefix(data.count).elementsEqual(data))
    // Also where superblocks are forgotten, by the command that is printed.
    let start = try bench.dataOffset("m0.img")
    for member in ["m0.img", "m1.img", "m2.img"] {
      try bench.damage(member, at: 4096, [UInt8](repeating: 0, count: 4096))
    }
    let found = try bench.ftool(
      "raid recover --holes m1.img=m1.img.map -l 5 -c 64K --layout left-symmetric --data-offset \(start) "
        + "m2.img m1.img m0.img --json", ends: 65
    ).json
    let command = try #require(found["result"]["candidates"][0]["command"].string)
    #expect(command.contains(" --holes m1.img=m1.img.map "), "\(command)")
  }

  /// Nothing but its own metadata tells where the data of a mirror with random content begins.
  @Test(arguments: [("1.1", 0), ("1.2", 4096)]) func `a superblock is no content`(
    version: String, place: Int
  ) throws {
    let bench = try Workbench()
    try bench.ftool("raid create mirror m0.img m1.img --make 8M -l 1 --metadata \(version)")
    try bench.ftool("raid write m0.img", input: Workbench.noise(4_000_000, seed: 4))
    let line = "raid recover m0.img m1.img --ignore-superblocks --json"
    let found = try bench.ftool(line).json["candidates"][0]
    let start = Double(try bench.dataOffset("m0.img", superblockAt: place))
    #expect(found["data_offsets"][0] == .number(start), "\(found)")
  }

  @Test func `maps and members that do not belong together are refused`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray()
    try bench.folder.file("short.map", Array("0 + 1\n0 4096 +\n".utf8))
    try bench.folder.file("none.map", Array("hello\n".utf8))
    try bench.ftool("raid read m0.img --holes m1.img=short.map", ends: 64)
    try bench.ftool("raid read m0.img --holes m1.img=none.map", ends: 65)
    try bench.ftool("raid read m0.img --holes other=short.map", ends: 64)
    try bench.ftool("raid read m0.img --holes m1.img", ends: 64)
    try bench.ftool("raid read m0.img --repair --holes m1.img=short.map", ends: 64)
    try bench.ftool("raid recover m0.img m1.img --holes m1.img=missing.map", ends: 66)
    try bench.ftool("raid recover --force m0.img --holes m0.img=short.map", ends: 64)
  }

  /// Of members out of date the newest are asked first, and none is filled while it may be the last to know.
  @Test func `the newest that was left behind is the first to be asked`() throws {
    let bench = try Workbench()
    var bytes = try bench.makeFilledArray(level: "6", members: 5, bytes: 9_000_000)
    try bench.shellOK("mkdir away")
    func write(_ offset: Int, _ count: Int) throws {
      let new = Workbench.noise(count, seed: UInt64(offset))
      try bench.ftool("raid write m0.img --degraded --offset \(offset)", input: new)
      bytes.replaceSubrange(offset..<offset + count, with: new)
    }
    try bench.move("m1.img", "away/m1.img")
    try write(100_000, 5000)
    try bench.move("m3.img", "away/m3.img")
    try write(3_000_000, 60_000)
    for name in ["m1.img", "m3.img"] { try bench.move("away/\(name)", name) }
    try bench.move("m2.img", "away/m2.img")
    try bench.ftool(
      "raid recover --force m0.img m1.img m3.img m4.img missing --yes", ends: 3)
    try bench.move("away/m2.img", "m2.img")
    let status = try bench.ftool("raid status m0.img")
    #expect(status.output.contains("raid read m0.img --salvage --force -o FILE"), status.remark)
    for line in [
      "rebuild m0.img --member m2.img", "add m0.img --new m2.img",
      "add m0.img --new m2.img --spare",
      "replace m0.img --member m4.img --onto m2.img", "rebuild m0.img --onto m2.img",
      "remove m0.img --member m2.img",
    ] {
      let refused = try bench.ftool("raid \(line)", ends: 73)
      #expect(refused.error.contains("may be the last to have"), refused.remark)
    }
    try bench.ftool("raid read m0.img --salvage --force -o out")
    #expect(try bench.contents("out").prefix(bytes.count).elementsEqual(bytes))
    // Somebody else in its place, as the hint says, changes nothing of that.
    try bench.folder.sparseFile("new.img", byteCount: 6 << 20)
    try bench.ftool("raid rebuild m0.img --onto new.img", ends: 3)
    try bench.ftool("raid read m0.img --salvage --force -o after")
    #expect(try bench.contents("after").prefix(bytes.count).elementsEqual(bytes))
    try bench.ftool("raid add m0.img --new m2.img --spare", ends: 73)
    try bench.ftool("raid add m0.img --new m2.img --spare --force")
  }

  /// Where superblocks tell all, they are what is to be read by: they know what is out of date.
  @Test(arguments: ["m1.img m2.img", "m1.img m2.img missing", "missing m2.img m1.img"])
  func `recover gives no command that believes who is out of date`(_ operands: String) throws {
    let bench = try Workbench()
    var bytes = try bench.makeFilledArray(level: "1")
    try bench.shellOK("mkdir away")
    try bench.move("m1.img", "away/m1.img")
    let new = Workbench.noise(500_000, seed: 5)
    try bench.ftool("raid write m0.img --degraded --offset 100000", input: new)
    bytes.replaceSubrange(100_000..<600_000, with: new)
    try bench.move("away/m1.img", "m1.img")
    try bench.move("m0.img", "away/m0.img")
    let json = try bench.ftool("raid recover \(operands) --json").json
    #expect(json["stale"] == .array([]))
    for command in [json["by_superblocks"], json["candidates"][0]["command"]] {
      let line = try #require(command.string)
      try bench.shellOK("rm -f array.img; \(line)")
      #expect(try bench.contents("array.img").prefix(bytes.count).elementsEqual(bytes), "\(line)")
    }
  }

  /// Halves that went on alone differ at the end, behind which nothing agrees.
  @Test func `what differs at the end is seen where superblocks say where that is`() throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: "1", members: 2, bytes: 1_000_000)
    try bench.shellOK("mkdir away")
    for (gone, seed) in [("m1.img", 5), ("m0.img", 6)] {
      try bench.move(gone, "away/\(gone)")
      let left = gone == "m1.img" ? "m0.img" : "m1.img"
      try bench.ftool(
        "raid write \(left) --degraded --offset 1000000",
        input: Workbench.noise(500_000, seed: UInt64(seed)))
      try bench.move("away/\(gone)", gone)
    }
    let run = try bench.ftool("raid recover m0.img m1.img")
    #expect(run.error.contains("the members do not agree at "), run.remark)
  }

  @Test(arguments: [("6", 5), ("1", 3)])
  func `a member that is out of date and has lost its superblock is named`(
    _ level: String, _ members: Int
  ) throws {
    let bench = try Workbench()
    _ = try bench.makeFilledArray(level: level, members: members, "--sums none")
    try bench.ftool("raid fail m0.img --member m2.img")
    try bench.ftool("raid write m0.img", input: Workbench.noise(700_000, seed: 5))
    try bench.damage("m2.img", at: 4096, [UInt8](repeating: 0, count: 4096))
    let run = try bench.ftool("raid recover \(Workbench.names(members)) --json")
    #expect(run.error.contains("the members do not agree at "), run.remark)
    #expect(run.error.contains("m2.img is out of date or damaged there"), run.remark)
    let json = try run.json
    #expect(json["differing_places"].number ?? 0 > 0)
    #expect(json["suspects"] == .array([.string("m2.img")]))
  }
}
