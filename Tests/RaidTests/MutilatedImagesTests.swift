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
  @Test(arguments: 0..<UInt64(24)) func `experiment`(seed: UInt64) throws {
    let bench = try MutilatedArray(seed: seed)
    let result = try LayoutRecovery.search(bench.given, request: bench.request)
    print("EXP", seed, bench.story, "decided", result.isDecided, "right", try bench.isRight(result), result.notes, result.advice)
    for c in result.candidates.prefix(2) { print("EXP   ", c.shape.levelName, c.shape.layout, c.shape.chunkByteCount, c.order, c.dataOffsets, c.confidence, c.evidence.map { "\($0.kind.rawValue) \($0.weight) \($0.text)" }) }
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
  private(set) var stale: Int?
  private(set) var isRequestWrong = false

  private static let recipes: [ArrayRecipe] = [
    ArrayRecipe.raid5, .raid6, .raid10, .mirror,
    .raid5.with { $0.layout = 3 }, .raid6.with { $0.layout = 18 },
  ].map { recipe in
    recipe.with {
      $0.dataByteCount = 4 << 20
      if $0.chunk > 0 { $0.chunk = 64 << 10 }
      $0.hasSums = false
    }
  }

  init(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    recipe = Self.recipes[Int(seed) % Self.recipes.count].with { recipe in
      recipe.hasSums = Bool.random(using: &random)
    }
    let bench = try ArrayBench(recipe)
    let array = try bench.open()
    let text = RecoveryContent.tar(byteCount: array.byteCount, seed: seed)
    try bench.write(Array(text.prefix(array.byteCount)), at: 0, to: array)
    try array.close()
    story = recipe.testDescription
    // One member stops, and the others are written to.
    if Bool.random(using: &random) {
      let slot = Int.random(in: 0..<recipe.slotCount, using: &random)
      stale = slot
      story += "; slot \(slot) is out of date"
      let degraded = try bench.open()
      try degraded.failMember(named: bench.devices[slot].name)
      let other = RecoveryContent.tar(byteCount: 1 << 20, seed: seed &+ 1000)
      for place in [0, bench.model.count / 2] {
        try bench.write(Array(other.prefix(512 << 10)), at: place, to: degraded)
      }
      try degraded.close()
    }
    content = bench.model
    // Superblocks are gone: of all, of some, or of none.
    let erased: [Int]
    switch Int.random(in: 0..<3, using: &random) {
    case 0: erased = Array(bench.devices.indices)
    case 1: erased = bench.devices.indices.filter { _ in Bool.random(using: &random) }
    default: erased = []
    }
    for slot in erased {
      let start = try bench.dataOffset(slot)
      let device = bench.devices[slot]
      device.corrupt(0..<start) { _ in 0 }
      let end = start + recipe.dataByteCount
      device.corrupt(end..<device.byteCount) { _ in 0 }
    }
    if !erased.isEmpty { story += "; superblocks of \(erased) are erased" }
    slots = bench.devices.indices.shuffled(using: &random)
    var given: [(any BlockDevice)?] = slots.map { bench.devices[$0] }
    // A disk that made errors was copied with ddrescue: zeros stand where it could not be read.
    if Bool.random(using: &random) {
      let place = Int.random(in: 0..<slots.count, using: &random)
      let device = bench.devices[slots[place]]
      var map = RescueMap()
      while map.byteCount < device.byteCount {
        let good = Int.random(in: 1...512, using: &random) * 4096
        map.append(min(device.byteCount, map.byteCount + good), .rescued)
        let hole = map.byteCount..<min(device.byteCount, map.byteCount + Int.random(in: 1...64, using: &random) * 4096)
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

  /// Whether the best candidate is what the array was.
  func isRight(_ result: RecoveryResult) throws -> Bool {
    guard let best = result.candidates.first, best.order.count == recipe.slotCount else { return false }
    let array = try RaidArray.assumed(
      shape: best.shape, devices: best.order.map { $0.flatMap { given[$0] } },
      dataOffsets: best.dataOffsets)
    var wrong = 0
    for start in stride(from: 0, to: min(array.byteCount, content.count), by: 4096) {
      guard let bytes = try? array.bytes(start..<start + 4096) else { continue }
      if bytes != Array(content[start..<start + 4096]) { wrong += 1 }
    }
    return wrong == 0
  }
}
