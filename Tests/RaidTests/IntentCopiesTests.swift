import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// What the members' copies of the bitmap say together.
@Suite struct IntentCopiesTests {
  /// md's bitmap, or ours.
  static let recipes: [ArrayRecipe] = {
    var recipes: [ArrayRecipe] = [.raid5, .raid5, .mirror, .far2, .raid0, .linear]
    for index in recipes.indices {
      recipes[index].hasBitmap = index == 0
      recipes[index].hasJournal = false
      recipes[index].dataByteCount = 1 << 20
    }
    return recipes
  }()

  /// An array that was left while it was written to, in its middle.
  private func crashed(_ recipe: ArrayRecipe) throws -> ArrayBench {
    let bench = try ArrayBench(recipe)
    try bench.fill(seed: 1)
    let array = try bench.open()
    try bench.write([UInt8](repeating: 3, count: 5000), at: array.byteCount / 2, to: array)
    return bench
  }

  private func start(_ bench: ArrayBench, _ slot: Int) throws -> Int {
    try bench.superblock(slot).bitmapSector.map { $0 * 512 }
      ?? #require(try bench.header(slot).range(of: .intent)).lowerBound
  }

  private func doubt(_ bench: ArrayBench) throws -> [Range<Int>] {
    try #require(try bench.open(writable: false).intent).doubtfulRanges
  }

  @Test(arguments: recipes) func `a bit counts wherever it is set`(_ recipe: ArrayRecipe) throws {
    let bench = try crashed(recipe)
    let expected = try doubt(bench)
    #expect(!expected.isEmpty)
    for slot in bench.devices.indices {
      let trial = bench.copy()
      // All but one have lost their bits.
      for other in trial.devices.indices where other != slot {
        let bits = try start(trial, other) + MDBitmapHeader.byteCount
        try trial.devices[other].write([UInt8](repeating: 0, count: 3840), at: bits)
      }
      #expect(try doubt(trial) == expected)
      // The next to write sees to it that all have them.
      let array = try trial.open()
      try array.write([9], at: 0)
      for other in trial.devices.indices {
        let bits = try start(trial, other) + MDBitmapHeader.byteCount
        let stored = try trial.devices[other].bytes(bits..<bits + 64)
        let same = try trial.devices[slot].bytes(
          start(trial, slot) + MDBitmapHeader.byteCount..<start(trial, slot)
            + MDBitmapHeader.byteCount + 64)
        #expect(stored == same && stored.contains { $0 != 0 })
      }
    }
  }

