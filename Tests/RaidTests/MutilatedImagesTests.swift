import BlockStorage
import FToolTestSupport
import LinuxSystem
import MDFormat
import RaidGeometry
import Testing

@testable import Raid

/// Images of arrays as they come to those who recover data, several kinds of harm at once: whatever is said
/// with certainty has to be right.
@Suite struct MutilatedImagesTests {
  static let seeds: Range<UInt64> = 0..<(Machine.environment("FTOOL_SOAK") == nil ? 20 : 500)

  @Test(arguments: seeds) func `what is said with certainty is right`(seed: UInt64) throws {
    let bench = try MutilatedArray(seed: seed)
    let story: Comment = "seed \(seed): \(bench.story)"
    let before = bench.devices.map(\.contents)
    let result = try LayoutRecovery.search(bench.given, request: bench.request)
    #expect(bench.devices.map(\.contents) == before, story)
    guard result.isDecided, let best = result.candidates.first else {
      #expect(!result.advice.isEmpty, story)
      // Undamaged superblocks of all that is needed leave no doubt.
      #expect(bench.erasedCount > 0 || bench.isRequestWrong, story)
      return
    }
    #expect(!bench.isRequestWrong || best.shape.chunkByteCount == bench.recipe.chunk, story)
    let wrong = try bench.wrongBlocks(best)
    if bench.stale == nil {
      #expect(wrong.isEmpty, "\(story): \(wrong.count) blocks are wrong")
      #expect(result.agreement?.differingCount ?? 0 == 0, story)
      return
    }
    // A member that is out of date changes nothing but what was written without it; and it is told.
    #expect(wrong.allSatisfy(bench.changed.contains), "\(story): \(wrong.count) blocks are wrong")
    let isTold = (result.agreement?.differingCount ?? 0) > 0
    #expect(wrong.isEmpty || isTold, story)
  }

  struct Laid: Sendable {
    let level: RaidLevel
    let layout: UInt32
    let slots: Int
  }

  @Test(
    arguments: [
      Laid(level: .striped, layout: 1, slots: 3), Laid(level: .singleParity, layout: 2, slots: 4),
      Laid(level: .doubleParity, layout: 2, slots: 5),
      Laid(level: .mirroredStripes, layout: 0x102, slots: 4),
    ], [16 << 10, 128 << 10, 256 << 10])
  func `with a wrong chunk nothing is certain`(_ laid: Laid, _ chunk: Int) throws {
    let content = RecoveryContent.tar(byteCount: 6 << 20)
    let sample = try RecoverySample(
      laid.level, layout: laid.layout, chunk: 64 << 10, slots: laid.slots, content: content)
    var request = RecoveryRequest()
    request.chunkByteCount = chunk
    let (devices, _) = sample.shuffled(seed: UInt64(chunk))
    let result = try LayoutRecovery.search(devices, request: request)
    let best = result.candidates.first.map {
      "\($0.shape.levelName) \($0.shape.chunkByteCount) \($0.order) \($0.evidence)"
    }
    #expect(!result.isDecided, "\(best ?? "none")")
  }

  @Test(arguments: [ArrayRecipe.raid6, .raid1])
  func `a member out of date is named where that can be known`(
    _ recipe: ArrayRecipe
  ) throws {
    let bench = try MutilatedArray(recipe, stale: 2)
    let result = try LayoutRecovery.search(bench.given, request: bench.request)
    #expect(result.isDecided)
    let found = try #require(result.agreement)
    #expect(found.differingCount > 0 && found.differingCount < found.comparedCount)
    let best = try #require(result.candidates.first)
    let suspect = try #require(found.suspects.count == 1 ? found.suspects.first : nil)
    #expect(best.order[suspect].map { bench.slots[$0] } == 2)
  }
}

/// An array that ftool made, and what has become of its members.
struct MutilatedArray {
  let recipe: ArrayRecipe
  let content: [UInt8]
  var given: [(any BlockDevice)?]
  /// By place among those that are given: the slot.
  let slots: [Int]
  var request = RecoveryRequest()
  private(set) var story = ""
  /// By slot.
  let devices: [MemoryDevice]
  private(set) var erasedCount = 0
  /// Array blocks whose rows were written when one member was away: where they start.
  private(set) var changed: Set<Int> = []
  private(set) var stale: Int?
  private(set) var isRequestWrong = false

  private static let recipes: [ArrayRecipe] = [
    ArrayRecipe.raid5, .raid6, .raid10, .mirror,
    .raid5.with { $0.layout = 3 }, .raid6.with { $0.layout = 18 },
  ].map { recipe in
    recipe.with {
      $0.dataByteCount = 5 << 20
      if $0.chunk > 0 { $0.chunk = 64 << 10 }
      $0.hasSums = false
    }
  }

