import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// Members that are there and can't be read where it counts.
@Suite struct OpeningTests {
  static let versions: [MDMetadataVersion] = [.v1_0, .v1_1, .v1_2]

  private func unreadable(_ offset: Int) -> FaultyDevice.Effect {
    .fail(.unreadable(offset: offset, errno: .ioError))
  }

  /// The array of these devices, some of them unreadable at some bytes.
  private func bad(
    _ bench: ArrayBench, _ slot: Int, _ range: Range<Int>
  ) -> [any BlockDevice] {
    bench.devices.enumerated().map { index, device in
      guard index == slot else { return device }
      return FaultyDevice(
        device, plan: [.init(.touching(range, by: .read), unreadable(range.lowerBound))])
    }
  }

  // MARK: Superblocks

  @Test(arguments: versions) func `places without a superblock need not be readable`(
    version: MDMetadataVersion
  ) throws {
    let bench = try ArrayBench(.raid5.with { $0.version = version })
    try bench.fill(seed: 1)
    let own = Int(try bench.superblock(1).superOffsetSectors) * 512
    for other in MDMetadataVersion.searchOrder where other != version {
      let sectors = bench.devices[1].byteCount / 512
      let place = try #require(other.superblockSector(memberSectors: sectors)) * 512
      guard !(place..<place + 4096).overlaps(own..<own + 4096) else { continue }
      let array = try RaidArray.open(bad(bench, 1, place..<place + 512))
      #expect(array.degradedSlots == [])
      #expect(try array.allBytes() == bench.model)
    }
  }

