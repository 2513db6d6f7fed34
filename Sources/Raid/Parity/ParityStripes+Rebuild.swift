import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Where the part of a rebuild that starts at a member offset ends: one band.
  func rebuildPartEnd(_ offset: Int) -> Int {
    let limit = Band.columnLimit(
      bufferByteCount: WorkingMemory.byteCount(slotCount: placement.slotCount),
      columnCount: placement.slotCount)
    return placement.band(atMemberOffset: offset, columnLimit: limit).memberRange.upperBound
  }

  /// Computes what a slot holds in a part of the array and writes it to a member.
  ///
  /// - Parameter source: whether the slot's own member may be read, as when it is being replaced.
  /// - Returns: data offsets of blocks of which too much is lost; the member's sum for them is one that
  ///   nothing agrees with, so that they are never taken for good.
  func rebuild(
    _ slot: Int, onto target: Member, _ memberRange: Range<Int>, readsOwn: Bool,
    memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    let row = memberRange.lowerBound / placement.chunkByteCount
    let isOneRow = memberRange.upperBound <= (row + 1) * placement.chunkByteCount
    let start = memberRange.lowerBound - row * placement.chunkByteCount
    let band =
      isOneRow
      ? Band(
        rows: row..<row + 1, columns: start..<start + memberRange.count,
        chunkByteCount: placement.chunkByteCount)
      : Band(
        rows: row..<memberRange.upperBound / placement.chunkByteCount,
        columns: 0..<placement.chunkByteCount, chunkByteCount: placement.chunkByteCount)
    return try locks.withLock(band.rows, exclusive: true) { () throws(RaidError) -> [Int] in
      try rebuildHolding(slot, onto: target, band, readsOwn: readsOwn, memory: &memory)
    }
  }

  private func rebuildHolding(
    _ slot: Int, onto target: Member, _ band: Band, readsOwn: Bool, memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    let others = readers(of: band, isExcluded: { $0 == slot }).compactMap { $0 }
    if others.count == placement.slotCount - 1, isKnownZero(band, others),
      target.isHole(band.memberRange)
    {
      return []
    }
    var lost: [Int] = []
    var wanted = [Bool](repeating: false, count: placement.slotCount)
    wanted[slot] = true
    do throws(RaidError) {
      _ = try load(band, .slots(wanted), isExcluded: { $0 == slot && !readsOwn }, into: &memory)
    } catch {
      guard case .lost = error else { throw error }
      lost = try rebuildByBlocks(slot, band, readsOwn: readsOwn, memory: &memory)
    }
    let place = band.column(slot, band.stride)
    do throws(DeviceError) {
      try target.writeFresh(
        memory.buffer.bytes, range: place..<place + band.byteCount,
        at: band.memberRange.lowerBound, sums: memory.sums)
      for offset in lost { try target.sums?.poison(block: offset / 4096) }
    } catch {
      try members.fail(target, error)
      throw .member(name: target.name, error)
    }
    return lost
  }

  /// The same block by block, where not everything can be had.
  private func rebuildByBlocks(
    _ slot: Int, _ band: Band, readsOwn: Bool, memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    var lost: [Int] = []
    for offset in Swift.stride(
      from: band.memberRange.lowerBound, to: band.memberRange.upperBound, by: 4096)
    {
      do throws(RaidError) {
        try restore(
          BadBlock(slot: slot, offset: offset, kind: .unreadable), in: band, memory: &memory)
      } catch {
        guard case .lost = error else { throw error }
        let row = offset / placement.chunkByteCount
        let at =
          band.chunk(slot, row: row, band.stride)
          + offset - row * placement.chunkByteCount - band.columns.lowerBound
        var bytes = memory.buffer.mutableBytes
        bytes.zero(at..<at + 4096)
        lost.append(offset)
      }
    }
    return lost
  }
}
