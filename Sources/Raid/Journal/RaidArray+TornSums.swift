import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

// Blocks of sums that were being written when the power went are of two times, sector by sector. What the journal does
// not speak of was the same at both, and what it does is given anew; so they can be believed. But a block of sums may
// also have been damaged before, which the crash does not mend: so all that the journal does not speak of is compared
// with the data first, and what does not agree stays as damaged as it was.

extension RaidArray {
  /// Goes through the blocks of sums that records may have left torn.
  func acceptTornSums(of records: [JournalRecord]) throws(RaidError) {
    var spoken: [Int: RangeSet<Int>] = [:]
    for record in records {
      for extent in record.extents {
        eachSlot(of: extent) { slot, blocks in
          spoken[slot, default: RangeSet()].insert(contentsOf: blocks)
        }
      }
    }
    let slots = members.slots
    try memory.with { (memory) throws(RaidError) in
      for (slot, blocks) in spoken {
        for member in slots[slot].writable {
          do throws(DeviceError) {
            try member.acceptTornSums(besides: blocks, &memory)
          } catch {
            try members.fail(member, error)
          }
        }
      }
    }
  }

  /// The blocks of members that an extent speaks of.
  private func eachSlot(of extent: JournalRecord.Extent, _ body: (Int, Range<Int>) -> Void) {
    if extent.slot != JournalRecord.Extent.wholeArray { return body(extent.slot, extent.blocks) }
    guard case .copies(let copies) = segments[0].data else { return }
    var places: [CopyPlacement.Place] = []
    var offset = extent.blocks.lowerBound * 4096
    let end = min(byteCount, extent.blocks.upperBound * 4096)
    while offset < end {
      let count = min(end - offset, copies.placement.locate(offset, into: &places))
      for place in places {
        body(place.slot, place.offset / 4096..<(place.offset + count + 4095) / 4096)
      }
      offset += count
    }
  }
}

extension Member {
  /// - Parameter spoken: blocks whose sums will be given anew.
  fileprivate func acceptTornSums(
    besides spoken: RangeSet<Int>, _ memory: inout WorkingMemory
  ) throws(DeviceError) {
    guard let sums else { return }
    for range in spoken.ranges {
      for torn in try sums.tornPages(in: range) {
        var doubtful: Set<Int> = []
        for block in torn.blocks where !spoken.contains(block) {
          if try !agrees(block, torn.sums[block - torn.blocks.lowerBound], &memory) {
            doubtful.insert(block)
          }
        }
        try sums.accept(torn.blocks, besides: doubtful)
      }
    }
  }

  /// Whether a block has this sum, or nothing is to be known of it; one that is marked as lost is to stay so.
  private func agrees(
    _ block: Int, _ sum: UInt32, _ memory: inout WorkingMemory
  ) throws(DeviceError) -> Bool {
    let start = block * 4096
    let range = start..<min(start + 4096, max(dataByteCount, start + 512))
    guard trustsSums, let sums, isReadable(range) else { return true }
    do throws(DeviceError) {
      var bytes = memory.blocks.mutableBytes
      try read(into: &bytes, range: 0..<range.count, at: start)
    } catch {
      if case .unreadable = error { return true }
      throw error
    }
    let found = blockSum(
      of: memory.blocks.bytes, range: 0..<range.count, block: block,
      prefixRegister: sums.prefixRegister)
    return found == sum || found == ~sum || sum == BlockSums.poisonOfNothing
  }
}
