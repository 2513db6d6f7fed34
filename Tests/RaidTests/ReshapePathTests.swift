import FToolTestSupport
import LinuxSystem
import RaidGeometry
import Testing

@testable import Raid

/// How much is moved at once, looked at block by block.
@Suite struct ReshapePathTests {
  /// Of a member's data.
  private struct Place: Hashable {
    let slot: Int
    let block: Int
  }

  private struct Shapes: CustomStringConvertible {
    var old: ArrayShape
    var new: ArrayShape
    var path: ReshapePath

    init(_ old: ArrayShape, _ new: ArrayShape, isBackwards: Bool, shift: Int) throws {
      (self.old, self.new) = (old, new)
      let (source, goal) = try ReshapePlan.geometries(from: old, to: new)
      path = ReshapePath(from: source, to: goal, isBackwards: isBackwards, shift: shift)
    }

    var description: String {
      [old, new].map { "\($0.levelName) \($0.layout) \($0.chunkByteCount) of \($0.slotCount)" }
        .joined(separator: " to ") + " by \(path.shift)"
    }
  }

  /// Where a block of the array is; with parity, all of its row counts.
  private static func places(_ block: Int, _ shape: ArrayShape) -> [Place] {
    switch shape.placement {
    case .copies(let copies):
      var places: [CopyPlacement.Place] = []
      _ = copies.locate(block * 4096, into: &places)
      return places.map { Place(slot: $0.slot, block: $0.offset / 4096) }
    case .parity(let rows):
      let perRow = rows.chunkByteCount / 4096
      let row = block * 4096 / rows.rowByteCount
      return (0..<rows.slotCount).flatMap { slot in
        (row * perRow..<(row + 1) * perRow).map { Place(slot: slot, block: $0) }
      }
    }
  }

  private static func places(_ range: Range<Int>, _ shape: ArrayShape) -> Set<Place> {
    let range = range.clamped(to: 0..<max(range.lowerBound, shape.byteCount))
    return Set((range.lowerBound / 4096..<range.upperBound / 4096).flatMap { places($0, shape) })
  }

  private static func chunk(_ random: inout SeededGenerator) -> Int {
    [4096, 8192, 16384].randomElement(using: &random)!
  }

  private static func layout(_ copies: Int, _ random: inout SeededGenerator) -> UInt32 {
    Bool.random(using: &random) ? 0x100 | UInt32(copies) : 0x10001 | UInt32(copies) << 8
  }

  private static func copies(_ random: inout SeededGenerator, grows: Bool) throws -> (
    ArrayShape, ArrayShape
  ) {
    let copies = Int.random(in: 2...3, using: &random)
    let count = Int.random(in: copies...7, using: &random)
    let size = 16384 * copies * Int.random(in: 2...8, using: &random)
    func shape(_ slots: Int) throws -> ArrayShape {
      try ReshapePlan.shape(
        .mirroredStripes, layout(copies, &random), chunk: chunk(&random), slots: slots, size: size)
    }
    return (
      try shape(count), try shape(count + (grows ? Int.random(in: 1...3, using: &random) : 0))
    )
  }

  private static func rows(_ random: inout SeededGenerator, grows: Bool) throws -> (
    ArrayShape, ArrayShape
  ) {
    let count = Int.random(in: 3...6, using: &random)
    func shape(_ slots: Int) throws -> ArrayShape {
      try ReshapePlan.shape(
        .singleParity, UInt32.random(in: 0...3, using: &random), chunk: chunk(&random),
        slots: slots, size: 16384 * 8)
    }
    return (
      try shape(count), try shape(count + (grows ? Int.random(in: 1...3, using: &random) : 0))
    )
  }

  @Test(arguments: 0..<UInt64(80)) func `what is still needed is not written to`(
    seed: UInt64
  ) throws {
    var random = SeededGenerator(seed: seed)
    let grows = Bool.random(using: &random)
    let isBackwards = !grows && Bool.random(using: &random)
    let (old, new) =
      seed % 4 == 0 ? try Self.rows(&random, grows: grows) : try Self.copies(&random, grows: grows)
    let step = try Shapes(old, new, isBackwards: isBackwards, shift: 0).path.step
    let shift = step.member * Int.random(in: 1...3, using: &random)
    let shapes = try Shapes(old, new, isBackwards: isBackwards, shift: shift)
    var position = isBackwards ? new.byteCount : 0
    while isBackwards ? position > 0 : position < new.byteCount {
      let limit = 4096 * Int.random(in: 1...40, using: &random)
      guard case .range(let part) = shapes.path.nextPart(from: position, memberLimit: limit) else {
        Issue.record("\(shapes): no room at \(position)")
        return
      }
      try Self.check(part, position, shapes)
      position = isBackwards ? part.lowerBound : part.upperBound
      // At rest each has the sums of its blocks under their numbers, old and new ones beside each other.
      let moved = isBackwards ? position..<new.byteCount : 0..<position
      let kept = isBackwards ? 0..<position : position..<max(position, old.byteCount)
      let both = Self.places(moved, new).intersection(Self.places(kept, old))
      #expect(both.isEmpty, "\(shapes): both shapes have \(both.first!) at \(position)")
    }
  }

  /// md's least gap, and wherever md may stand.
  @Test(arguments: 0..<UInt64(80)) func `it goes on from any chunk`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (old, new) = try Self.copies(&random, grows: true)
    let (source, goal) = try ReshapePlan.geometries(from: old, to: new)
    let shift = max(source.bandByteCount, goal.bandByteCount)
    let shapes = try Shapes(old, new, isBackwards: false, shift: shift)
    let unit = min(old.chunkByteCount, new.chunkByteCount)
    for start in stride(from: 0, to: new.byteCount, by: unit) {
      var position = start
      while position < new.byteCount {
        let next = shapes.path.nextPart(from: position, memberLimit: 16 << 20)
        guard case .range(let part) = next else {
          // Where three copies are side by side, md knows more exactly who needs what, and has to go on itself.
          #expect(
            [old, new].contains { $0.layout & 0xff > 2 }, "\(shapes): no room at \(position)")
          break
        }
        try Self.check(part, position, shapes)
        position = part.upperBound
      }
    }
  }

  private static func check(_ part: Range<Int>, _ position: Int, _ shapes: Shapes) throws {
    let path = shapes.path
    try #require(
      !part.isEmpty && (path.isBackwards ? part.upperBound : part.lowerBound) == position)
    let blocks = (path.isBackwards ? path.shift : -path.shift) / 4096
    let written = Set(
      places(part, shapes.new).map { Place(slot: $0.slot, block: $0.block + blocks) })
    let needed = places(
      path.isBackwards ? 0..<position : position..<max(position, shapes.old.byteCount), shapes.old)
    let both = written.intersection(needed)
    #expect(both.isEmpty, "\(shapes): \(part) is written over \(both.first!)")
    // No more than the sums of what is said to be moved are put in their place.
    let range =
      path.goal.memberStart(part.lowerBound) / 4096..<path.goal.memberEnd(part.upperBound) / 4096
    #expect(places(part, shapes.new).allSatisfy { range.contains($0.block) }, "\(shapes): \(part)")
  }
}
