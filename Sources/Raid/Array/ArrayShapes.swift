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

  /// - Throws: `notStartable` for a level or a shape that makes no sense.
  init(_ assembly: Assembly) throws(RaidError) {
    let superblock = assembly.reference
    old = try Self.shape(
      assembly, level: superblock.level, layout: superblock.layout,
      chunkSectors: superblock.chunkSectors, slotCount: superblock.previousSlotCount)
    guard superblock.isReshaping else {
      new = nil
      byteCount = old.byteCount
      ranges = (0..<old.byteCount, 0..<0)
      return
    }
    let reshape = superblock.reshape
    let new = try Self.shape(
      assembly, level: reshape.newLevel, layout: reshape.newLayout,
      chunkSectors: reshape.newChunkSectors, slotCount: superblock.slotCount)
    self.new = new
    byteCount = min(old.byteCount, new.byteCount)
    let position = min(
      byteCount, Int(clamping: reshape.positionSectors).multipliedOrMax(by: 512))
    ranges =
      superblock.reshapesBackwards
      ? (0..<position, position..<byteCount) : (position..<byteCount, 0..<position)
  }

  private static func shape(
    _ assembly: Assembly, level: Int32, layout: UInt32, chunkSectors: UInt32, slotCount: Int
  ) throws(RaidError) -> ArrayShape {
    let superblock = assembly.reference
    guard let raidLevel = RaidLevel(number: level, layout: layout) else {
      throw .notStartable(.unknownLevel(level))
    }
    let sizes: [Int]
    if raidLevel.usesWholeMembers {
      var missing: [Int] = []
      var found: [Int] = []
      for slot in 0..<slotCount {
        if assembly.holders.indices.contains(slot), let index = assembly.holders[slot].member {
          found.append(Int(assembly.members[index].superblock.dataSizeSectors) * 512)
        } else {
          missing.append(slot)
        }
      }
      guard missing.isEmpty else {
        throw .notStartable(
          .tooFew(missingSlots: missing, needed: slotCount, present: found.count))
      }
      sizes = found
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
}
