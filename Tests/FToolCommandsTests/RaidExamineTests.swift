import FToolTestSupport
import LinuxSystem
import Testing

@Suite struct RaidExamineTests {
  // MARK: As mdadm says it

  private static let root = Files.directory(
    of: Files.directory(of: Files.directory(of: #filePath)))

  /// Fields of a text in any order, without what depends on where it was asked: spaces, paths of
  /// members and devices, whose host it is.
  private func fields(_ text: String) -> Set<String> {
    Set(
      text.split(separator: "\n").compactMap { line in
        if line.hasPrefix("/dev/") { return nil }
        var words = line.split(separator: " ")
        if let local = words.firstIndex(of: "(local") { words.removeSubrange(local...) }
        if words.last?.hasPrefix("/dev/") == true { words.removeLast() }
        return words.isEmpty ? nil : words.joined(separator: " ")
      })
  }

  @Test(arguments: [
    "linear-3-unequal", "raid0-4-unequal-alternate", "raid1-2-bitmap-v1.1", "raid10-o2-3",
    "raid4-3-v0.90", "raid5-3-badblocks", "raid5-3-bitmap-v1.0", "raid5-3-failed",
    "raid5-3-journal-unclean", "raid5-3-rebuilding", "raid5-3-replacing", "raid6-4to5-reshape",
    "raid6-5-ddf-N-restart",
  ])
  private func `says all that mdadm says`(array: String) throws {
    let scratch = try ScratchDirectory()
    let archive = "\(Self.root)/Tests/Golden/arrays/\(array).tar.zst"
    let unpacked = try BuiltTool.run(
      program: "tar", ["--zstd", "-xf", archive, "-C", scratch.path])
    try #require(unpacked.status == 0, "\(unpacked.errorText)")
    let folder = scratch.path(array)
    let texts = try Files.list(folder).filter { $0.hasPrefix("examine-") }
    #expect(texts.count > 1)
    for name in texts {
      let number = name.dropFirst("examine-".count).dropLast(".txt".count)
      let theirs = String(decoding: try Files.contents(of: "\(folder)/\(name)"), as: UTF8.self)
      let ours = RunningTool("raid", "examine", "\(folder)/m\(number).img")
      #expect(ours.status == 0 && ours.error.isEmpty, "\(ours.error)")
      let missing = fields(theirs).subtracting(fields(ours.output))
      #expect(missing.isEmpty, "\(name)")
    }
  }

  // MARK: What only ftool says

  /// An array of three small members, and its folder.
  private struct Made: ~Copyable {
    let folder: ScratchDirectory
    let members: [String]

    init(_ options: String...) throws {
      let folder = try ScratchDirectory()
      let members = ["a", "b", "c"].map { [path = folder.path] in "\(path)/\($0)" }
      try Self.make(members, options)
      self.members = members
      self.folder = folder
    }

    private static func make(_ members: [String], _ options: [String]) throws {
      let tool = RunningTool(
        ["raid", "create", "test", "--make", "4M", "--homehost", "here", "-y"] + options + members)
      try #require(tool.status == 0, "\(tool.error)")
    }

    func change(_ member: Int, at offset: Int, _ bytes: [UInt8]) throws {
      let file = try OwnedDescriptor.open(members[member], access: .readWrite)
      let buffer = AlignedBuffer(bytes)
      try file.write(buffer.bytes, range: 0..<bytes.count, at: offset)
    }
  }

  @Test func `says what ftool keeps`() throws {
    let made = try Made("--level", "5", "--chunk", "64K")
    let tool = RunningTool("raid", "examine", made.members[1])
    #expect(tool.status == 0)
    for words in [
      "Name : here:test", "Raid Level : raid5", "Slot : 1", "ftool wrote the superblock last",
      "Sums State : valid", "Last Scrub : never", "Roster Slot 2 : ",
    ] { #expect(tool.output.contains(words), "\(words)") }
    let (near, far) = (4096 + 2048, (4 << 20) - 4096)
    try made.change(1, at: near + 100, [1])
    let damaged = RunningTool("raid", "examine", made.members[1])
    #expect(damaged.output.contains("near: damaged"))
    try made.change(1, at: far, [0])
    #expect(RunningTool("raid", "examine", made.members[1]).output.contains("Regions : none"))
  }

  @Test func `says the same as numbers`() throws {
    let made = try Made("--level", "5", "--chunk", "64K", "--bitmap", "internal")
    let tool = RunningTool(["raid", "examine", "--json"] + made.members)
    #expect(tool.status == 0)
    #expect(tool.output.hasPrefix(#"{"type":"raid-examine","schema":1,"members":[{"path":"#))
    for words in [
      #""metadata":"1.2""#, #""level":"raid5""#, #""layout":"left-symmetric""#,
      #""chunk_bytes":65536"#, #""slots":3"#, #""clean":true"#, #""role":"active","slot":2"#,
      #""feature_names":["bitmap"]"#, #""dirty_bits":0"#, #""sums":"valid""#,
      #""kind":"roster""#, #""reshape":null"#,
    ] { #expect(tool.output.contains(words), "\(words)") }
  }

  @Test func `shows the bitmap as mdadm does`() throws {
    let made = try Made("--level", "1", "--bitmap", "internal")
    let tool = RunningTool("raid", "examine", made.members[0])
    for words in ["Chunksize : ", "Daemon : 5s flush period", "State : OK", " dirty (0.0%)"] {
      #expect(tool.output.contains(words), "\(words)")
    }
  }

  // MARK: What is no member

  @Test func `a damaged superblock is named by its place`() throws {
    let made = try Made("--level", "5")
    try made.change(0, at: 4096 + 72, [9])
    let tool = RunningTool("raid", "examine", made.members[0])
    #expect(tool.status == 65)
    #expect(tool.error.contains("at byte 4096 (version 1.2) is damaged"), "\(tool.error)")
    for words in [
      "Place : byte 4096, where version 1.2 has it", "Magic : a92b4efc", " - expected ",
      "Problem : it is damaged: its checksum is ",
    ] { #expect(tool.output.contains(words), "\(words): \(tool.output)") }
    let json = RunningTool("raid", "examine", "--json", made.members[0])
    for words in [
      #""places":[{"offset":4096,"metadata":"1.2","state":"unusable""#, #""magic":2838187772"#,
      #""checksum_expected":"#, #""state":"absent""#,
    ] { #expect(json.output.contains(words), "\(words): \(json.output)") }
    let status = RunningTool("raid", "status", made.members[0])
    #expect(status.error.contains("cannot be used: it is damaged: its checksum is "))
    #expect(status.error.contains("'ftool raid examine \(made.members[0])' shows what is there"))
  }

  @Test func `unknown features are named`() throws {
    let made = try Made("--level", "5")
    let block = try Files.contents(of: made.members[0])[4096..<4096 + 512]
    let old = Array(block)
    // Another bit in the feature map, and the checksum that goes with it.
    var checksum: UInt32 = 0
    for byte in (216..<220).reversed() { checksum = checksum << 8 | UInt32(old[byte]) }
    checksum &+= 0x8000
    try made.change(0, at: 4096 + 9, [0x80])
    try made.change(
      0, at: 4096 + 216, (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
    let tool = RunningTool("raid", "examine", made.members[0])
    #expect(tool.status == 66)
    #expect(tool.error.contains("unknown feature bits: 0x8000"), "\(tool.error)")
  }

  @Test func `what has no superblock is no member`() throws {
    let folder = try ScratchDirectory()
    for size in [0, 1, 511, 4096, 12288, 1 << 20] {
      let path = try folder.sparseFile("x\(size)", byteCount: size)
      let tool = RunningTool("raid", "examine", path)
      #expect(tool.status == 66, "\(size) bytes")
      #expect(tool.error.contains("no superblock"))
    }
    #expect(RunningTool("raid", "examine", folder.path("nothing")).status == 66)
    #expect(RunningTool("raid", "examine", "missing").status == 64)
  }

  @Test func `shows the others when one is no member`() throws {
    let made = try Made("--level", "5")
    let stranger = try made.folder.sparseFile("stranger", byteCount: 1 << 20)
    let tool = RunningTool("raid", "examine", made.members[0], stranger, made.members[1])
    #expect(tool.status == 66)
    #expect(tool.error.contains("stranger"))
    for member in made.members[..<2] { #expect(tool.output.contains("\(member):")) }
    let json = RunningTool("raid", "examine", "--json", made.members[0], stranger)
    #expect(json.status == 66)
    #expect(json.output.hasPrefix(#"{"type":"error","#))
    #expect(json.output.contains(#""result":{"type":"raid-examine""#))
  }

  @Test func `changes nothing`() throws {
    let made = try Made("--level", "5", "--bitmap", "internal")
    let before = try made.members.map { try Files.contents(of: $0) }
    #expect(RunningTool(["raid", "examine"] + made.members).status == 0)
    #expect(try made.members.map { try Files.contents(of: $0) } == before)
  }
}
