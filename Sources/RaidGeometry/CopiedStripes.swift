/// RAID 10: chunks in turn over the members, each `near` times side by side and `far` times further
/// down, or in the next rows for `offset` (drivers/md/raid10.c, `__raid10_find_phys`). Bytes throughout,
/// except what is called chunk or row.
package struct CopiedStripes: Sendable, Equatable {
  /// Members over which chunks and copies go.
  package let slotCount: Int
  /// Bytes on one member before the next has its turn.
  package let chunkByteCount: Int
  /// Copies side by side, in the same row.
  package let nearCount: Int
  /// Copies further down, each `nearCount` times.
  package let farCount: Int
  /// Whether far copies are in the rows right below, and not a stride away.
  package let usesOffset: Bool
  /// Members whose far copies go round among themselves; normally all.
  let farSetSize: Int
  let chunkCount: Int
  /// Chunks from one far copy to the next.
  let stride: Int

  /// Copies of each chunk, also where several of them are on one member.
  package var copyCount: Int { nearCount * farCount }
  /// On how many members the copies of a chunk are at the least: fewer than there are copies where these
  /// go round in sets that are too small for them (the old variant of far sets).
  package var distinctCopyCount: Int { farSetSize >= copyCount ? copyCount : nearCount }
  /// Size of the array.
  package var byteCount: Int { chunkCount * chunkByteCount }

  /// - Parameter layout: the superblock's word: near in bits 0-7, far in 8-15, offset in bit 16, the
  ///   variant of far sets in 17-18. nil when it makes no sense for so many slots.
  package init?(layout: UInt32, slotCount: Int, chunkByteCount: Int, memberByteCount: Int) {
    let near = Int(layout & 0xff)
    let far = Int(layout >> 8 & 0xff)
    guard layout >> 19 == 0, near > 0, far > 0, near * far <= slotCount else { return nil }
    let offset = layout & 0x10000 != 0
    switch layout >> 17 & 3 {
    case 0: farSetSize = slotCount
    case 1: farSetSize = slotCount / far
    case 2: farSetSize = far * near
    default: return nil
    }
    guard farSetSize > 0 else { return nil }
    self.slotCount = slotCount
    self.chunkByteCount = chunkByteCount
    nearCount = near
    farCount = far
    usesOffset = offset
    chunkCount = memberByteCount / chunkByteCount / far * slotCount / near
    let rows = (chunkCount * near * far + slotCount - 1) / slotCount
    stride = offset ? 1 : rows / far
  }

  func locate(_ offset: Int, into places: inout [CopyPlacement.Place]) -> Int {
    let within = offset % chunkByteCount
    let first = offset / chunkByteCount * nearCount
    var slot = first % slotCount
    var row = first / slotCount * (usesOffset ? farCount : 1)
    for _ in 0..<nearCount {
      var copySlot = slot
      for far in 0..<farCount {
        let memberChunk = row + far * stride
        places.append(.init(slot: copySlot, offset: memberChunk * chunkByteCount + within))
        copySlot = turned(copySlot, by: nearCount)
      }
      slot += 1
      if slot == slotCount {
        slot = 0
        row += usesOffset ? farCount : 1
      }
    }
    return chunkByteCount - within
  }

  func arrayRange(at place: CopyPlacement.Place, limit: Int) -> (offset: Int, byteCount: Int)? {
    let within = place.offset % chunkByteCount
    let memberChunk = place.offset / chunkByteCount
    let far = usesOffset ? memberChunk % farCount : stride == 0 ? 0 : memberChunk / stride
    let row = usesOffset ? memberChunk / farCount : memberChunk - far * stride
    guard far < farCount else { return nil }
    let slot = turned(place.slot, by: -nearCount * far)
    let chunk = (row * slotCount + slot) / nearCount
    guard chunk < chunkCount else { return nil }
    return (chunk * chunkByteCount + within, min(limit, chunkByteCount - within))
  }

  /// The slot so many steps on, going round inside its far set; the last set takes in the rest.
  private func turned(_ slot: Int, by steps: Int) -> Int {
    var start = slot / farSetSize * farSetSize
    var size = farSetSize
    let rest = slotCount % farSetSize
    let lastStart = (slotCount / farSetSize - 1) * farSetSize
    if rest != 0 && slot >= lastStart {
      start = lastStart
      size = farSetSize + rest
    }
    let turned = (slot - start + steps) % size
    return start + (turned < 0 ? turned + size : turned)
  }
}
