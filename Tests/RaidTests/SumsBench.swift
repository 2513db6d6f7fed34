import BinaryCodec
import BlockStorage
import FToolTestSupport
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// An array of random content without sums of its own, and the file that keeps them.
final class SumsBench {
  let array: ArrayBench
  let file: MemoryDevice

  init(_ recipe: ArrayRecipe) throws {
    array = try ArrayBench(recipe)
    try array.fill(seed: 1)
    let assembly = try Assembly(try array.devices.map { try MemberProbe($0) })
    let room = (assembly.members.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
    file = MemoryDevice(
      byteCount: SumsFile.byteCount(slotCount: recipe.slotCount, memberByteCount: room),
      name: "sums")
    try use { array in _ = try array.scrub(RaidArray.ScrubOptions()) }
  }

  private init(copying other: SumsBench) {
    array = other.array.copy()
    file = other.file.copy()
  }

  /// The same once more, on devices of its own.
  func copy() -> SumsBench { SumsBench(copying: self) }

  /// Opens the array with the file of sums, or with what stands for it, and closes both as a command does,
  /// whatever comes of `body`.
  func use(
    _ file: (any BlockDevice)? = nil, without missing: Set<Int> = [],
    _ body: (RaidArray) throws -> Void
  ) throws {
    let given = array.devices.indices.filter { !missing.contains($0) }.map {
      array.wrap(array.devices[$0])
    }
    let assembly = try Assembly(try given.map { try MemberProbe($0) })
    let sums = try SumsFile(file ?? self.file, for: assembly)
    var options = RaidArray.Options()
    options.isWritable = true
    options.allowsDegraded = !missing.isEmpty
    let opened = try RaidArray.open(assembly, options: options, sumsFile: sums)
    let result = Result { try body(opened) }
    try opened.close()
    try result.get()
    let member = try #require(opened.members.active.first)
    try sums.stamp(member.superblock, isComplete: opened.trustsAllSums)
  }

  /// Whether the file says that its sums are right.
  var isTrusted: Bool {
    get throws {
      try SumsFile(file, for: try Assembly(try array.devices.map { try MemberProbe($0) })).isTrusted
    }
  }

  /// Writes bytes that look like chance, durably.
  func write(_ offset: Int, _ count: Int, to array: RaidArray) throws {
    var random = SeededGenerator(seed: 77)
    let bytes = random.bytes(count)
    try array.write(bytes.rawBytes, range: 0..<count, atArrayOffset: offset)
    self.array.model.replaceSubrange(offset..<offset + count, with: bytes)
    try array.flush()
  }

  /// Puts a new member where the one that was left out has fallen behind.
  func refill(_ slot: Int, _ story: Comment) throws {
    let assembly = try Assembly(try array.devices.map { try MemberProbe($0) })
    guard assembly.slotsNotInSync.contains(slot) else { return }
    let new = array.fresh()
    try use(without: [slot]) { array in
      let ranges = try array.admit(new, toSlot: slot)
      #expect(try array.rebuild(slot: slot, ranges: ranges, SweepOptions()).isComplete, story)
    }
    array.devices[slot] = new
  }

  /// The content is what it should be, nothing is found that is not wrong, and a scrub makes the sums whole.
  func check(_ story: Comment) throws {
    var looking = RaidArray.ScrubOptions()
    looking.repairs = false
    looking.startsOver = true
    try use { (array) throws in
      #expect(array.degradedSlots == [], story)
      #expect(try self.array.contents(array) == self.array.model, story)
      let found = try array.scrub(looking).findings
      #expect(found == [], "\(found); \(story)")
    }
    try use { (array) throws in
      let found = try array.scrub(RaidArray.ScrubOptions()).findings
      #expect(found == [], "\(found); \(story)")
    }
    #expect(try isTrusted, story)
    let place = try array.place(of: 0)
    array.devices[place.slot].corrupt(place.deviceOffset..<place.deviceOffset + 10)
    try use { (array) throws in
      #expect(
        try array.scrub(RaidArray.ScrubOptions()).findings.map(\.slot) == [place.slot], story)
      #expect(try self.array.contents(array) == self.array.model, story)
    }
  }
}
