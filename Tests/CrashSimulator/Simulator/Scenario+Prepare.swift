import FToolTestSupport
import LinuxSystem
import Raid
import RaidGeometry

extension Scenario {
  /// The slot that is empty in a degraded array.
  private var emptySlot: Int { 0 }

  /// The slot that the operation is about: that of the member that is filled, replaced or failed.
  var target: Int {
    // Offset copies lie on slots next to each other, and the last one is next to the first.
    cell.level == .offset ? 2 : geometry.slotCount - 1
  }

  /// The member that is not of the array when the operation begins.
  var newcomer: Int { geometry.slotCount }

  /// Brings the array into the state in which the operation finds it.
  func prepare(isTiny: Bool) throws {
    slots[newcomer] = target
    if cell.health == .degraded { try lose(emptySlot) }
    switch cell.operation {
    case .write, .replace, .metadata: break
    case .grow:
      let isParity = geometry.parityCount > 0 && geometry.level != 4 && geometry.level != 0x6563
      let isRoomy = plan.level == .mirroredStripes && plan.dataOffset ?? 0 > 48 << 10
      if isParity || isRoomy, Int.random(in: 0..<3, using: &random) == 0 { try moveToFront() }
    case .rebuild:
      try lose(target)
    case .scrub: try damage()
    }
  }

  /// Takes a member away. Either the others have it written down, and have been written to since, or it
  /// is the operation that is to find out.
  private func lose(_ slot: Int) throws {
    present.removeAll { $0 == slot }
    mayLack.insert(slot)
    if Int.random(in: 0..<3, using: &random) == 0 { return }
    let array = try open(present)
    for _ in 0..<2 {
      let offset = Int.random(in: 0..<geometry.byteCount - 512, using: &random)
      let count = min(Int.random(in: 1...5000, using: &random), geometry.byteCount - offset)
      markedBefore.append(offset..<offset + count)
      try array.write(random.bytes(count), at: offset)
    }
    try array.close()
    history.withLock { $0 = ArrayHistory(initial: $0.latest) }
  }

  /// Damages blocks of some members, no more than can be put right.
  private func damage() throws {
    let missing = Set(geometry.sizes.indices).subtracting(present)
    let damagedSlots = present.filter { geometry.survives(without: missing.union([$0])) }
    guard let slot = damagedSlots.randomElement(using: &random) else { return }
    // Without sums, only two parities or three copies know who is wrong.
    if !plan.hasSums {
      let copies = geometry.parityCount > 0 ? 0 : geometry.places(of: 0).count
      guard missing.isEmpty, geometry.parityCount >= 2 || copies >= 3 else { return }
      hidesDamage = true
    }
    isDamaged = true
    let start = try dataOffset
    let count = geometry.sizes[slot] / 4096
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let block = Int.random(in: 0..<count, using: &random)
      let bytes = random.bytes(4096)
      bytes.withUnsafeBytes { bytes in
        members[slot].put(bytes, atSector: (start + block * 4096) / 512, count: 8)
      }
    }
  }
}
