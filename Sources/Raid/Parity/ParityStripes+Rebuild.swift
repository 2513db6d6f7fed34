import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension ParityStripes {
  /// Where the part of a rebuild that starts at a member offset ends: one band, or a large hole.
  func rebuildPartEnd(_ offset: Int, onto target: Member, of slot: Int) -> Int {
    let hole = endOfHole(offset, onto: target, of: slot)
    if hole > offset { return hole }
    let limit = Band.columnLimit(
      bufferByteCount: WorkingMemory.byteCount(slotCount: placement.slotCount),
      columnCount: placement.slotCount)
    return placement.band(atMemberOffset: offset, columnLimit: limit).memberRange.upperBound
  }

  private func endOfHole(_ offset: Int, onto target: Member, of slot: Int) -> Int {
    let end = endOfHole(from: offset, isExcluded: { $0 == slot })
    guard end > offset else { return offset }
    let own = target.endOfHole(in: offset..<end)
    return own - offset < 8 << 20
      ? offset : own / placement.chunkByteCount * placement.chunkByteCount
  }

  /// Computes what a slot holds in a part of the array and writes it to a member.
  ///
  /// - Parameter source: whether the slot's own member may be read, as when it is being replaced.
  /// - Returns: data offsets of blocks of which too much is lost; they are marked as such on the member.
  func rebuild(
    _ slot: Int, onto target: Member, _ memberRange: Range<Int>, readsOwn: Bool,
    memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    let limit = Band.columnLimit(
      bufferByteCount: memory.buffer.byteCount, columnCount: placement.slotCount)
    var lost: [Int] = []
    var offset = memberRange.lowerBound
    while offset < memberRange.upperBound {
      let hole = min(endOfHole(offset, onto: target, of: slot), memberRange.upperBound)
      if hole > offset {
        offset = hole
        continue
      }
      // What a bitmap has marked may begin and end inside a row.
      let band = placement.band(
        atMemberOffset: offset, columnLimit: min(limit, memberRange.upperBound - offset))
      lost += try locks.withLock(band.rows, exclusive: true) { () throws(RaidError) -> [Int] in
        try rebuildHolding(slot, onto: target, band, readsOwn: readsOwn, memory: &memory)
      }
      offset = band.memberRange.upperBound
    }
    return lost
  }

  private func rebuildHolding(
    _ slot: Int, onto target: Member, _ band: Band, readsOwn: Bool, memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    let (readers, end) = readers(
      at: band.memberRange.lowerBound, in: band, isExcluded: { $0 == slot })
    let others = readers.compactMap { $0 }
    if others.count == placement.slotCount - 1, end == band.memberRange.upperBound,
      isKnownZero(band, others), target.isHole(band.memberRange)
    {
      return []
    }
    var wanted = [Bool](repeating: false, count: placement.slotCount)
    wanted[slot] = true
    let loaded = try load(
      band, .slots(wanted), isExcluded: { $0 == slot && !readsOwn }, into: &memory)
    var lost: [Int] = []
    for loss in loaded.losses {
      lost.append(
        contentsOf: Swift.stride(
          from: loss.memberRange.lowerBound, to: loss.memberRange.upperBound, by: 4096))
    }
    let place = band.column(slot)
    do throws(DeviceError) {
      try target.writeRebuilt(
        memory.buffer.bytes, range: place..<place + band.byteCount,
        at: band.memberRange.lowerBound, lost: lost.sorted(), sums: memory.sums)
    } catch {
      try members.fail(target, error)
      throw .member(name: target.name, error)
    }
    return lost
  }
}
