import FToolTestSupport
import Testing

@testable import RaidGeometry

@Suite struct ParityPlacementTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var level: Int
    var layout: Int
    var testDescription: String { "level \(level), layout \(layout)" }

    static let all =
      [Shape(level: 4, layout: 0)]
      + [5, 6].flatMap { level in
        SlowGeometry.parityLayouts(ofLevel: level).map { Shape(level: level, layout: $0) }
      } + (1...6).map { Shape(level: 0x6563, layout: $0) }

    func arrayShape(_ slotCount: Int, _ size: Int, chunk: Int = 4096) throws -> ArrayShape {
      try ArrayShape(
        level: RaidLevel(number: Int32(level), layout: UInt32(layout))!, layout: UInt32(layout),
        chunkByteCount: chunk, slotCount: slotCount,
        memberByteCounts: [Int](repeating: size, count: slotCount))
    }
  }

  @Test(arguments: Shape.all) func `agrees with the tables`(_ shape: Shape) throws {
    var compared = 0
    for slotCount in 2...9 {
      let rows = 2 * slotCount + 3
      guard let made = try? shape.arrayShape(slotCount, rows * 4096 + 512) else { continue }
      let slow = SlowGeometry(
        level: shape.level, layout: shape.layout, chunk: 4096, slotCount: slotCount,
        sizes: [Int](repeating: rows * 4096 + 512, count: slotCount))
      guard case .parity(let placement) = made.placement else {
        Issue.record("no parity")
        return
      }
      #expect(made.byteCount == slow.byteCount)
      #expect(placement.rowCount == rows)
      for row in 0..<rows {
        let pattern = placement.pattern(ofRow: row)
        let roles = slow.roles(ofRow: row)
        for slot in 0..<slotCount {
          switch (pattern.roles[slot], roles[slot]) {
          case (.parity(let index), .parity(let other)): #expect(index == other)
          case (.data(let column), .data(let other, let exponent)):
            #expect(column == other)
            #expect(pattern.codePositions[column] == exponent)
            #expect(pattern.dataSlots[column] == slot)
          default: Issue.record("row \(row), slot \(slot) of \(slotCount)")
          }
        }
        // Each slot once, and positions that a code can tell apart.
        #expect(Set(pattern.dataSlots + pattern.paritySlots).count == slotCount)
        #expect(Set(pattern.codePositions).count == pattern.dataSlots.count)
        #expect(
          placement.pattern(ofRow: row).dataSlots
            == placement.pattern(ofRow: row + placement.patternCount).dataSlots)
        compared += 1
      }
    }
    #expect(compared > 0)
  }

  @Test func `left-symmetric of four looks as everybody draws it`() throws {
    let shape = try Shape(level: 5, layout: 2).arrayShape(4, 4 * 4096)
    guard case .parity(let placement) = shape.placement else { return }
    #expect((0..<4).map { placement.pattern(ofRow: $0).paritySlots } == [[3], [2], [1], [0]])
    #expect(
      (0..<4).map { placement.pattern(ofRow: $0).dataSlots }
        == [[0, 1, 2], [3, 0, 1], [2, 3, 0], [1, 2, 3]])
  }

  @Test func `two parities of five, left-symmetric`() throws {
    let shape = try Shape(level: 6, layout: 2).arrayShape(5, 5 * 4096)
    guard case .parity(let placement) = shape.placement else { return }
    #expect(
      (0..<5).map { placement.pattern(ofRow: $0).paritySlots }
        == [[4, 0], [3, 4], [2, 3], [1, 2], [0, 1]])
    #expect(placement.pattern(ofRow: 1).dataSlots == [0, 1, 2])
    #expect(placement.pattern(ofRow: 2).dataSlots == [4, 0, 1])
  }

  @Test(arguments: Shape.all) func `every number of slots to 255 makes an array quickly`(
    _ shape: Shape
  ) throws {
    let clock = ContinuousClock()
    let time = try clock.measure {
      for slotCount in 8...255 where slotCount % 19 == 8 || slotCount > 252 {
        let made = try shape.arrayShape(slotCount, 3 * 4096)
        guard case .parity(let placement) = made.placement else { return }
        #expect(placement.pattern(ofRow: 2).roles.count == slotCount)
      }
    }
    #expect(time < .seconds(20))
  }

  @Test func `more than 255 slots cannot be coded`() {
    for shape in Shape.all {
      #expect(throws: ArrayShapeError.slotCount(256)) { try shape.arrayShape(256, 1 << 20) }
    }
  }

  @Test func `needs more slots than parities`() {
    for shape in Shape.all {
      let parities = shape.level == 6 ? 2 : shape.level == 0x6563 ? shape.layout : 1
      #expect(throws: ArrayShapeError.self) { try shape.arrayShape(parities, 1 << 20) }
    }
  }

  @Test func `layouts that a level does not have are refused`() {
    for layout in 0..<40 {
      for level in [5, 6] where !SlowGeometry.parityLayouts(ofLevel: level).contains(layout) {
        #expect(throws: ArrayShapeError.layout(UInt32(layout))) {
          try Shape(level: level, layout: layout).arrayShape(6, 1 << 20)
        }
      }
    }
  }
}