  /// An array of which nothing is wrong but a member that is out of date and whose superblock is gone.
  init(_ recipe: ArrayRecipe, stale: Int) throws {
    self = try MutilatedArray(seed: 77, recipe: recipe, stale: stale)
  }

  init(seed: UInt64) throws {
    self = try MutilatedArray(seed: seed, recipe: nil, stale: nil)
  }

  private init(seed: UInt64, recipe fixed: ArrayRecipe?, stale fixedStale: Int?) throws {
    var random = SeededGenerator(seed: seed)
    let isFixed = fixed != nil
    recipe =
      fixed?.with { recipe in
        recipe.dataByteCount = 5 << 20
        if recipe.chunk > 0 { recipe.chunk = 64 << 10 }
      }
      ?? Self.recipes[Int(seed) % Self.recipes.count].with { recipe in
        recipe.hasSums = Bool.random(using: &random)
      }
    let bench = try ArrayBench(recipe)
    let array = try bench.open()
    let text = RecoveryContent.tar(byteCount: array.byteCount, seed: seed)
    try bench.write(Array(text.prefix(array.byteCount)), at: 0, to: array)
    try array.close()
    story = recipe.testDescription
    // One member stops, and the others are written to.
    if Bool.random(using: &random) || isFixed {
      let slot = fixedStale ?? Int.random(in: 0..<recipe.slotCount, using: &random)
      stale = slot
      story += "; slot \(slot) is out of date"
      let degraded = try bench.open()
      try degraded.failMember(named: bench.devices[slot].name)
      let other = RecoveryContent.tar(byteCount: 1 << 20, seed: seed &+ 1000)
      let row =
        recipe.level.parityCount > 0
        ? recipe.chunk * (recipe.slotCount - recipe.level.parityCount) : 4096
      for place in [0, bench.model.count / 2 / 4096 * 4096] {
        let end = min(bench.model.count, (place + (512 << 10) + row - 1) / row * row)
        changed.formUnion(stride(from: place / row * row, to: end, by: 4096))
        try bench.write(Array(other.prefix(512 << 10)), at: place, to: degraded)
      }
      try degraded.close()
    }
    content = bench.model
    // Superblocks are gone: of all, of some, or of none.
    let erased: [Int]
    switch isFixed ? 3 : Int.random(in: 0..<3, using: &random) {
    case 0: erased = Array(bench.devices.indices)
    case 1: erased = bench.devices.indices.filter { _ in Bool.random(using: &random) }
    case 3: erased = fixedStale.map { [$0] } ?? []
    default: erased = []
    }
    for slot in erased {
      let start = try bench.dataOffset(slot)
      let device = bench.devices[slot]
      device.corrupt(0..<start) { _ in 0 }
      let end = start + recipe.dataByteCount
      device.corrupt(end..<device.byteCount) { _ in 0 }
    }
    erasedCount = erased.count
    devices = bench.devices
    if !erased.isEmpty { story += "; superblocks of \(erased) are erased" }
    slots = bench.devices.indices.shuffled(using: &random)
    var given: [(any BlockDevice)?] = slots.map { bench.devices[$0] }
    // A disk that made errors was copied with ddrescue: zeros stand where it could not be read.
    if Bool.random(using: &random), !isFixed {
      let place = Int.random(in: 0..<slots.count, using: &random)
      let device = bench.devices[slots[place]]
      var map = RescueMap()
      while map.byteCount < device.byteCount {
        let good = Int.random(in: 1...512, using: &random) * 4096
        map.append(min(device.byteCount, map.byteCount + good), .rescued)
        let hole =
          map
          .byteCount..<min(
            device.byteCount, map.byteCount + Int.random(in: 1...64, using: &random) * 4096)
        if !hole.isEmpty {
          map.append(hole.upperBound, .lost)
          device.corrupt(hole) { _ in 0 }
        }
      }
      given[place] = RescuedDevice(device, map: map)
      story += "; slot \(slots[place]) has holes"
    }
    if recipe.level.parityCount > 0, stale == nil, Int.random(in: 0..<4, using: &random) == 0 {
      request.chunkByteCount = 128 << 10
      request.usesSuperblocks = false
      isRequestWrong = true
      story += "; a wrong chunk is given"
    }
    self.given = given
  }

  /// Where blocks of the array start that a candidate reads, and reads as something else than was written.
  func wrongBlocks(_ candidate: RecoveryCandidate) throws -> [Int] {
    let array = try RaidArray.assumed(
      shape: candidate.shape, devices: candidate.order.map { $0.flatMap { given[$0] } },
      dataOffsets: candidate.dataOffsets)
    return stride(from: 0, to: min(array.byteCount, content.count) / 4096 * 4096, by: 4096).filter {
      guard let bytes = try? array.bytes($0..<$0 + 4096) else { return false }
      return !bytes.elementsEqual(content[$0..<$0 + 4096])
    }
  }
}