  @Test(arguments: versions) func `a member without a readable superblock is left out`(
    version: MDMetadataVersion
  ) throws {
    let bench = try ArrayBench(.raid5.with { $0.version = version })
    try bench.fill(seed: 2)
    let own = Int(try bench.superblock(1).superOffsetSectors) * 512
    let devices = bad(bench, 1, own..<own + 512)
    let reason = StartObstacle.device(
      member: "m1", .unreadable(offset: own, errno: .ioError))
    let array = try RaidArray.open(devices)
    #expect(array.assembly.unusable.map(\.reason) == [reason])
    #expect(array.degradedSlots == [1])
    #expect(try array.allBytes() == bench.model)
    var options = RaidArray.Options()
    options.isWritable = true
    #expect(throws: RaidError.readOnly(.membersNotGiven([1]))) {
      try RaidArray.open(devices, options: options)
    }
    options.allowsDegraded = true
    let degraded = try RaidArray.open(devices, options: options)
    try bench.write([UInt8](repeating: 7, count: 9000), at: 5000, to: degraded)
    try degraded.close()
    #expect(try bench.contents(bench.open(writable: false)) == bench.model)
  }

  @Test func `a member whose superblock is torn is left out`() throws {
    let bench = try ArrayBench(.raid6)
    try bench.fill(seed: 3)
    bench.devices[2].corrupt(4096 + 72..<4096 + 80)
    let array = try bench.open(writable: false)
    #expect(array.assembly.unusable.map(\.device.name) == ["m2"])
    #expect(try bench.contents(array) == bench.model)
  }

  @Test func `one that ends before its data does is left out`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 4)
    let half = try bench.devices[1].bytes(0..<bench.dataOffset(1) + 65536)
    bench.devices[1] = MemoryDevice(half, name: "m1")
    let array = try bench.open(writable: false)
    #expect(array.assembly.unusable.map(\.device.name) == ["m1"])
    #expect(try bench.contents(array) == bench.model)
  }

  /// Nothing is where it should be, but what we keep at the member's end.
  @Test(arguments: versions) func `a member whose superblock is gone is left out`(
    version: MDMetadataVersion
  ) throws {
    for length in [1, 4096] {
      let bench = try ArrayBench(.raid6.with { $0.version = version })
      try bench.fill(seed: 3)
      let own = Int(try bench.superblock(0).superOffsetSectors) * 512
      bench.devices[0].corrupt(own..<own + length) { length == 1 ? ~$0 : 0 }
      let array = try bench.open(writable: false)
      #expect(array.assembly.unusable.map(\.reason) == [.lostSuperblock(member: "m0")])
      #expect(try bench.contents(array) == bench.model)
      // One of another array is a mistake.
      let other = try ArrayBench(.raid6.with { $0.version = version })
      other.devices[2] = bench.devices[0]
      #expect(
        throws: RaidError.notStartable(.unreadableSuperblock(member: "m0", .absent))
      ) { try other.open(writable: false) }
    }
  }

  @Test func `what never was a member is not passed over`() throws {
    let bench = try ArrayBench(.raid5)
    bench.devices[1] = bench.fresh()
    #expect(
      throws: RaidError.notStartable(
        .unreadableSuperblock(member: bench.devices[1].name, .absent))
    ) { try bench.open(writable: false) }
  }

  @Test func `says why when nobody is left`() throws {
    let bench = try ArrayBench(.mirror)
    bench.wrap = {
      FaultyDevice(
        $0, plan: [.init(.touching(0..<16384, by: .read), self.unreadable(4096))])
    }
    #expect(
      throws: RaidError.notStartable(
        .device(member: "m0", .unreadable(offset: 4096, errno: .ioError)))
    ) { try bench.open(writable: false) }
  }

  @Test func `a level without redundancy names the slot that is missing`() throws {
    let bench = try ArrayBench(.raid0)
    #expect(
      throws: RaidError.notStartable(.tooFew(missingSlots: [1], needed: 4, present: 3))
    ) { try RaidArray.open(bad(bench, 1, 4096..<8192)) }
  }

  @Test func `a member whose list of bad blocks is unknown is left out`() throws {
    let bench = try ArrayBench(.raid5)
    try bench.fill(seed: 5)
    try AssemblyTests.edit(bench.devices[1]) { $0.features.insert(.badBlocks) }
    let area = try #require(try bench.superblock(1).badBlockLogArea)
    let bytes = area.lowerBound * 512..<area.upperBound * 512
    let array = try RaidArray.open(bad(bench, 1, bytes))
    #expect(
      array.assembly.standings[1]
        == .unusable(.device(member: "m1", .unreadable(offset: bytes.lowerBound, errno: .ioError))))
    #expect(array.degradedSlots == [1])
    #expect(try array.allBytes() == bench.model)
    // It still says that it is the newest, and who is not.
    for index in [0, 2, 3] { try AssemblyTests.edit(bench.devices[index]) { $0.events -= 3 } }
    #expect(throws: RaidError.self) { try RaidArray.open(bad(bench, 1, bytes)) }
  }

  // MARK: Doubt without a member

  @Test(arguments: [ArrayRecipe.raid5, .raid6, .triple])
  func `what would be computed in doubt is only read by who allows it`(
    _ recipe: ArrayRecipe
  ) throws {
    for hasBitmap in [false, true] {
      let recipe = recipe.with {
        $0.hasBitmap = hasBitmap
        $0.hasSums = false
        $0.dataByteCount = 256 << 10
      }
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: 6)
      let crashed = try bench.open()
      try bench.write([1, 2, 3], at: 10, to: crashed)
      let slot = try bench.place(of: 0).slot
      let array = try bench.open(writable: false, without: [slot], doubt: false)
      do {
        try array.read(0..<100) { (_, _, _) throws(Never) in }
        Issue.record("it was read")
      } catch .array(let error) {
        #expect(error == .lost(arrayRange: 0..<4096, .inDoubt(slot: slot)))
      }
      // What is on members that are there is as good as ever.
      #expect(
        try array.bytes(recipe.chunk..<recipe.chunk + 4096)
          == Array(bench.model[recipe.chunk..<recipe.chunk + 4096]))
      let allowed = try bench.open(writable: false, without: [slot], doubt: true)
      #expect(try bench.contents(allowed) == bench.model)
      // Far from the write, the bitmap vouches for the parity.
      let last = array.byteCount - 100_000..<array.byteCount
      if hasBitmap {
        #expect(try array.bytes(last) == Array(bench.model[last]))
      } else {
        #expect(throws: DeviceError.self) { try array.bytes(last) }
      }
    }
  }

  // MARK: Members that become shorter

  /// A bench's array over files, open.
  private struct CutFiles {
    let bench: ArrayBench
    /// By slot.
    let paths: [String]
    let array: RaidArray

    init(
      _ recipe: ArrayRecipe, in folder: borrowing ScratchDirectory, seed: UInt64, isWritable: Bool
    ) throws {
      let bench = try ArrayBench(recipe)
      try bench.fill(seed: seed)
      var paths: [String] = []
      var devices: [FileDevice] = []
      for (slot, device) in bench.devices.enumerated() {
        let path = try folder.file("m\(slot)", device.allBytes())
        paths.append(path)
        devices.append(try FileDevice.open(path, access: isWritable ? .readWrite : .readOnly))
      }
      var options = RaidArray.Options()
      options.isWritable = isWritable
      array = try RaidArray.open(devices, options: options)
      self.bench = bench
      self.paths = paths
    }

    func truncate(_ slot: Int, to byteCount: Int) throws {
      try OwnedDescriptor.open(paths[slot], access: .readWrite).truncate(to: byteCount)
    }
  }

  @Test(arguments: ArrayRecipe.redundant, [true, false])
  func `a member cut short while it is open is done without`(
    _ recipe: ArrayRecipe, writes: Bool
  ) throws {
    for cut in [0, 1, 2] {
      let folder = try ScratchDirectory()
      let files = try CutFiles(recipe, in: folder, seed: 7, isWritable: writes)
      let (bench, array, paths) = (files.bench, files.array, files.paths)
      let data = try bench.dataOffset(1)
      try files.truncate(1, to: [0, data + 5000, data + recipe.dataByteCount / 2][cut])
      if writes {
        var random = SeededGenerator(seed: 8)
        try bench.write(random.bytes(array.byteCount - 5000), at: 3000, to: array)
        try array.flushAll()
      }
      #expect(try bench.contents(array) == bench.model)
      if writes { #expect(array.degradedSlots == [1]) }
      try array.close()
      let again = try RaidArray.open(
        paths.indices.filter { $0 != 1 }.map { try FileDevice.open(paths[$0], access: .readOnly) })
      #expect(try again.allBytes() == bench.model)
    }
  }

  @Test(arguments: [ArrayRecipe.raid0, .linear])
  func `a member cut short that can't be done without ends it with an error`(
    _ recipe: ArrayRecipe
  ) throws {
    let folder = try ScratchDirectory()
    let files = try CutFiles(recipe, in: folder, seed: 9, isWritable: true)
    let (bench, array) = (files.bench, files.array)
    try files.truncate(1, to: try bench.dataOffset(1) + 8192)
    #expect(throws: (any Error).self) { try array.allBytes() }
    let bytes = [UInt8](repeating: 1, count: array.byteCount)
    #expect(throws: (any Error).self) { try array.write(bytes, at: 0) }
    // Nothing was made longer again, which would be zeros where data was.
    #expect(try Files.status(of: files.paths[1]).byteCount == bench.dataOffset(1) + 8192)
  }
}
