import BinaryCodec
import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage
import Testing

@testable import Raid

/// Arrays that get another shape.
@Suite struct ReshapeTests {
  /// Nothing moves, and superblocks are written one after the other.
  @Test(arguments: [(3, 2), (4, 2), (4, 3), (3, 1)]) func `fewer mirrors, cut off anywhere`(
    _ from: Int, _ to: Int
  ) throws {
    for number in 0..<80 {
      let bench = try ReshapeBench(.mirrored, layout: 0, chunk: 0, slotCount: from)
      let power = PowerSwitch(after: number, of: .write)
      bench.wrap = { power.wrap($0) }
      var request = ReshapeRequest()
      (request.slotCount, request.allowsShrinking) = (to, true)
      do {
        let array = try bench.open()
        try array.beginReshape(try array.reshapePlan(request, givenCount: 0))
      } catch {}
      bench.wrap = { $0 }
      try bench.compare("cut after \(number)")
      var array = try bench.open()
      if array.shape.slotCount == from {
        try array.beginReshape(try array.reshapePlan(request, givenCount: 0))
        array = try bench.open()
      }
      #expect(array.shape.slotCount == to && array.degradedSlots.isEmpty, "cut after \(number)")
      try bench.compare("cut after \(number), and gone on with")
      if !power.isOff { return }
    }
    Issue.record("never done")
  }

  /// What tears the sums of more than one member leaves nobody who can vouch for the data.
  @Test(arguments: [RaidLevel.singleParity, .doubleParity, .mirroredStripes])
  func `sums of one member at a time are on their way`(_ level: RaidLevel) throws {
    for staged in [false, true] {
      let bench = try ReshapeBench(
        level, layout: level == .mirroredStripes ? 0x102 : 2, chunk: 8192, slotCount: 4,
        headroom: staged ? 0 : 64 << 10)
      var request = ReshapeRequest()
      request.slotCount = 5
      try bench.begin(request)
      let watch = SumsWatch()
      bench.wrap = { watch.wrap($0) }
      #expect(try bench.goOn())
      #expect(watch.worst == 1, "staged: \(staged)")
      bench.wrap = { $0 }
      try bench.compare("staged: \(staged)")
    }
  }

  static func request(
    _ level: RaidLevel? = nil, layout: UInt32? = nil, chunk: Int? = nil, slots: Int? = nil,
    shrinks: Bool = false
  ) -> ReshapeRequest {
    var request = ReshapeRequest()
    request.level = level
    request.layout = layout
    request.chunkByteCount = chunk
    request.slotCount = slots
    request.allowsShrinking = shrinks
    return request
  }

  /// Any change that makes sense of an array of this shape.
  private static func anyRequest(
    _ shape: ArrayShape, _ random: inout SeededGenerator
  ) -> ReshapeRequest {
    let count = shape.slotCount
    let chunk = [4096, 8192, 16384].randomElement(using: &random)!
    switch (shape.level, Int.random(in: 0..<6, using: &random)) {
    case (.mirrored, 0) where count == 2: return request(.singleParity, chunk: chunk)
    case (.mirrored, _): return request(slots: count + 1)
    case (.striped, _): return request(.singleParity, slots: count + 1)
    case (.dedicatedParity, _): return request(.singleParity)
    case (.singleParity, 0) where shape.layout <= 3:
      return request(.doubleParity, chunk: chunk, slots: count + 1)
    case (.doubleParity, 0): return request(.singleParity)
    case (.erasureCoded(let parity), 0) where parity < 4:
      return request(.erasureCoded(parityCount: parity + 1), slots: count + 1)
    case (.erasureCoded(let parity), 1) where parity > 1:
      return request(
        .erasureCoded(parityCount: parity - 1), slots: count - 1, shrinks: true)
    case (.mirroredStripes, let way):
      let copies = shape.layout & 0xff * (shape.layout >> 8 & 0xff)
      let layouts = [nil, 0x100 | copies, 0x10001 | copies << 8]
      return request(
        layout: layouts.randomElement(using: &random)!, chunk: way > 2 ? chunk : nil,
        slots: way % 3 == 0 ? nil : count + way % 3)
    case (_, 2): return request(slots: count + 1)
    case (_, 3) where count > 4: return request(slots: count - 1, shrinks: true)
    case (.erasureCoded, _): return request(chunk: chunk)
    case (_, 4): return request(layout: UInt32.random(in: 0...3, using: &random))
    default: return request(chunk: chunk)
    }
  }

  @Test(arguments: 0..<12) func `whatever the shapes, the content stays`(seed: UInt64) throws {
    try change(seed: seed, isTight: false)
  }

  @Test(arguments: 0..<12) func `and so it does where there is no room to move into`(
    seed: UInt64
  ) throws {
    try change(seed: seed, isTight: true)
  }

  private func change(seed: UInt64, isTight: Bool) throws {
    var random = SeededGenerator(seed: seed)
    let (level, layout, count) =
      [
        (.singleParity, 2, 3), (.singleParity, 0, 4), (.doubleParity, 2, 4), (.striped, 2, 3),
        (.mirrored, 0, 2), (.dedicatedParity, 0, 3), (.erasureCoded(parityCount: 2), 2, 4),
      ].randomElement(using: &random)! as (RaidLevel, UInt32, Int)
    let bench = try ReshapeBench(
      level, layout: layout, chunk: level == .mirrored ? 0 : 8192, slotCount: count,
      headroom: isTight ? 0 : (64 << 10) + 8192 * Int.random(in: 0...20, using: &random),
      version: isTight && seed % 2 == 0 ? .v1_0 : .v1_2,
      hasSums: seed % 4 != 3, hasBitmap: seed % 5 == 4 && level != .striped, seed: seed)
    try Self.reshapeAgainAndAgain(bench, seed, &random, needsNoRoom: isTight)
  }

