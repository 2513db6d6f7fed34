import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import Testing

@testable import Raid

/// Arrays that mdadm and a kernel made, after members have left them: mdadm's own eyes on what comes out.
@Suite(.serialized) struct ForcedStartGoldenTests {
  /// Opens members for reading and writing.
  private static func devices(_ folder: String, _ names: [String]) throws -> [any BlockDevice] {
    try names.map { try FileDevice.open("\(folder)/\($0).img", access: .readWrite) }
  }

  /// Changes the superblock of a member as the kernel would.
  private static func edit(
    _ folder: String, _ name: String, _ change: (inout MDSuperblock) -> Void
  ) throws {
    let device = try FileDevice.open("\(folder)/\(name).img", access: .readWrite)
    var superblock = try MemberProbe(device).superblock
    change(&superblock)
    let offset = Int(superblock.superOffsetSectors) * 512
    var block = AlignedBuffer(try device.bytes(offset..<offset + 4096))
    var bytes = block.mutableBytes
    superblock.encode(into: &bytes)
    try device.write(bytes.bytes, range: 0..<4096, at: offset)
    try device.flush()
  }

  /// Members leave; those that stay write it down twice.
  private static func leave(_ folder: String, _ leaving: [String], staying: [String]) throws {
    let numbers = try leaving.map {
      Int(
        try MemberProbe(FileDevice.open("\(folder)/\($0).img", access: .readOnly)).superblock
          .deviceNumber)
    }
    for name in staying {
      try edit(folder, name) { superblock in
        superblock.events += 2
        for number in numbers { superblock.roles[number] = MDSuperblock.faulty }
      }
    }
  }

  private static func hash(_ devices: [any BlockDevice], _ scratch: borrowing ScratchDirectory)
    throws -> String
  {
    let array = try RaidArray.open(devices)
    let path = scratch.path("content")
    let file = try OwnedDescriptor.open(path, access: .readWrite, options: [.create, .truncate])
    try array.read(0..<array.byteCount) { (bytes, place, part) throws(SystemCallError) in
      try file.write(bytes, range: place..<place + part.count, at: part.lowerBound)
    }
    return String(try BuiltTool.run(program: "sha256sum", [path]).outputText.prefix(64))
  }