  @Test(arguments: recipes) func `a copy that can't be read is another's to tell`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try crashed(recipe)
    let expected = try doubt(bench)
    for slot in bench.devices.indices {
      let place = try start(bench, slot)
      let name = bench.devices[slot].name
      bench.wrap = { device in
        guard device.name == name else { return device }
        return FaultyDevice(
          device,
          plan: [
            .init(
              .touching(place..<place + 512, by: .read),
              .fail(.unreadable(offset: place, errno: .ioError)))
          ])
      }
      #expect(try doubt(bench) == expected)
    }
  }

  @Test(arguments: recipes) func `everything is in doubt when nobody can tell`(
    _ recipe: ArrayRecipe
  ) throws {
    for isUnreadable in [true, false] {
      let bench = try crashed(recipe)
      let places = try bench.devices.indices.map { try start(bench, $0) }
      if isUnreadable {
        bench.wrap = { device in
          let place = places[bench.devices.firstIndex { $0 === device } ?? 0]
          return FaultyDevice(
            device,
            plan: [
              .init(
                .touching(place..<place + 512, by: .read),
                .fail(.unreadable(offset: place, errno: .ioError)))
            ])
        }
      } else {
        for (device, place) in zip(bench.devices, places) {
          device.corrupt(place..<place + 300)
        }
      }
      let array = try bench.open(writable: false)
      #expect(array.hasDoubt)
      for offset in stride(from: 0, to: array.byteCount, by: 65536) {
        switch array.segments[0].data {
        case .parity(let stripes):
          let inMember = min(offset, stripes.placement.rowCount * recipe.chunk - 1)
          #expect(stripes.isDoubtful(inMember..<inMember + 1))
        case .copies(let copies): #expect(copies.isDoubtful(offset..<offset + 1))
        }
      }
    }
  }

  /// Closed as it should be, without copies: nothing but the bitmap says so.
  @Test func `one damaged copy raises no doubt`() throws {
    let bench = try ArrayBench(.raid0)
    try bench.fill(seed: 2)
    let place = try start(bench, 0)
    bench.devices[0].corrupt(place..<place + 300)
    #expect(try !bench.open(writable: false).hasDoubt)
    let array = try bench.open()
    try bench.write([1, 2, 3], at: 5, to: array)
    try array.close()
    // It is whole again.
    for slot in 1..<4 {
      let other = try start(bench, slot)
      bench.devices[slot].corrupt(other..<other + 300)
    }
    #expect(try !bench.open(writable: false).hasDoubt)
  }

  @Test(arguments: recipes) func `what is in doubt since nobody knows is written down`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try crashed(recipe)
    // All copies are older than the superblocks.
    for slot in bench.devices.indices {
      let events = try start(bench, slot) + 24
      try bench.devices[slot].write([UInt8](repeating: 0, count: 8), at: events)
    }
    let before = try doubt(bench)
    #expect(before.map(\.count).reduce(0, +) >= bench.model.count / bench.devices.count)
    let array = try bench.open()
    try bench.write([1], at: 0, to: array)
    try array.flushAll()
    #expect(try doubt(bench) == before)
  }

  @Test func `bits of a member that was away count for nothing`() throws {
    let bench = try ArrayBench(Self.recipes[0])
    let degraded = try bench.open(without: [1])
    try bench.write([1], at: 0, to: degraded)
    try degraded.close()
    let bits = try start(bench, 1) + MDBitmapHeader.byteCount
    try bench.devices[1].write([0xff, 0xff], at: bits)
    let array = try bench.open(degraded: true)
    #expect(try #require(array.intent).markedRanges == [0..<65536])
  }

  @Test func `pages that nobody can give are in doubt, and no others`() throws {
    let bench = try ArrayBench(Self.recipes[0])
    try Self.enlargeBitmap(of: bench)
    let array = try bench.open()
    try bench.write([1], at: 0, to: array)
    let place = try start(bench, 0) + 4096
    let before = try doubt(bench)
    #expect(before.map(\.lowerBound) == [0])
    bench.wrap = { device in
      FaultyDevice(
        device,
        plan: [
          .init(
            .touching(place..<place + 4096, by: .read),
            .fail(.unreadable(offset: place, errno: .ioError)))
        ])
    }
    let first = (4096 - 256) * 8 * 4096
    let found = try doubt(bench)
    #expect(found.count == 2 && found[0] == before[0] && found[1].lowerBound == first)
  }

  /// Gives all members a bitmap of so many pages, as mdadm makes them where there is room.
  static func enlargeBitmap(of bench: ArrayBench, pages: Int = 2) throws {
    for device in bench.devices {
      try AssemblyTests.edit(device) { superblock in
        // Behind the bitmap, where mdadm puts it, or nowhere.
        if pages == 2 {
          superblock.badBlockLog.offsetSectors = 24
        } else {
          superblock.badBlockLog = .init()
        }
      }
      let superblock = try MemberProbe(device).superblock
      var header = MDBitmapHeader(
        arrayID: superblock.bitmapArrayID, syncSizeSectors: UInt64(8 * (pages * 4096 - 512) * 8),
        chunkByteCount: 4096)
      header.events = superblock.events
      header.eventsCleared = superblock.events
      var page = [UInt8](repeating: 0, count: pages * 4096)
      page.withMutableRawBytes { header.encode(into: &$0) }
      try device.write(page, at: try #require(superblock.bitmapSector) * 512)
    }
  }

  // MARK: New members

  @Test func `a new member has room for a large bitmap`() throws {
    var recipe = Self.recipes[0]
    recipe.dataByteCount = 256 << 10
    for slackByteCount in [0, 64 << 10] {
      let bench = try ArrayBench(recipe)
      try Self.enlargeBitmap(of: bench)
      try bench.fill(seed: 3)
      let array = try bench.open(without: [1])
      let offset = try bench.dataOffset(0)
      // As large as its data needs, and a little more.
      let needed =
        offset + recipe.dataByteCount + (bench.devices[0].byteCount - offset - recipe.dataByteCount)
      let new = MemoryDevice(byteCount: needed + slackByteCount, name: "new")
      bench.devices[1] = new
      let ranges = try array.admit(new, toSlot: 1)
      let superblock = try MemberProbe(new).superblock
      let bitmap = try #require(superblock.bitmapSector)
      #expect(superblock.freeSectors(from: bitmap, memberSectors: new.byteCount / 512) >= 16)
      let log = try #require(superblock.badBlockLogArea)
      #expect(
        try new.bytes(log.lowerBound * 512..<log.upperBound * 512).allSatisfy { $0 == 0xff })
      #expect(try array.rebuild(slot: 1, ranges: ranges, SweepOptions()).isComplete)
      try array.close()
      #expect(
        try new.bytes(log.lowerBound * 512..<log.upperBound * 512).allSatisfy { $0 == 0xff })
      bench.devices[0] = bench.fresh()
      #expect(try bench.contents(bench.open(writable: false, without: [0])) == bench.model)
    }
  }

  @Test func `a member without room for the bitmap is refused`() throws {
    let bench = try ArrayBench(Self.recipes[0].with { $0.hasSums = false })
    let array = try bench.open(without: [1])
    let data = Int(try bench.superblock(0).sizeSectors) * 512
    // What a new member has before its data, with the usual bitmap, and the data.
    let small = MemoryDevice(byteCount: 5 * 4096 + data, name: "small")
    try array.close()
    try Self.enlargeBitmap(of: bench, pages: 3)
    let enlarged = try bench.open(without: [1])
    let before = small.contents
    let error = #expect(throws: RaidError.self) { try enlarged.admit(small, toSlot: 1) }
    guard case .unsuitable(.noRoomForBitmap("small", _, needs: 12288)) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(small.contents == before)
  }

  @Test func `a spare without room for the bitmap is refused`() throws {
    let bench = try ArrayBench(Self.recipes[0])
    let array = try bench.open()
    let spare = bench.fresh()
    try array.addSpare(spare)
    try array.failMember(named: "m1")
    try array.close()
    // Somebody has made it larger, and not asked the spare.
    try Self.enlargeBitmap(of: bench)
    bench.spares = [spare]
    let enlarged = try bench.open(without: [1])
    #expect(
      throws: RaidError.unsuitable(
        .noRoomForBitmap(member: spare.name, has: 4096, needs: 8192))
    ) { try enlarged.promoteSpare(named: nil, toSlot: 1) }
  }
}
