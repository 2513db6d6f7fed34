import FToolTestSupport
import Testing

@testable import RaidGeometry

@Suite struct CopyPlacementTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var level: Int
    var layout: Int
    var chunk: Int
    var sizes: [Int]
    var testDescription: String {
      "level \(level), layout \(String(layout, radix: 16)), chunk \(chunk), members \(sizes)"
    }

    func made() throws -> ArrayShape {
      try ArrayShape(
        level: RaidLevel(number: Int32(level), layout: UInt32(layout))!, layout: UInt32(layout),
        chunkByteCount: chunk, slotCount: sizes.count, memberByteCounts: sizes)
    }

    var slow: SlowGeometry {
      SlowGeometry(
        level: level, layout: layout, chunk: chunk, slotCount: sizes.count, sizes: sizes)
    }
  }

  static let copiedStripes: [Shape] = {
    var shapes: [Shape] = []
    for slotCount in 2...8 {
      for near in 1...4 {
        for far in 1...4 where near * far <= slotCount && near * far > 1 {
          for offset in [0, 0x10000] where far > 1 || offset == 0 {
            for variant in [0, 1, 2] where far > 1 || variant == 0 {
              // Sets that don't fill the slots belong to no kernel that wrote such arrays, but must work.
              if variant == 1, slotCount / far < near { continue }
              for chunks in [7, 12] {
                shapes.append(
                  Shape(
                    level: 10, layout: near | far << 8 | offset | variant << 17, chunk: 4096,
                    sizes: [Int](repeating: chunks * 4096 + 1024, count: slotCount)))
              }
            }
          }
        }
      }
    }
    return shapes
  }()

  static let striped: [Shape] = {
    var random = SeededGenerator(seed: 5)
    var shapes: [Shape] = []
    for layout in [1, 2] {
      for chunk in [4096, 8192, 12288] {
        for slotCount in 1...8 {
          shapes.append(
            Shape(
              level: 0, layout: layout, chunk: chunk,
              sizes: (0..<slotCount).map { _ in
                Int.random(in: 8...80, using: &random) * 4096 + 512
                  * Int.random(in: 0...7, using: &random)
              }))
        }
      }
    }
    return shapes
  }()

  static let linear: [Shape] = {
    var random = SeededGenerator(seed: 6)
    return [0, 4096, 65536].flatMap { chunk in
      (1...6).map { slotCount in
        Shape(
          level: -1, layout: 0, chunk: chunk,
          sizes: (0..<slotCount).map { _ in Int.random(in: 100...900, using: &random) * 512 })
      }
    }
  }()

  static let mirrored = (2...8).map {
    Shape(level: 1, layout: 0, chunk: 0, sizes: [Int](repeating: 96 * 1024, count: $0))
  }

  @Test(arguments: striped + linear + mirrored) func `agrees with the tables`(
    _ shape: Shape
  ) throws { try compare(shape) }

  @Test func `agrees with the tables for every RAID 10`() throws {
    #expect(Self.copiedStripes.count > 150)
    for shape in Self.copiedStripes { try compare(shape) }
  }

  private func compare(_ shape: Shape) throws {
    let made = try shape.made()
    guard case .copies(let placement) = made.placement else {
      Issue.record("no copies")
      return
    }
    let slow = shape.slow
    #expect(made.byteCount == slow.byteCount, "\(shape.testDescription)")
    #expect(placement.byteCount == made.byteCount)
    let copyCount =
      shape.level == 1
      ? shape.sizes.count
      : shape.level == 10
        ? (shape.layout & 255) * (shape.layout >> 8 & 255) : 1
    var taken = Set<SlowGeometry.Place>()
    var places: [CopyPlacement.Place] = []
    let step = shape.level == -1 ? 512 : 4096
    for offset in stride(from: 0, to: made.byteCount, by: step) {
      let run = placement.locate(offset + 7, into: &places)
      let expected = slow.places(of: offset + 7)
      #expect(
        places.map { SlowGeometry.Place(slot: $0.slot, offset: $0.offset) } == expected,
        "byte \(offset + 7) of \(shape.testDescription)")
      if places.count != expected.count { return }
      #expect(expected.count == copyCount)
      #expect(
        Set(expected.map(\.slot)).count >= placement.distinctCopyCount, "\(shape.testDescription)")
      if shape.layout >> 17 & 3 != 1 { #expect(placement.distinctCopyCount == copyCount) }
      #expect(run > 0 && offset + 7 + run <= made.byteCount)
      // All copies go on together as far as it says.
      let last = slow.places(of: offset + 7 + run - 1)
      #expect(last == expected.map { .init(slot: $0.slot, offset: $0.offset + run - 1) })
      for place in expected {
        #expect(place.offset < shape.sizes[place.slot], "\(shape.testDescription)")
        #expect(taken.insert(place).inserted, "two bytes at one place: \(shape.testDescription)")
        let back = placement.arrayRange(
          at: .init(slot: place.slot, offset: place.offset), limit: 1 << 30)
        #expect(back?.offset == offset + 7, "\(shape.testDescription)")
        #expect(
          back.map { $0.byteCount >= 1 && $0.byteCount <= max(run, 1 << 20) } ?? false)
        if let back {
          let end = slow.places(of: back.offset + back.byteCount - 1)
          #expect(end.contains(.init(slot: place.slot, offset: place.offset + back.byteCount - 1)))
        }
      }
    }
    // What nothing of the array lies at has no array range.
    for (slot, size) in shape.sizes.enumerated() {
      for offset in stride(from: 7, to: size + 65536, by: step) {
        let range = placement.arrayRange(at: .init(slot: slot, offset: offset), limit: 1)
        #expect(
          (range != nil) == taken.contains(.init(slot: slot, offset: offset)),
          "slot \(slot), \(offset) of \(shape.testDescription)")
      }
    }
  }

  @Test func `zones of unequal members are as a kernel draws them`() throws {
    let sizes = [1, 2, 3].map { $0 * 2 * 4096 }
    let original = try Shape(level: 0, layout: 1, chunk: 4096, sizes: sizes).made()
    let alternate = try Shape(level: 0, layout: 2, chunk: 4096, sizes: sizes).made()
    func slots(_ shape: ArrayShape) -> [Int] {
      guard case .copies(let placement) = shape.placement else { return [] }
      var places: [CopyPlacement.Place] = []
      return (0..<min(12, placement.byteCount / 4096)).map {
        _ = placement.locate($0 * 4096, into: &places)
        return places[0].slot
      }
    }
    #expect(slots(original) == [0, 1, 2, 0, 1, 2, 1, 2, 1, 2, 2, 2])
    #expect(slots(alternate) == [0, 1, 2, 0, 1, 2, 1, 2, 1, 2, 2, 2])
    let uneven = [4096, 3 * 4096, 3 * 4096]
    #expect(
      slots(try Shape(level: 0, layout: 1, chunk: 4096, sizes: uneven + [uneven[1]]).made())
        == [0, 1, 2, 3, 2, 3, 1, 2, 3, 1])
  }

  @Test func `an order that is not said must not matter`() throws {
    let two = [4096, 8192, 8192]
    #expect(throws: ArrayShapeError.zoneOrderUnknown) {
      try Shape(level: 0, layout: 0, chunk: 4096, sizes: two).made()
    }
    _ = try Shape(level: 0, layout: 0, chunk: 4096, sizes: [4096, 8192]).made()
  }

  @Test func `every number of slots makes an array quickly`() throws {
    let clock = ContinuousClock()
    let time = try clock.measure {
      for slotCount in 2...255 {
        for (level, layout) in [
          (-1, 0), (0, 1), (0, 2), (1, 0), (10, 0x102), (10, 0x201), (10, 0x10201),
        ] {
          let shape = try Shape(
            level: level, layout: layout, chunk: 4096,
            sizes: (0..<slotCount).map { level > 0 ? 65536 : 65536 + 4096 * ($0 % 5) }
          ).made()
          #expect(shape.byteCount > 0)
        }
      }
    }
    #expect(time < .seconds(20))
  }

  @Test func `which losses a RAID 10 survives is what its copies say`() throws {
    for shape in Self.copiedStripes where shape.sizes.count <= 6 {
      let made = try shape.made()
      let slow = shape.slow
      guard case .copies(let placement) = made.placement else { return }
      _ = placement
      for mask in 0..<(1 << shape.sizes.count) {
        let present = shape.sizes.indices.map { mask >> $0 & 1 != 0 }
        let expected = stride(from: 0, to: made.byteCount, by: 4096).allSatisfy { offset in
          slow.places(of: offset).contains { present[$0.slot] }
        }
        let missing = present.count { !$0 }
        if missing <= made.redundancy {
          #expect(expected, "\(shape.testDescription) without \(missing)")
        }
      }
    }
  }

  @Test func `nonsense is refused`() {
    for layout in [0, 0x001, 0x100, 0x303, 0x80102, 0x60201] {
      #expect(throws: ArrayShapeError.layout(UInt32(layout))) {
        try Shape(level: 10, layout: layout, chunk: 4096, sizes: [65536, 65536, 65536, 65536])
          .made()
      }
    }
    for chunk in [0, 512, 4095, 5000, 1 << 31] {
      #expect(throws: ArrayShapeError.chunk(chunk)) {
        try Shape(level: 0, layout: 1, chunk: chunk, sizes: [65536, 65536]).made()
      }
    }
    #expect(throws: ArrayShapeError.memberSize) {
      try Shape(level: -1, layout: 0, chunk: 0, sizes: [.max, .max]).made()
    }
    #expect(throws: ArrayShapeError.slotCount(0)) {
      try Shape(level: 1, layout: 0, chunk: 0, sizes: []).made()
    }
  }
}
