/// The whole arithmetic of an array: which byte lies where, and how many bytes there are.
///
/// An array that is being reshaped has two of them.
package struct ArrayShape: Sendable, Equatable {
  /// Where the bytes lie: in copies, or in rows with parity.
  package enum Placement: Sendable, Equatable {
    case copies(CopyPlacement)
    case parity(ParityPlacement)
  }

  /// The level; for `ec` with its number of parities.
  package let level: RaidLevel
  /// The superblock's layout word.
  package let layout: UInt32
  /// 0 for RAID 1 and for linear without rounding.
  package let chunkByteCount: Int
  /// Members that a whole array has; without spares.
  package let slotCount: Int
  /// Data bytes of each member that the array uses or may use, by slot.
  package let memberByteCounts: [Int]
  /// The arithmetic of this level and layout.
  package let placement: Placement
  /// Size of the array, in bytes.
  package let byteCount: Int

  /// RAID 6 as it lies on the way from or to RAID 5: with the second parity on the last member.
  package var isBetweenRaid5And6: Bool {
    level == .doubleParity && ParityRotation(rawValue: layout).map { $0.rawValue >= 16 } == true
  }

  /// The level as it is asked for and shown: `raid5`, `ec:4+2`.
  package var levelName: String { level.name(slotCount: slotCount) }

  /// - Parameters:
  ///   - layout: the superblock's word. For RAID 0 it is 1, 2, or 0 for "not said", which is enough
  ///     where all members are alike.
  ///   - memberByteCounts: for linear and RAID 0 each member's own data bytes; for the others the
  ///     superblock's `size`, the same for all.
  package init(
    level: RaidLevel, layout: UInt32, chunkByteCount: Int, slotCount: Int, memberByteCounts: [Int]
  ) throws(ArrayShapeError) {
    guard slotCount >= 1, slotCount <= 0xff00, memberByteCounts.count == slotCount else {
      throw .slotCount(slotCount)
    }
    guard memberByteCounts.allSatisfy({ $0 >= 0 && $0 <= Int.max >> 17 }) else {
      throw .memberSize
    }
    self.level = level
    self.layout = layout
    self.chunkByteCount = chunkByteCount
    self.slotCount = slotCount
    self.memberByteCounts = memberByteCounts
    let smallest = memberByteCounts.min() ?? 0
    switch level {
    case .linear:
      let used = memberByteCounts.map { chunkByteCount > 0 ? $0 - $0 % chunkByteCount : $0 }
      let copies = CopyPlacement(concatenating: used)
      placement = .copies(copies)
      byteCount = copies.byteCount
    case .striped:
      let copies = try Self.striped(memberByteCounts, chunkByteCount, layout)
      placement = .copies(copies)
      byteCount = copies.byteCount
    case .mirrored:
      placement = .copies(CopyPlacement(mirroring: smallest, slotCount: slotCount))
      byteCount = smallest
    case .mirroredStripes:
      try Self.checkChunk(chunkByteCount)
      guard
        let stripes = CopiedStripes(
          layout: layout, slotCount: slotCount, chunkByteCount: chunkByteCount,
          memberByteCount: smallest)
      else { throw .layout(layout) }
      placement = .copies(CopyPlacement(stripes))
      byteCount = stripes.byteCount
    case .dedicatedParity, .singleParity, .doubleParity, .erasureCoded:
      try Self.checkChunk(chunkByteCount)
      let rotation = try Self.rotation(level, layout)
      let parityCount = level.parityCount
      guard slotCount > parityCount, slotCount >= level.minimumSlotCount, slotCount <= 255 else {
        throw .slotCount(slotCount)
      }
      let parity = ParityPlacement(
        slotCount: slotCount, parityCount: parityCount, chunkByteCount: chunkByteCount,
        rowCount: smallest / chunkByteCount, rotation: rotation)
      placement = .parity(parity)
      byteCount = parity.rowCount * parity.rowByteCount
    }
  }

  /// How many members may be lost without loss of data, whichever they are.
  package var redundancy: Int {
    switch level {
    case .linear, .striped: 0
    case .mirrored: slotCount - 1
    case .dedicatedParity, .singleParity, .doubleParity, .erasureCoded: level.parityCount
    case .mirroredStripes:
      if case .copies(let copies) = placement { copies.distinctCopyCount - 1 } else { 0 }
    }
  }

  private static func checkChunk(_ chunkByteCount: Int) throws(ArrayShapeError) {
    guard chunkByteCount >= 4096, chunkByteCount % 4096 == 0, chunkByteCount <= 1 << 30 else {
      throw .chunk(chunkByteCount)
    }
  }

  private static func rotation(
    _ level: RaidLevel, _ layout: UInt32
  ) throws(ArrayShapeError) -> ParityRotation {
    switch level {
    case .dedicatedParity: return .parityLast
    case .erasureCoded(let parityCount):
      // Such a superblock says in its place how many parities there are.
      guard layout == UInt32(parityCount) else { throw .layout(layout) }
      return .leftSymmetric
    default:
      guard let rotation = ParityRotation(rawValue: layout),
        rotation.exists(withParityCount: level.parityCount)
      else { throw .layout(layout) }
      return rotation
    }
  }

  private static func striped(
    _ memberByteCounts: [Int], _ chunkByteCount: Int, _ layout: UInt32
  ) throws(ArrayShapeError) -> CopyPlacement {
    try checkChunk(chunkByteCount)
    guard layout <= 2 else { throw .layout(layout) }
    let used = memberByteCounts.map { $0 - $0 % chunkByteCount }
    let order = StripeZone.Order(rawValue: layout)
    let zones = StripeZone.zones(
      memberByteCounts: used, chunkByteCount: chunkByteCount, order: order ?? .original)
    guard order != nil || zones.dropFirst().allSatisfy({ $0.slots.count == 1 }) else {
      throw .zoneOrderUnknown
    }
    // The kernel masks the sum with the chunk, also where that is no power of two.
    let sum = used.reduce(0, +)
    return CopyPlacement(
      zones: zones, slotCount: used.count, byteCount: sum & ~(chunkByteCount - 1))
  }
}

/// Why numbers do not make an array.
package enum ArrayShapeError: Error, Equatable {
  case slotCount(Int)
  case chunk(Int)
  case layout(UInt32)
  case memberSize
  /// A RAID 0 of unequal members whose superblock does not say which of Linux's two orders it has.
  case zoneOrderUnknown
}
