import RaidGeometry

/// A layout, said as relations between two slots: "what ends on slot a goes on at slot b, so many rows
/// further". Rows repeat after a period; `rowClass` is the number of a row in it.
///
/// Whatever the level, an order of the members is then as good as the sum of what each relation finds
/// between the members that it puts on the two slots.
struct LayoutTerms {
  struct Relation {
    enum Kind { case follows, equals }
    let kind: Kind
    let rowClass: Int
    let rowDelta: Int
    let from: Int
    let to: Int
  }

  static let rowDeltaCount = 4

  let period: Int
  var relations: [Relation] = []
  /// Slots that hold P, by class of row.
  var paritySlots: [(rowClass: Int, slot: Int)] = []
  /// For `far` copies: the slot of the first and of the next copy, a stride apart.
  var farPairs: [(from: Int, to: Int)] = []

  init(period: Int) { self.period = period }

  init(_ shape: ArrayShape) {
    switch shape.placement {
    case .parity(let parity):
      period = parity.patternCount
      for row in 0..<period {
        let pattern = parity.pattern(ofRow: row)
        let next = parity.pattern(ofRow: row + 1)
        for (from, to) in zip(pattern.dataSlots, pattern.dataSlots.dropFirst()) {
          relations.append(.init(kind: .follows, rowClass: row, rowDelta: 0, from: from, to: to))
        }
        if let last = pattern.dataSlots.last, let first = next.dataSlots.first {
          relations.append(
            .init(kind: .follows, rowClass: row, rowDelta: 1, from: last, to: first))
        }
        if let p = pattern.paritySlots.first { paritySlots.append((row, p)) }
      }
    case .copies(let copies):
      let near = shape.level == .mirroredStripes ? Int(shape.layout & 0xff) : 1
      let far = shape.level == .mirroredStripes ? Int(shape.layout >> 8 & 0xff) : 1
      let usesOffset = shape.level == .mirroredStripes && shape.layout & 0x10000 != 0
      let isFar = far > 1 && !usesOffset
      period = shape.level == .linear || shape.level == .mirrored ? 1 : near * (isFar ? 1 : far)
      guard shape.chunkByteCount > 0, shape.level != .linear else { return }
      addCopies(
        copies, chunk: shape.chunkByteCount, slotCount: shape.slotCount,
        copyLimit: isFar ? near : near * far, farStep: isFar ? far : 1)
      if isFar {
        for slot in 0..<shape.slotCount { farPairs.append((slot, (slot + near) % shape.slotCount)) }
      }
    }
  }

  private mutating func addCopies(
    _ copies: CopyPlacement, chunk: Int, slotCount: Int, copyLimit: Int, farStep: Int
  ) {
    var places: [CopyPlacement.Place] = []
    var next: [CopyPlacement.Place] = []
    var index = 0
    // Near copies come far copies apart in the list; without far copies the step is 1.
    func take(_ offset: Int, _ places: inout [CopyPlacement.Place]) {
      places.removeAll(keepingCapacity: true)
      _ = copies.locate(offset, into: &places)
      places = stride(from: 0, to: places.count, by: farStep).map { places[$0] }
    }
    while (index + 2) * chunk <= copies.byteCount {
      take(index * chunk, &places)
      guard let first = places.first, first.offset / chunk < 2 * period else { break }
      if first.offset / chunk >= period {
        take((index + 1) * chunk, &next)
        for (number, place) in places.enumerated() {
          let row = place.offset / chunk
          for other in next {
            add(.follows, row, other.offset / chunk - row, place.slot, other.slot)
          }
          for other in places[(number + 1)...] {
            add(.equals, row, other.offset / chunk - row, place.slot, other.slot)
          }
        }
      }
      index += 1
    }
  }

  private mutating func add(_ kind: Relation.Kind, _ row: Int, _ delta: Int, _ from: Int, _ to: Int)
  {
    if (0..<Self.rowDeltaCount).contains(delta) {
      relations.append(
        .init(kind: kind, rowClass: row % period, rowDelta: delta, from: from, to: to))
    } else if kind == .equals, (1..<Self.rowDeltaCount).contains(-delta) {
      relations.append(
        .init(
          kind: kind, rowClass: (row + delta) % period, rowDelta: -delta, from: to, to: from))
    }
  }
}

extension LayoutTerms {
  /// One member after the other.
  init(chain count: Int) {
    self.init(period: 1)
    relations = (0..<max(0, count - 1)).map {
      Relation(kind: .follows, rowClass: 0, rowDelta: 0, from: $0, to: $0 + 1)
    }
  }
}
