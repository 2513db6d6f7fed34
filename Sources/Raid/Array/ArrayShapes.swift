import MDFormat
import RaidGeometry

/// The shape of an array, or both shapes of one that is being reshaped.
struct ArrayShapes {
  let old: ArrayShape
  let new: ArrayShape?
  /// Size of the array; while a reshape runs, what both shapes have.
  let byteCount: Int
  /// Array bytes that have the old and the new shape already.
  let ranges: (old: Range<Int>, new: Range<Int>)

  /// What to do about sizes of members that are not there.
  private struct Sizes {
    var assumes: Bool
    var said: [Int]?
  }

  /// - Parameter assumesSizes: takes members of linear and RAID 0 that are not there to be as large as the
  ///   others, where these are all alike.
  /// - Parameter memberByteCounts: data bytes by slot, for linear and RAID 0, where they were said.
  /// - Throws: `notStartable` for a level or a shape that makes no sense.
  init(
    _ assembly: Assembly, assumesSizes: Bool = false, memberByteCounts: [Int]? = nil
  ) throws(RaidError) {
    let sizes = Sizes(assumes: assumesSizes, said: memberByteCounts)
    let superblock = assembly.reference
    old = try Self.shape(
      assembly, level: superblock.level, layout: superblock.layout,
      chunkSectors: superblock.chunkSectors, slotCount: superblock.previousSlotCount,
      sizes)
    guard superblock.isReshaping else {
      new = nil
      byteCount = old.byteCount
      ranges = (0..<old.byteCount, 0..<0)
      return
    }
    let reshape = superblock.reshape
    let new = try Self.shape(
      assembly, level: reshape.newLevel, layout: reshape.newLayout,
      chunkSectors: reshape.newChunkSectors, slotCount: superblock.slotCount,
      sizes)
    self.new = new
    byteCount = min(old.byteCount, new.byteCount)
    let position = min(
      byteCount, Int(clamping: reshape.positionSectors).multipliedOrMax(by: 512))
    ranges =
      superblock.reshapesBackwards
      ? (0..<position, position..<byteCount) : (position..<byteCount, 0..<position)
  }

  private static func shape(
    _ assembly: Assembly, level: Int32, layout: UInt32, chunkSectors: UInt32, slotCount: Int,
    _ sizesOfMembers: Sizes
  ) throws(RaidError) -> ArrayShape {
    let superblock = assembly.reference
    guard let raidLevel = RaidLevel(number: level, layout: layout) else {
      throw .notStartable(.unknownLevel(level))
    }
    let sizes: [Int]
    if raidLevel.usesWholeMembers {
      if let said = sizesOfMembers.said {
        sizes = said
      } else {
        sizes = try Self.sizes(
          assembly, slotCount: slotCount, assumesSizes: sizesOfMembers.assumes)
      }
    } else {
      sizes = [Int](repeating: Int(superblock.sizeSectors) * 512, count: slotCount)
    }
    var word = layout
    if raidLevel == .striped, superblock.version != .v0_90,
      !superblock.features.contains(.raid0Layout)
    {
      word = 0
    }
    do throws(ArrayShapeError) {
      return try ArrayShape(
        level: raidLevel, layout: word, chunkByteCount: Int(chunkSectors) * 512,
        slotCount: slotCount, memberByteCounts: sizes)
    } catch {
      throw .notStartable(.badShape(error))
    }
  }

  /// Data bytes by slot, for levels that use all of each member.
  private static func sizes(
    _ assembly: Assembly, slotCount: Int, assumesSizes: Bool
  ) throws(RaidError) -> [Int] {
    var sizes = (0..<slotCount).map { slot -> Int? in
      guard assembly.holders.indices.contains(slot), let index = assembly.holders[slot].member
      else { return nil }
      return Int(assembly.members[index].superblock.dataSizeSectors) * 512
    }
    let missing = sizes.indices.filter { sizes[$0] == nil }
    if missing.isEmpty { return sizes.compactMap { $0 } }
    guard assumesSizes else {
      throw .notStartable(
        .tooFew(
          missingSlots: missing, needed: slotCount, present: slotCount - missing.count))
    }
    // One that is there and not used says how large it is.
    for probe in assembly.members {
      guard case .slot(let slot) = probe.superblock.role, missing.contains(slot) else { continue }
      sizes[slot] = Int(probe.superblock.dataSizeSectors) * 512
    }
    let known = Set(sizes.compactMap { $0 })
    let unknown = sizes.indices.filter { sizes[$0] == nil }
    guard unknown.isEmpty || known.count == 1 else {
      throw .notStartable(.unknownSizes(missingSlots: unknown))
    }
    return sizes.map { $0 ?? known.first ?? 0 }
  }
}