  private static func expected(_ array: String, _ members: [String]) throws -> String {
    try #require(
      GoldenArchive.expectations[array]?.first { $0.members == members }?.content)
  }

  /// mdadm finds every superblock sound, of one event, and of one mind about who is there. No mdadm, no opinion.
  private static func requireAgreement(
    ofMdadm folder: String, _ names: [String], state: String
  ) throws {
    guard let program = ["/usr/sbin/mdadm", "/sbin/mdadm"].first(where: { Files.exists($0) }) else {
      return
    }
    var events: Set<Substring> = []
    for name in names {
      let run = try BuiltTool.run(program: program, ["--examine", "\(folder)/\(name).img"])
      let lines = run.outputText.split(separator: "\n").map { $0.drop { $0 == " " } }
      #expect(
        lines.contains { $0.hasPrefix("Checksum : ") && $0.hasSuffix(" - correct") },
        "\(run.outputText)")
      #expect(lines.contains { $0.hasPrefix("Array State : \(state) ") }, "\(run.outputText)")
      events.formUnion(lines.filter { $0.hasPrefix("Events : ") })
    }
    #expect(events.count == 1)
  }

  @Test func `a real member that is out of date is not taken back without a proof`() throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack("raid5-3-failed", into: scratch)
    let plan = try ForcedStart(Assembly(devices: Self.devices(folder, ["m0", "m1"])))
    #expect(plan.verdict == .impossible && plan.refused.map(\.reason) == [.noBitmap])
    // The member that it lost first goes on being of no use; the one that goes last has everything.
    try Self.leave(folder, ["m2"], staying: ["m0"])
    let dead = try ForcedStart(Assembly(devices: Self.devices(folder, ["m0", "m1", "m2"])))
    #expect(dead.verdict == .possible && dead.returning.map(\.slot) == [2])
    try dead.carryOut()
    let devices = try Self.devices(folder, ["m0", "m1", "m2"])
    #expect(try Self.hash(devices, scratch) == Self.expected("raid5-3-failed", ["m0", "m1", "m2"]))
    try Self.requireAgreement(ofMdadm: folder, ["m0", "m2"], state: "A.A")
  }

  /// What was in `raid5-4-dead`: numbers, and over them, while m3 was away, others.
  private static var contentOfTheDead: [UInt8] {
    func numbers(_ range: ClosedRange<Int>) -> [UInt8] { range.flatMap { Array("\($0)\n".utf8) } }
    var bytes = [UInt8](repeating: 0, count: 70_656 << 10)
    let (first, second) = (numbers(1...100_000), numbers(50_000...100_000))
    bytes.replaceSubrange(0..<first.count, with: first)
    bytes.replaceSubrange(256 << 10..<(256 << 10) + second.count, with: second)
    return bytes
  }

  @Test func `an array that died under a kernel starts, and has everything`() throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack("raid5-4-dead", into: scratch)
    let all = ["m0", "m1", "m2", "m3"]
    #expect(throws: RaidError.self) { _ = try RaidArray.open(Self.devices(folder, all)) }
    let plan = try ForcedStart(Assembly(devices: Self.devices(folder, all)))
    #expect(plan.verdict == .possible && plan.returning.map(\.slot) == [1])
    #expect(plan.returning.first?.evidence == .nothingWrittenSince(emptySlots: [1, 3]))
    #expect(
      plan.lost.isEmpty && plan.doubtful.isEmpty && plan.refused.map(\.reason) == [.notNeeded])
    try plan.carryOut()
    let array = try RaidArray.open(Self.devices(folder, all))
    #expect(try array.allBytes() == Self.contentOfTheDead)
    try Self.requireAgreement(ofMdadm: folder, ["m0", "m1", "m2"], state: "AAA.")
  }

  @Test func `what a kernel's bitmap marks is given up, and nothing else`() throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack("raid5-4-dead", into: scratch)
    let three = ["m0", "m2", "m3"]
    let plan = try ForcedStart(Assembly(devices: Self.devices(folder, three)))
    #expect(plan.verdict == .possible && plan.returning.map(\.slot) == [3])
    #expect(plan.returning.first?.evidence == .marked(byteCount: 64 << 10))
    #expect(plan.lost.ranges == [458_752..<524_288])
    try plan.carryOut()
    let array = try RaidArray.open(Self.devices(folder, three))
    let content = Self.contentOfTheDead
    for known in [0..<458_752, 524_288..<array.byteCount] {
      #expect(try array.bytes(known).elementsEqual(content[known]))
    }
    for block in stride(from: 458_752, to: 524_288, by: 4096) {
      #expect(throws: DeviceError.self) { _ = try array.bytes(block..<block + 4096) }
    }
    try Self.requireAgreement(ofMdadm: folder, three, state: "A.AA")
  }

  @Test(arguments: [
    ("raid5-3-bitmap-v1.0", ["m0"], ["m1", "m2"], "AA."),
    ("raid10-n2-4-bitmap", ["m2", "m3"], ["m0", "m1"], "A.AA"),
    ("raid5-4-right-symmetric", ["m0", "m3"], ["m1", "m2"], "AA.A"),
    ("raid6-5-left-asymmetric", ["m0", "m3"], ["m1", "m2", "m4"], "AA.A."),
  ]) func `members of md's own that left at once come back`(
    _ name: String, _ staying: [String], _ leaving: [String], _ state: String
  ) throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack(name, into: scratch)
    let all = (staying + leaving).sorted()
    let content = try Self.expected(name, all)
    try Self.leave(folder, leaving, staying: staying)
    #expect(throws: RaidError.self) { _ = try RaidArray.open(Self.devices(folder, all)) }
    let plan = try ForcedStart(Assembly(devices: Self.devices(folder, all)))
    #expect(plan.verdict == .possible && plan.lost.isEmpty && plan.doubtful.isEmpty)
    try plan.carryOut()
    let devices = try Self.devices(folder, all)
    #expect(try Self.hash(devices, scratch) == content)
    let back = plan.returning.map { plan.assembly.members[$0.index].name }
    let current = all.filter { name in
      staying.contains(name) || back.contains { $0.hasSuffix("/\(name).img") }
    }
    try Self.requireAgreement(ofMdadm: folder, current, state: state)
  }

  /// mdadm --assemble --force calls such an array clean and skips its logs; then torn stripes read wrong.
  @Test func `what is torn is mended by the partial parity logs, before and after`() throws {
    let scratch = try ScratchDirectory()
    let folder = try GoldenArchive.unpack("raid5-4-ppl-torn", into: scratch)
    let content = try Self.expected("raid5-4-ppl-torn", ["m0", "m2", "m3"])
    // m1 was gone already. Dirty and degraded, it starts: there is nothing to force, and nothing is.
    for name in ["m0", "m2", "m3"] {
      try Self.edit(folder, name) { $0.roles[1] = MDSuperblock.faulty }
    }
    let three = ["m0", "m2", "m3"]
    let before = try three.map { try Files.contents(of: "\(folder)/\($0).img", limit: 1 << 30) }
    let settled = try ForcedStart(Assembly(devices: Self.devices(folder, three)))
    #expect(settled.verdict == .startsAlready && settled.keepsLogs && !settled.endsDoubt)
    #expect(try Self.hash(Self.devices(folder, three), scratch) == content)
    // m2 goes, and the array is dead.
    try Self.leave(folder, ["m2"], staying: ["m0", "m3"])
    let plan = try ForcedStart(Assembly(devices: Self.devices(folder, three)))
    #expect(plan.verdict == .possible && plan.keepsLogs && !plan.endsDoubt)
    #expect(plan.returning.map(\.slot) == [2])
    try plan.carryOut()
    #expect(try Self.hash(Self.devices(folder, three), scratch) == content)
    // The logs are as they were, and so is the word that they are needed.
    for (name, old) in zip(three, before) {
      let device = try FileDevice.open("\(folder)/\(name).img", access: .readOnly)
      let superblock = try MemberProbe(device).superblock
      #expect(!superblock.isClean)
      let area = try #require(superblock.partialParityArea)
      let bytes = area.lowerBound * 512..<area.upperBound * 512
      #expect(try device.bytes(bytes).elementsEqual(old[bytes]))
    }
    try Self.requireAgreement(ofMdadm: folder, three, state: "A.AA")
  }
}