  @Test(arguments: 0..<UInt64(24)) func `wherever the copies go, the content stays`(
    seed: UInt64
  ) throws {
    try moveCopies(seed: seed, isTight: false)
  }

  @Test(arguments: 0..<UInt64(12)) func `and so it does where copies have no room to move into`(
    seed: UInt64
  ) throws {
    try moveCopies(seed: seed, isTight: true)
  }

  private func moveCopies(seed: UInt64, isTight: Bool) throws {
    var random = SeededGenerator(seed: seed)
    let copies = UInt32.random(in: 2...3, using: &random)
    let bench = try ReshapeBench(
      .mirroredStripes,
      layout: [0x100 | copies, 0x10001 | copies << 8].randomElement(using: &random)!, chunk: 8192,
      slotCount: Int.random(in: Int(copies)...5, using: &random),
      headroom: isTight ? 0 : (96 << 10) + 8192 * Int.random(in: 0...20, using: &random),
      version: isTight && seed % 2 == 0 ? .v1_0 : .v1_2,
      hasSums: seed % 4 != 3, hasJournal: seed % 4 < 2, hasBitmap: seed % 3 == 1, seed: seed)
    try Self.reshapeAgainAndAgain(bench, seed, &random, needsNoRoom: isTight)
  }

  private static func reshapeAgainAndAgain(
    _ bench: ReshapeBench, _ seed: UInt64, _ random: inout SeededGenerator,
    needsNoRoom: Bool = false
  ) throws {
    for step in 0..<6 {
      let shape = try bench.open(writable: false).shape
      let wanted = Self.anyRequest(shape, &random)
      let comment: Comment = "seed \(seed), step \(step): \(shape.levelName) to \(wanted)"
      do {
        try bench.begin(wanted)
      } catch RaidError.unsuitable(.reshape(let obstacle)) {
        // It is that already, or the room is used up: it has to be as it was.
        switch obstacle {
        case .nothingToChange, .shrinks: break
        case .noHeadroom where !needsNoRoom: break
        default: Issue.record("\(obstacle); \(comment)")
        }
        try bench.compare(comment)
        continue
      }
      var isDone = false
      while !isDone {
        try bench.compare(comment)
        let parts = Monitor(Int.random(in: 1...3, using: &random))
        isDone = try bench.goOn {
          parts.withLock { left in
            left -= 1
            return left >= 0
          }
        }
      }
      try bench.compare(comment)
      let array = try bench.open()
      for slot in array.degradedSlots { _ = try array.rebuild(slot: slot, SweepOptions()) }
      let report = try array.scrub(RaidArray.ScrubOptions())
      #expect(report.findings.isEmpty, comment)
      try array.close()
      #expect(!array.isReshaping && array.degradedSlots.isEmpty, comment)
      if array.shape.redundancy > 0 {
        try bench.compare(
          without: [Int.random(in: 0..<array.shape.slotCount, using: &random)], comment)
      }
    }
  }

  @Test(
    arguments: [
      (.singleParity, 2), (.mirroredStripes, 0x102), (.mirroredStripes, 0x10201),
      (.mirroredStripes, 0x103),
    ] as [(RaidLevel, UInt32)])
  func `a member that is lost meanwhile is done without`(level: RaidLevel, layout: UInt32) throws {
    for missing in 0..<4 {
      let bench = try ReshapeBench(
        level, layout: layout, chunk: 4096, slotCount: 3,
        headroom: level == .singleParity ? 8192 : 12288)
      try bench.begin(Self.request(slots: 4))
      let parts = Monitor(3)
      _ = try bench.goOn {
        parts.withLock { left in
          left -= 1
          return left >= 0
        }
      }
      try bench.compare(without: [missing], "half, without \(missing)")
      let array = try bench.open(reshapes: true, without: [missing])
      #expect(array.isReshaping)
      #expect(try array.continueReshape(SweepOptions()).isComplete)
      try bench.compare(without: [missing], "without \(missing)")
      // It has missed something, and is not believed.
      let whole = try bench.open(writable: false)
      #expect(whole.degradedSlots == [missing])
      try bench.compare("with \(missing)")
    }
  }

  /// A mirror that is about to leave is one until the superblocks say otherwise.
  @Test func `a mirror that leaves keeps its sums until it has left`() throws {
    let begin = try ReshapeBench(.mirrored, layout: 0, chunk: 0, slotCount: 3)
    var count = 0
    var isDone = false
    while !isDone {
      let bench = begin.copy()
      let power = PowerSwitch(after: count, of: .write)
      bench.wrap = { power.wrap($0) }
      _ = try? bench.begin(Self.request(slots: 2, shrinks: true))
      for device in bench.devices { try device.flush() }
      isDone = !power.isOff
      bench.wrap = { $0 }
      let array = try bench.open(writable: false)
      #expect(array.membersLackingSums == [], "cut off after \(count)")
      try bench.compare("cut off after \(count)")
      count += 1
    }
    #expect(count > 10)
  }

