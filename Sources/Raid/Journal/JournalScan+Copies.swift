import BinaryCodec
import BlockStorage
import LinuxSystem

// A record whose writing was cut off may lie on fewer members than it was for. It counts all the same, and what it
// speaks of is put in its place: from then on it must not be lost with a member any more.

extension JournalScan {
  /// Sees to it that each record of blocks lies whole and durable on so many members, as far as these have room for
  /// it: before anything of it is put in its place.
  func spread(over count: Int) {
    var rooms = rooms
    for entry in entries where entry.record.kind == .content {
      var wholeCount = 0
      var torn: [Copy] = []
      for copy in entry.copies {
        if isWhole(copy, entry.record) { wholeCount += 1 } else { torn.append(copy) }
      }
      for copy in torn where wholeCount < count {
        if store(entry, at: copy, head: nil) { wholeCount += 1 }
      }
      let byteCount = entry.record.headByteCount + entry.record.contentByteCount
      for place in places.indices where wholeCount < count {
        guard let room = rooms[place], room.count >= byteCount,
          !entry.copies.contains(where: { $0.place == place })
        else { continue }
        let start = room.lowerBound
        let copy = Copy(place: place, contentOffset: start + entry.record.headByteCount)
        guard store(entry, at: copy, head: start) else { continue }
        rooms[place] = start + byteCount..<room.upperBound
        wholeCount += 1
      }
    }
  }

  private func isWhole(_ copy: Copy, _ record: JournalRecord) -> Bool {
    var buffer = AlignedBuffer(byteCount: 4096)
    var index = 0
    for extent in record.extents {
      let prefix = BlockSums.prefixRegister(
        arrayID: places[copy.place].arrayID, slot: UInt32(extent.slot))
      for block in extent.blocks {
        var bytes = buffer.mutableBytes
        let isRead =
          (try? places[copy.place].device.read(
            into: &bytes, range: 0..<4096, at: copy.contentOffset + index * 4096)) != nil
        guard isRead,
          blockSum(of: bytes.bytes, at: 0, block: block, prefixRegister: prefix)
            == record.sums[index]
        else { return false }
        index += 1
      }
    }
    return true
  }

  /// Writes the blocks of a record, and then its head, where it has none there yet.
  ///
  /// - Returns: false where that can't be done: whoever writes to the member next will find that out, too.
  private func store(_ entry: Entry, at copy: Copy, head: Int?) -> Bool {
    let device = places[copy.place].device
    var buffer = AlignedBuffer(byteCount: 4096)
    do throws(DeviceError) {
      for (index, source) in entry.sources.enumerated() {
        var bytes = buffer.mutableBytes
        try places[source.place].device.read(into: &bytes, range: 0..<4096, at: source.offset)
        try device.write(bytes.bytes, range: 0..<4096, at: copy.contentOffset + index * 4096)
      }
      if let head {
        let byteCount = entry.record.headByteCount
        var record = AlignedBuffer(byteCount: byteCount)
        var bytes = record.mutableBytes
        entry.record.encodeHead(arrayID: places[copy.place].arrayID, into: &bytes)
        try device.write(bytes.bytes, range: 0..<byteCount, at: head)
      }
      try device.flush()
      return true
    } catch {
      return false
    }
  }
}