  /// Its sums are of what it held then, and by the number of the slot that it had.
  @Test(arguments: [(RaidLevel.singleParity, 5, 3), (.doubleParity, 6, 4), (.mirrored, 3, 2)])
  func `who had a slot before begins with no sums`(_ level: RaidLevel, most: Int, least: Int) throws
  {
    let bench = try ReshapeBench(
      level, layout: level == .mirrored ? 0 : 2, chunk: level == .mirrored ? 0 : 4096,
      slotCount: most)
    func reshape(_ slots: Int) throws {
      try bench.begin(Self.request(slots: slots, shrinks: true))
      #expect(try bench.goOn())
    }
    try reshape(least)
    // One spare takes the place of the first member, and the other comes back in a slot that it did not have.
    let array = try bench.open(without: [0])
    try array.promoteSpare(named: "m\(least)", toSlot: 0)
    _ = try array.rebuild(slot: 0, SweepOptions())
    try array.close()
    bench.replace(0, with: MemoryDevice(byteCount: 1 << 20, name: "m0"))
    try reshape(array.shape.slotCount + 1)
    let whole = try bench.open()
    for slot in whole.degradedSlots { _ = try whole.rebuild(slot: slot, SweepOptions()) }
    try whole.close()
    var options = RaidArray.ScrubOptions()
    options.repairs = false
    let report = try bench.open(writable: false).scrub(options)
    #expect(report.findings.isEmpty && report.dueSumCount == 0)
    try bench.compare("\(level), grown again")
    for index in 1..<most { try bench.compare(without: [index], "without m\(index)") }
  }

  /// What it has is in another place now, whatever is marked as written since it left.
  @Test(arguments: works.indices, [false, true])
  func `who has missed a reshape is filled anew`(work: Int, hasBitmap: Bool) throws {
    let work = Self.works[work]
    let bench = try ReshapeBench(
      work.level, layout: work.layout, chunk: 8192, slotCount: work.slots, headroom: work.headroom,
      hasBitmap: hasBitmap)
    let before = bench.devices[1].copy()
    try bench.begin(work.request)
    let parts = Monitor(2)
    _ = try bench.goOn {
      parts.withLock { left in
        left -= 1
        return left >= 0
      }
    }
    let half = bench.devices[1].copy()
    let without = try bench.open(reshapes: true, without: [1])
    if without.isReshaping { #expect(try without.continueReshape(SweepOptions()).isComplete) }
    for old in [before, half] {
      let comment: Comment = "\(work.name), \(old === half ? "half" : "before")"
      let again = bench.copy()
      let array = try again.open(without: [1])
      let ranges = try array.admit(old, toSlot: 1, knownAs: MemberProbe(old))
      _ = try array.rebuild(slot: 1, ranges: ranges, SweepOptions())
      try array.close()
      again.replace(1, with: old)
      try again.compare(comment)
      try again.compare(without: [2], comment)
      let whole = try again.open()
      #expect(try whole.scrub(RaidArray.ScrubOptions()).findings.isEmpty, comment)
      try whole.close()
    }
  }

  @Test(arguments: [(false, 0), (true, 0), (false, 0x102)] as [(Bool, UInt32)])
  func `blocks that nobody has are lost where they are then, and named`(
    shrinks: Bool, copies: UInt32
  ) throws {
    let bench = try ReshapeBench(
      copies > 0 ? .mirroredStripes : .singleParity, layout: copies > 0 ? copies : 2, chunk: 4096,
      slotCount: shrinks ? 4 : copies > 0 ? 2 : 3)
    // The same block of two members: data and parity of it are gone, or two of data, or both copies.
    let start = Int(try MemberProbe(bench.devices[0]).superblock.dataOffsetSectors) * 512
    for slot in 0..<2 { bench.devices[slot].corrupt(start + 20480..<start + 20490) }
    try bench.begin(Self.request(slots: shrinks ? 3 : copies > 0 ? 3 : 4, shrinks: shrinks))
    // What is known to be lost stays known over an interruption.
    var lostRanges: [Range<Int>] = []
    for limit in [6, Int.max] {
      let array = try bench.open(reshapes: true)
      if !array.isReshaping { break }
      let parts = Monitor(limit)
      var options = SweepOptions()
      options.progress = { _, _ in
        parts.withLock { left in
          left -= 1
          return left >= 0
        }
      }
      lostRanges += try array.continueReshape(options).lostRanges
    }
    #expect(!lostRanges.isEmpty)
    let grown = try bench.open(writable: false)
    for lost in lostRanges {
      #expect(throws: DeviceError.self) { try grown.bytes(lost) }
    }
    let lost = Set(
      lostRanges.flatMap { stride(from: $0.lowerBound, to: $0.upperBound, by: 4096) })
    for offset in stride(from: 0, to: bench.content.count, by: 4096) where !lost.contains(offset) {
      #expect(
        try grown.bytes(offset..<offset + 4096) == Array(bench.content[offset..<offset + 4096]))
    }
  }

  /// Cut off at any write: blocks that nobody had are never read for something, and the end names them again.
  @Test(arguments: [false, true]) func `what is lost on the way stays lost wherever it is cut off`(
    hasSums: Bool
  ) throws {
    let original = try ReshapeBench(.singleParity, chunk: 4096, slotCount: 3, hasSums: hasSums)
    let start = Int(try MemberProbe(original.devices[0]).superblock.dataOffsetSectors) * 512
    try original.begin(Self.request(slots: 4))
    // Both data blocks of the first row.
    func patchy(_ bench: ReshapeBench) -> [PatchyDevice] {
      bench.devices.enumerated().map { slot, device in
        let patchy = PatchyDevice(device)
        if slot < 2 { patchy.lose(start..<start + 4096) }
        return patchy
      }
    }
    var number = 0
    while true {
      let bench = original.copy()
      let power = PowerSwitch(after: number, of: .write)
      let losses = patchy(bench)
      bench.wrap = { device -> any BlockDevice in
        let switched = power.wrap(device)
        guard let slot = bench.devices.firstIndex(where: { $0 === device }) else { return switched }
        return losses[slot].copy(over: switched)
      }
      var lost: [Range<Int>] = []
      let result = Result {
        let array = try bench.open(reshapes: true)
        return try array.continueReshape(SweepOptions()).lostRanges
      }
      if !power.isOff {
        lost = try result.get()
      } else {
        // What is there in its new place can be read, and where it was only once it has been written over.
        let rest = patchy(bench)
        bench.wrap = { device -> any BlockDevice in
          guard let slot = bench.devices.firstIndex(where: { $0 === device }) else { return device }
          return rest[slot]
        }
        let between = try bench.open(writable: false)
        if (try? between.bytes(0..<4096)) != nil {
          Issue.record("cut at \(number): what was lost is read")
        }
        let array = try bench.open(reshapes: true)
        if array.isReshaping {
          lost = try array.continueReshape(SweepOptions()).lostRanges
          #expect(lost == [0..<8192], "cut at \(number)")
        }
      }
      bench.wrap = { $0 }
      let grown = try bench.open(writable: false)
      for block in [0, 4096] {
        #expect(throws: DeviceError.self, "cut at \(number)") {
          try grown.bytes(block..<block + 4096)
        }
      }
      #expect(
        try grown.bytes(8192..<bench.content.count) == Array(bench.content[8192...]),
        "cut at \(number)")
      if !power.isOff {
        #expect(lost == [0..<8192])
        break
      }
      number += 1
    }
    #expect(number > 10)
  }

  /// As md may have listed it after the reshape had begun.
  @Test func `a block that is listed as bad before the first step is computed`() throws {
    let bench = try ReshapeBench(.singleParity, chunk: 4096, slotCount: 3)
    try bench.begin(Self.request(slots: 4))
    let device = bench.devices[1]
    var superblock = try MemberProbe(device).superblock
    let area = try #require(superblock.badBlockLogArea)
    let sector = superblock.dataOffsetSectors + 16
    var page = AlignedBuffer(byteCount: 4096)
    var bytes = page.mutableBytes
    for index in 0..<512 { bytes.store(UInt64.max, at: 8 * index) }
    bytes.store(sector << 10 | 8, at: 0)
    try device.write(bytes.bytes, range: 0..<4096, at: area.lowerBound * 512)
    superblock.features.insert(.badBlocks)
    let offset = Int(superblock.superOffsetSectors) * 512
    var block = AlignedBuffer(Array(device.contents[offset..<offset + 4096]))
    var encoded = block.mutableBytes
    superblock.encode(into: &encoded)
    try device.write(encoded.bytes, range: 0..<4096, at: offset)
    #expect(try !(MemberProbe(device).listedBadBlocks ?? []).isEmpty)
    #expect(try bench.goOn())
    try bench.compare("listed")
    #expect(try (MemberProbe(device).listedBadBlocks ?? []).isEmpty)
  }

  @Test func `a member that fails as it begins leaves its slot to nobody at once`() throws {
    let bench = try ReshapeBench(.singleParity, chunk: 4096, slotCount: 3)
    for number in 0..<12 {
      let one = bench.copy()
      let faulty = FaultyDevice(
        one.devices[1], plan: [.init(.operation(number, of: .flush), .fail(.gone(.ioError)))])
      let target = one.devices[1]
      one.wrap = { device in
        if device === target { return faulty }
        return device
      }
      let array = try one.open()
      let plan = try array.reshapePlan(Self.request(slots: 4), givenCount: 2)
      for _ in 0..<2 { try array.addSpare(one.newcomer(), isForReshape: true) }
      try array.beginReshape(plan)
      // Who is closed has nothing to give away.
      #expect(try array.takeSpares().isEmpty)
      one.wrap = { $0 }
      #expect(try one.goOn())
      try one.compare("\(number)")
    }
  }

  @Test func `what stands in the way is said, and nothing is changed`() throws {
    let chunk = 128 << 10
    let bench = try ReshapeBench(.singleParity, chunk: chunk, slotCount: 3, headroom: 4096)
    let before = bench.devices.map(\.contents)
    func obstacle(_ request: ReshapeRequest, _ given: Int = 9) throws -> ReshapeObstacle? {
      do throws(RaidError) {
        _ = try bench.open().reshapePlan(request, givenCount: given)
        return nil
      } catch {
        guard case .unsuitable(.reshape(let obstacle)) = error else { throw error }
        return obstacle
      }
    }
    #expect(try obstacle(Self.request()) == .nothingToChange)
    #expect(try obstacle(Self.request(chunk: chunk)) == .nothingToChange)
    #expect(
      try obstacle(Self.request(slots: 4))
        == .noHeadroom(member: "the members", has: 104 << 10, needs: chunk))
    #expect(try obstacle(Self.request(chunk: 12288)) == .badShape(.chunk(12288)))
    #expect(try obstacle(Self.request(.mirroredStripes)) == .levels(from: "raid5", to: "raid10"))
    guard case .shrinks? = try obstacle(Self.request(slots: 2)) else {
      Issue.record("fewer members lose nothing")
      return
    }
    let roomy = try ReshapeBench(.singleParity, chunk: 8192, slotCount: 3)
    #expect(throws: RaidError.unsuitable(.reshape(.newMembers(needed: 2, given: 1)))) {
      _ = try roomy.open().reshapePlan(Self.request(slots: 5), givenCount: 1)
    }
    #expect(throws: RaidError.unsuitable(.reshape(.degraded(slots: [1])))) {
      _ = try roomy.open(without: [1]).reshapePlan(Self.request(slots: 4), givenCount: 1)
    }
    #expect(bench.devices.map(\.contents) == before)
  }

  /// A superblock of ec has its number of parities where those of other levels have their layout.
  @Test func `a layout is given only to levels that have several`() throws {
    for (level, layout) in [
      (RaidLevel.erasureCoded(parityCount: 1), UInt32(1)),
      (.erasureCoded(parityCount: 2), 2), (.dedicatedParity, 0), (.mirrored, 0),
    ] {
      let bench = try ReshapeBench(
        level, layout: layout, chunk: level == .mirrored ? 0 : 8192, slotCount: 4)
      let before = bench.devices.map(\.contents)
      for wanted in 0...UInt32(5) where wanted != layout || level == .mirrored {
        #expect(
          throws: RaidError.unsuitable(.reshape(.oneLayout(level.name(slotCount: 4)))),
          "\(level), \(wanted)"
        ) { _ = try bench.open().reshapePlan(Self.request(layout: wanted), givenCount: 0) }
      }
      #expect(bench.devices.map(\.contents) == before)
    }
    #expect(throws: RaidError.unsuitable(.reshape(.noChunks("raid1")))) {
      _ = try ReshapeBench(.mirrored, layout: 0, chunk: 0, slotCount: 3).open().reshapePlan(
        Self.request(chunk: 8192, slots: 4), givenCount: 1)
    }
    let six = try ReshapeBench(.doubleParity, chunk: 8192, slotCount: 5)
    #expect(
      throws: RaidError.unsuitable(.reshape(.layoutAfterwards(from: "raid6", to: "raid5")))
    ) {
      _ = try six.open().reshapePlan(
        Self.request(.singleParity, layout: 0, shrinks: true), givenCount: 0)
    }
    _ = try six.open().reshapePlan(
      Self.request(.singleParity, layout: 2, shrinks: true), givenCount: 0)
    #expect(throws: ArrayShapeError.layout(3)) {
      _ = try ArrayShape(
        level: .erasureCoded(parityCount: 2), layout: 3, chunkByteCount: 8192, slotCount: 6,
        memberByteCounts: [Int](repeating: 1 << 20, count: 6))
    }
  }

  @Test func `of copies, what md refuses is refused`() throws {
    let bench = try ReshapeBench(.mirroredStripes, layout: 0x102, chunk: 8192, slotCount: 4)
    let far = try ReshapeBench(.mirroredStripes, layout: 0x201, chunk: 8192, slotCount: 4)
    let tight = try ReshapeBench(
      .mirroredStripes, layout: 0x10201, chunk: 65536, slotCount: 4, headroom: 8192)
    func obstacle(_ bench: ReshapeBench, _ request: ReshapeRequest) throws -> ReshapeObstacle? {
      let before = bench.devices.map(\.contents)
      defer { #expect(bench.devices.map(\.contents) == before) }
      do throws(RaidError) {
        _ = try bench.open().reshapePlan(request, givenCount: 9)
        return nil
      } catch {
        guard case .unsuitable(.reshape(let obstacle)) = error else { throw error }
        return obstacle
      }
    }
    #expect(try obstacle(bench, Self.request()) == .nothingToChange)
    #expect(try obstacle(bench, Self.request(layout: 0x201)) == .farCopies)
    #expect(try obstacle(far, Self.request(slots: 5)) == .farCopies)
    #expect(try obstacle(bench, Self.request(layout: 0x103)) == .copyCount(from: 2, to: 3))
    #expect(try obstacle(bench, Self.request(slots: 3, shrinks: true)) == .fewerMembers("raid10"))
    #expect(try obstacle(bench, Self.request(chunk: 12288)) == .badShape(.chunk(12288)))
    #expect(
      try obstacle(bench, Self.request(.singleParity)) == .levels(from: "raid10", to: "raid5"))
    #expect(
      try obstacle(tight, Self.request(slots: 5))
        == .noHeadroom(member: "the members", has: 104 << 10, needs: 128 << 10))
    #expect(try obstacle(bench, Self.request(layout: 0x10201, chunk: 4096, slots: 7)) == nil)
  }

  /// md's bits are of the array's bytes: of all that it will have, from the beginning on.
  @Test(arguments: [false, true]) func `the bitmap is of the new size`(isOurs: Bool) throws {
    let bench = try ReshapeBench(
      .mirroredStripes, layout: 0x102, chunk: 4096, slotCount: 3, hasSums: isOurs,
      hasBitmap: !isOurs)
    let first = try bench.open(writable: false)
    let (before, events) = (first.byteCount, first.assembly.reference.events)
    try bench.begin(Self.request(slots: 5))
    func check(_ comment: Comment) throws {
      let array = try bench.open(writable: false)
      let intent = try #require(array.intent, comment)
      #expect(intent.isOurs == isOurs && intent.markedRanges.isEmpty, comment)
      #expect(intent.bitCount * intent.granularity >= before / 3 * 5, comment)
      // Who left before does not learn from it what they missed.
      #expect(intent.eventsCleared > events, comment)
    }
    try check("begun")
    let parts = Monitor(2)
    _ = try bench.goOn {
      parts.withLock { left in
        left -= 1
        return left >= 0
      }
    }
    try check("half")
    _ = try bench.goOn()
    try check("done")
    let array = try bench.open()
    #expect(array.byteCount == before / 3 * 5)
    try array.write(bench.content, at: array.byteCount - bench.content.count)
    if !isOurs {
      // Cut off here, the end of it is in doubt, and nothing else.
      let half = try bench.open(writable: false)
      #expect(half.hasDoubt && half.intent?.isDoubtful(0..<4096) == false)
      #expect(half.intent?.isDoubtful(array.byteCount - 1..<array.byteCount) == true)
    }
    try array.close()
  }

  @Test func `a copy of before it grew is not one that was cut off`() throws {
    let bench = try ReshapeBench(.singleParity, chunk: 8192, slotCount: 3)
    let before = bench.devices[1].copy()
    let array = try bench.open()
    let larger = try array.resizedShape(nil, allowsShrinking: false)
    #expect(try array.resize(to: larger, SweepOptions()))
    bench.replace(1, with: before)
    #expect(try bench.open(writable: false).degradedSlots == [1])
    let again = try bench.open()
    let ranges = try again.admit(before, toSlot: 1, knownAs: MemberProbe(before))
    _ = try again.rebuild(slot: 1, ranges: ranges, SweepOptions())
    try again.close()
    let whole = try bench.open()
    #expect(whole.degradedSlots.isEmpty)
    #expect(try whole.scrub(RaidArray.ScrubOptions()).findings.isEmpty)
    try whole.close()
    try bench.compare(without: [2], "without another one")
  }

  /// Whatever is moved next is missing from it.
  @Test(arguments: [false, true]) func `so is one of where the reshape stood before`(
    hasSums: Bool
  ) throws {
    for request in [Self.request(slots: 4), Self.request(chunk: 4096), Self.request(layout: 0)] {
      let bench = try ReshapeBench(
        .singleParity, chunk: 8192, slotCount: 3, headroom: 16 << 10, hasSums: hasSums,
        size: 512 << 10)
      try bench.begin(request)
      let found = bench.devices
      let moments = Monitor([found.map { $0.copy() }])
      #expect(
        try bench.goOn {
          moments.withLock { $0.append(found.map { $0.copy() }) }
          return true
        })
      let stood = moments.withLock { $0 }
      #expect(stood.count > 3, "\(stood.count) \(request)")
      for (before, now) in zip(stood.dropFirst(1), stood.dropFirst(2).dropLast()) {
        for slot in found.indices { bench.replace(slot, with: now[slot]) }
        bench.replace(1, with: before[1])
        let comment: Comment = "\(request), sums: \(hasSums)"
        #expect(try bench.open(writable: false).degradedSlots == [1], comment)
        try bench.compare(comment)
      }
    }
  }

  /// It may have been made in the middle of a step, and put back when the next run was cut off.
  ///
  /// - Parameter headroom: without any, rows go by way of the members' spare room.
  @Test(arguments: [false, true], [16 << 10, 0])
  func `and one of where it was cut off`(hasSums: Bool, headroom: Int) throws {
    for request in [Self.request(slots: 4), Self.request(chunk: 4096)] {
      for first in stride(from: 5, to: 200, by: 29) {
        let bench = try ReshapeBench(
          .singleParity, chunk: 8192, slotCount: 3, headroom: headroom, hasSums: hasSums,
          size: 512 << 10)
        try bench.begin(request)
        bench.goOn(cutAfter: first)
        let middle = bench.devices.map { $0.copy() }
        for second in stride(from: 0, to: 260, by: 11) {
          for slot in middle.indices { bench.replace(slot, with: middle[slot].copy()) }
          bench.goOn(cutAfter: second)
          try bench.compare("\(request), cut off after \(first) and \(second)")
          bench.replace(1, with: middle[1].copy())
          try bench.compare("\(request), cut off after \(first) and \(second), put back")
        }
      }
    }
  }

  /// Whoever alone was told of the last step, when it was cut off, and the next run as well.
  @Test(arguments: [true, false], [16 << 10, 0])
  func `who was ahead may be lost when going on was cut off`(hasSums: Bool, headroom: Int) throws {
    for request in [Self.request(slots: 4), Self.request(chunk: 4096)] {
      for first in stride(from: 0, to: 200, by: 3) {
        let bench = try ReshapeBench(
          .singleParity, chunk: 8192, slotCount: 3, headroom: headroom, hasSums: hasSums,
          size: 512 << 10)
        try bench.begin(request)
        bench.goOn(cutAfter: first)
        let positions = try bench.devices.map {
          try MemberProbe($0).superblock.reshape.positionSectors
        }
        guard Set(positions).count > 1 else { continue }
        let middle = bench.devices.map { $0.copy() }
        for second in [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22] {
          for slot in middle.indices { bench.replace(slot, with: middle[slot].copy()) }
          bench.goOn(cutAfter: second)
          for slot in middle.indices {
            try bench.compare(without: [slot], "\(request), cut off after \(first) and \(second)")
          }
        }
      }
    }
  }

  /// A third member that has a chunk less than the others gets it with the next row.
  @Test func `what was not used is empty when it comes to be used`() throws {
    let bench = try ReshapeBench(
      .mirroredStripes, layout: 0x102, chunk: 65536, slotCount: 3, hasSums: false)
    for device in bench.devices {
      let probe = try MemberProbe(device)
      let start = Int(probe.superblock.dataOffsetSectors) * 512 + 2 * 65536
      var rest = device.contents
      #expect(rest.count >= start + 2 * 65536)
      if device === bench.devices[2] {
        for offset in start..<start + 65536 { rest[offset] = 7 }
        try device.write(rest.span.bytes, range: start..<start + 65536, at: start)
      }
    }
    let array = try bench.open()
    let larger = try array.resizedShape(4 * 65536, allowsShrinking: false)
    #expect(try array.resize(to: larger, SweepOptions()))
    try bench.compare("larger")
    let report = try bench.open().scrub(RaidArray.ScrubOptions())
    #expect(report.findings.isEmpty)
  }

  /// Of three copies on three members all chunks are used, on four the last one of the third member is not.
  @Test func `what is no longer used has no sums`() throws {
    let bench = try ReshapeBench(
      .mirroredStripes, layout: 0x103, chunk: 65536, slotCount: 3, headroom: 192 << 10,
      size: 5 * 65536)
    try bench.begin(Self.request(slots: 4))
    #expect(try bench.goOn())
    let array = try bench.open()
    let larger = try array.resizedShape(6 * 65536, allowsShrinking: false)
    #expect(try array.resize(to: larger, SweepOptions()))
    try bench.compare("larger")
    let report = try bench.open().scrub(RaidArray.ScrubOptions())
    #expect(report.findings.isEmpty)
  }

  @Test func `nothing else writes to it meanwhile`() throws {
    let bench = try ReshapeBench(.singleParity, chunk: 4096, slotCount: 3)
    try bench.begin(Self.request(slots: 4))
    #expect(throws: RaidError.readOnly(.reshaping)) { _ = try bench.open() }
    try bench.compare("begun")
  }

  /// In such a one md loses data when it is stopped; whoever opens the array warns of it.
  @Test(arguments: [(request(chunk: 4096), true), (request(slots: 4), false)])
  func `one that another system went on with is told from ours`(
    request: ReshapeRequest, isLossy: Bool
  ) throws {
    let bench = try ReshapeBench(.singleParity, chunk: 8192, slotCount: 3, headroom: 128 << 10)
    try bench.begin(request)
    let ours = try bench.open(writable: false)
    #expect(ours.losesDataInLinux == isLossy && !ours.wasReshapedByOthers)
    for device in bench.devices { try AssemblyTests.edit(device) { $0.marker = 0 } }
    let theirs = try bench.open(writable: false)
    #expect(theirs.losesDataInLinux == isLossy && theirs.wasReshapedByOthers)
  }

  // MARK: Rows on their way

  /// An array cut off when rows were in their place that the superblocks know nothing of yet.
  private func cutOff(
    _ request: ReshapeRequest, _ bench: ReshapeBench
  ) throws -> [Range<Int>] {
    try bench.begin(request)
    let begun = bench.devices.map { $0.contents }
    // What is staged stays where it is until something else is.
    #expect(try bench.goOn())
    for (device, bytes) in zip(bench.devices, begun) {
      // The superblock of 1.0, and our header behind it.
      for range in [bytes.count - 16384..<bytes.count] {
        var offset = range.lowerBound
        device.corrupt(range) { _ in
          defer { offset += 1 }
          return bytes[offset]
        }
      }
    }
    return try bench.devices.map {
      let member = try RaidArray.member(MemberProbe($0), slot: nil, false, false, nil)
      return try #require(member.reshapeRoom).range
    }
  }

  private static let ways: [ReshapeRequest] = [
    request(slots: 4), request(chunk: 4096), request(.doubleParity, slots: 4), request(layout: 0),
  ]

  @Test(arguments: ways) func `rows that were on their way are read where they are`(
    request: ReshapeRequest
  ) throws {
    for damage in [[], [0], [1], [2]] {
      let bench = try ReshapeBench(
        .singleParity, chunk: 8192, slotCount: 3, version: .v1_0, size: 64 << 10)
      let rooms = try cutOff(request, bench)
      let superblock = try MemberProbe(bench.devices[0]).superblock
      #expect(superblock.isReshaping && superblock.features.contains(.writeJournal))
      // Of what one member has nothing has to be right, wherever it is.
      for index in damage {
        let room = rooms[index]
        for start in stride(from: room.lowerBound + 8192, to: room.upperBound - 8192, by: 4096) {
          bench.devices[index].corrupt(start..<start + 16)
        }
      }
      let comment: Comment = "\(request), damaged \(damage)"
      try bench.compare(comment)
      if damage.isEmpty { try bench.compare(without: [1], comment) }
      #expect(try bench.goOn(), comment)
      try bench.compare(comment)
      let array = try bench.open()
      #expect(!array.isReshaping && !array.assembly.reference.features.contains(.writeJournal))
      #expect(try array.scrub(RaidArray.ScrubOptions()).findings.isEmpty, comment)
      try array.close()
      try bench.compare(without: [2], comment)
    }
  }

  @Test func `without regions of ours, what is behind the data is room enough`() throws {
    let bench = try ReshapeBench(
      .singleParity, chunk: 16384, slotCount: 3, headroom: 0, hasSums: false)
    let request = Self.request(slots: 4)
    #expect(try bench.open().reshapePlan(request, givenCount: 1).isStaged)
    try bench.begin(request)
    var isDone = false
    while !isDone {
      try bench.compare("without sums")
      let parts = Monitor(2)
      isDone = try bench.goOn {
        parts.withLock { left in
          left -= 1
          return left >= 0
        }
      }
    }
    try bench.compare(without: [0], "without sums")
  }

  @Test(arguments: [(.singleParity, 2), (.mirroredStripes, 0x102)] as [(RaidLevel, UInt32)])
  func `who fails while rows are on their way is in the history`(
    level: RaidLevel, layout: UInt32
  ) throws {
    let bench = try ReshapeBench(level, layout: layout, chunk: 8192, slotCount: 4, headroom: 0)
    try bench.begin(Self.request(chunk: 4096))
    let room = try #require(
      try MemberProbe(bench.devices[1]).header?.range(of: .journal))
    let target = bench.devices[1]
    bench.wrap = { device -> any BlockDevice in
      guard device === target else { return device }
      return FaultyDevice(
        device,
        plan: [
          .init(.touching(room, by: .write), .fail(.unwritable(offset: 0, errno: .ioError)))
        ])
    }
    #expect(try bench.goOn())
    bench.wrap = { $0 }
    let members = bench.devices.compactMap { try? MemberProbe($0) }
    let failed = members.events.filter { $0.kind == .memberFailed }
    #expect(failed.map(\.memberName) == ["m1"] && failed.first?.slot == 1)
    #expect(failed.first?.cause == ArrayEvent.FailureCause.unwritable.rawValue)
    try bench.compare("without the one that failed")
  }

  // MARK: Faults

  /// What is done while a member goes wrong.
  static let works:
    [(
      name: String, level: RaidLevel, layout: UInt32, slots: Int, headroom: Int,
      request: ReshapeRequest
    )] = [
      ("more members", .singleParity, 2, 3, 64 << 10, request(slots: 4)),
      ("a second parity", .singleParity, 2, 3, 64 << 10, request(.doubleParity, slots: 4)),
      ("fewer members", .doubleParity, 2, 5, 64 << 10, request(slots: 4, shrinks: true)),
      ("another chunk", .singleParity, 2, 3, 64 << 10, request(chunk: 4096)),
      ("another chunk without room", .singleParity, 2, 3, 0, request(chunk: 4096)),
      ("copies on more members", .mirroredStripes, 0x102, 3, 64 << 10, request(slots: 4)),
      ("copies in the next rows", .mirroredStripes, 0x102, 4, 64 << 10, request(layout: 0x10201)),
      ("copies without room", .mirroredStripes, 0x102, 3, 0, request(chunk: 4096, slots: 4)),
    ]

  @Test(arguments: works.indices, [0, 3]) func `a failing member costs nothing`(
    work: Int, member: Int
  ) throws {
    let work = Self.works[work]
    guard member < work.slots || work.request.slotCount ?? 0 > member else { return }
    let original = try ReshapeBench(
      work.level, layout: work.layout, chunk: 8192, slotCount: work.slots, headroom: work.headroom)
    try original.begin(work.request)
    func attempt(_ fault: FaultyDevice.Fault?) throws -> Int {
      let bench = original.copy()
      let comment: Comment = "\(work.name), \(member), \(String(describing: fault))"
      let target = bench.devices[member]
      let faulty = FaultyDevice(target, plan: fault.map { [$0] } ?? [])
      bench.wrap = { device -> any BlockDevice in
        if device === target { return faulty }
        return device
      }
      do {
        _ = try bench.goOn()
      } catch {
        #expect(fault != nil && error is RaidError, "\(error); \(comment)")
      }
      let count = faulty.operationCount()
      faulty.heal()
      bench.wrap = { $0 }
      do {
        try bench.compare(comment)
        #expect(try bench.goOn(), comment)
        let array = try bench.open()
        _ = try array.scrub(RaidArray.ScrubOptions())
        try array.close()
        try bench.compare(comment)
      } catch {
        let found = bench.devices.map { device -> String in
          guard let superblock = try? MemberProbe(device).superblock else { return "none" }
          return "\(superblock.events)\(superblock.isReshaping ? " reshaping" : "")"
        }
        Issue.record("\(error); \(found); \(comment)")
      }
      return count
    }
    let count = try attempt(nil)
    for effects in [FaultInjectionTests.loud, FaultInjectionTests.silent] {
      for (number, effect) in FaultSweep.turns(count, effects, offset: member) {
        _ = try attempt(.init(.operation(number, of: nil), effect))
      }
    }
  }
}
