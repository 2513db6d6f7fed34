import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

/// Using more of each member, or less: nothing of the array moves, its end does.
///
/// What is kept behind the data (checksums and the rest) goes to the member's new end first, as a copy; from
/// then on the superblocks say that there is more room. The new part is emptied, and only then belongs to the
/// array. Cut off anywhere, the array is as it was, and the same command goes on.
extension RaidArray {
  /// What the array would be.
  ///
  /// - Parameter size: bytes to use of each member; nil for as much as all of them have.
  package func resizedShape(_ size: Int?, allowsShrinking: Bool) throws(RaidError) -> ArrayShape {
    if assembly.reference.isReshaping { throw .unsuitable(.reshape(.underWay)) }
    guard shape.redundancy > 0, !shape.isFar else {
      throw .unsuitable(.reshape(.fixedSize(shape.levelName)))
    }
    try requireWhole()
    let room = (members.active + members.spares).map { member in
      (member.name, max(member.room.byteCount, member.dataRoom))
    }
    let least = room.min { $0.1 < $1.1 } ?? ("", 0)
    let unit = max(4096, shape.chunkByteCount)
    let now = shape.memberByteCounts.min() ?? 0
    let most = least.1 / unit * unit
    let wanted = (size ?? most) / unit * unit
    guard wanted <= most else {
      throw .unsuitable(.reshape(.noRoomToGrow(member: least.0, has: most, needs: wanted)))
    }
    if size == nil, most < now {
      throw .unsuitable(.reshape(.noRoomToGrow(member: least.0, has: most, needs: now + unit)))
    }
    guard wanted != now else { throw .unsuitable(.reshape(.nothingToChange)) }
    let new = try ReshapePlan.shape(like: shape, size: wanted)
    // As a new array has it: without a chunk of each member there is none.
    let needs = shape.chunkByteCount > 0 ? unit : 64 << 10
    guard wanted >= needs, new.byteCount > 0 else {
      throw .unsuitable(.reshape(.tooLittle(size ?? most, needs: needs)))
    }
    guard new.byteCount >= shape.byteCount || allowsShrinking else {
      throw .unsuitable(.reshape(.shrinks(from: shape.byteCount, to: new.byteCount)))
    }
    return new
  }

  /// Gives the array another size. It is closed then, and to be opened anew.
  package func resize(to new: ArrayShape, _ options: SweepOptions) throws(RaidError) -> Bool {
    try beginChanging()
    try flushAll()
    let size = new.memberByteCounts.min() ?? 0
    let old = shape.memberByteCounts.min() ?? 0
    try makeRoom(size)
    if size > old {
      try emptyUnused(upTo: old)
      guard try empty(old..<size, options) else {
        endWithoutUpdate()
        return false
      }
    }
    var change = MemberSet.Change()
    change.each = { _, superblock in superblock.sizeSectors = UInt64(size / 512) }
    change.outdatesCopies = true
    note(.finished, .reshape, .init(0, new.byteCount))
    try members.commit(change, bitmapOf: new)
    endWithoutUpdate()
    return true
  }

  /// Moves what lies behind the data where it is in the way.
  private func makeRoom(_ size: Int) throws(RaidError) {
    let moving = (members.active + members.spares).filter { $0.dataRoom < size }
    if moving.isEmpty { return }
    var rooms: [UInt32: Int] = [:]
    for member in moving {
      let room = member.room
      rooms[member.superblock.deviceNumber] = room.byteCount
      guard let regions = room.regions else { continue }
      try members.onEach([member]) { (member) throws(DeviceError) in
        try member.copyRegions(to: regions)
        try member.device.flush()
      }
      member.record.state.withLock { $0.header?.regions = regions }
    }
    var change = MemberSet.Change()
    change.each = { [rooms] _, superblock in
      guard let room = rooms[superblock.deviceNumber] else { return }
      superblock.dataSizeSectors = UInt64(room / 512)
    }
    try members.commit(change, intent: nil)
  }

  /// Makes zeros of what the array does not use before the end of what it uses of each member: there may have been data
  /// of another shape, and with more of each member it is used.
  private func emptyUnused(upTo end: Int) throws(RaidError) {
    guard let geometry = ReshapeGeometry(shape) else { return }
    for (slot, holders) in members.slots.enumerated() {
      try members.onEach(holders.writable) { (member) throws(DeviceError) in
        let sums = member.sumsInTheirPlace
        for offset in stride(from: geometry.memberStart(shape.byteCount), to: end, by: 4096)
        where !shape.uses(slot: slot, at: offset) {
          let start = member.dataOffset + offset
          try member.device.zero(start..<start + min(4096, end - offset))
          try sums?.recordZeros(offset..<offset + 4096)
        }
        try sums?.flush()
      }
    }
  }

  /// Makes zeros of a part of each member's data that is not the array's yet, with their sums: it may have been the
  /// array's before. False when it was stopped.
  private func empty(_ part: Range<Int>, _ options: SweepOptions) throws(RaidError) -> Bool {
    let step = 64 << 20
    for start in stride(from: part.lowerBound, to: part.upperBound, by: step) {
      let piece = start..<min(part.upperBound, start + step)
      guard options.progress(start - part.lowerBound, part.count) else { return false }
      try members.onEach(members.active) { (member) throws(DeviceError) in
        try member.device.zero(
          member.dataOffset + piece.lowerBound..<member.dataOffset + piece.upperBound)
        let sums = member.sumsInTheirPlace
        try sums?.recordZeros(piece)
        try sums?.flush()
      }
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in
      try member.device.flush()
    }
    return true
  }
}

extension MemberSet {
  /// Writes new superblocks to all members, and with them a bitmap of another shape of the array, in which nothing is
  /// marked as long as nothing is in doubt.
  func commit(_ change: Change, bitmapOf shape: ArrayShape) throws(RaidError) {
    try writeBitmaps(shape)
    try commit(change, intent: nil)
    // With the superblocks' count of events: one that is behind says nothing.
    try writeBitmaps(shape)
  }

  private func writeBitmaps(_ shape: ArrayShape) throws(RaidError) {
    try onEach(active + spares) { (member) throws(DeviceError) in
      try member.writeBitmap(shape)
      try member.device.flush()
    }
  }
}

extension ArrayShape {
  /// Whether a bitmap's bits stand for bytes of the array, and not of each member.
  var marksArrayBytes: Bool { level == .mirroredStripes }

  /// Copies lie in the second half of the members, which moves with the size.
  fileprivate var isFar: Bool {
    level == .mirroredStripes && layout >> 8 & 0xff > 1 && layout & 0x10000 == 0
  }
}

extension BlockSums {
  /// Says that whole blocks of data are zero.
  fileprivate func recordZeros(_ data: Range<Int>) throws(DeviceError) {
    let blocks = data.lowerBound / 4096..<min(blockCount, (data.upperBound + 4095) / 4096)
    let step = 4096
    let zeros = [UInt32](repeating: 0, count: min(step, blocks.count))
    for first in stride(from: blocks.lowerBound, to: blocks.upperBound, by: step) {
      try record(
        zeros, from: 0, count: min(step, blocks.upperBound - first), firstBlock: first)
    }
  }
}

extension Member {
  /// Its sums, where the region of them may have moved since the array was opened.
  fileprivate var sumsInTheirPlace: BlockSums? {
    guard let header, header.slot != RegionHeader.noSlot else { return nil }
    return BlockSums(
      on: device, header, slot: Int(header.slot),
      dataByteCount: Int(superblock.dataSizeSectors) * 512, slotCount: superblock.slotCount)
  }

  /// Bytes that the data may take where everything stays where it is.
  fileprivate var dataRoom: Int {
    guard let region = header?.range(of: .sums) else { return dataByteCount }
    return min(dataByteCount, BlockSums.dataByteCount(regionByteCount: region.count))
  }

  /// Bytes that the data may take at the most, and the new places of the regions behind it; nil where they stay.
  fileprivate var room: (byteCount: Int, regions: [RegionHeader.Region]?) {
    let (superblock, header) = (superblock, header)
    guard !superblock.version.isBehindData else { return (dataRoom, nil) }
    guard let header else {
      return ((device.byteCount - dataOffset) / 4096 * 4096, nil)
    }
    var wanted = MemberLayout.Request()
    wanted.version = superblock.version
    wanted.chunkByteCount = Int(superblock.chunkSectors) * 512
    wanted.slotCount = superblock.slotCount
    wanted.dataOffset = dataOffset
    let end = header.regions.map(\.range.upperBound).max() ?? 0
    guard let layout = MemberLayout(memberByteCount: device.byteCount, request: wanted),
      let first = layout.regions.first?.range.lowerBound, first >= end
    else { return (dataRoom, nil) }
    return (layout.dataByteCount, layout.regions)
  }

  /// Copies what the regions have to where they are to be; the journal, which is over, and what the checksums get
  /// beside begin empty.
  fileprivate func copyRegions(to regions: [RegionHeader.Region]) throws(DeviceError) {
    let step = 1 << 20
    var buffer = AlignedBuffer(byteCount: step)
    for region in regions {
      if region.kind == .blanks {
        try BlankSums.fill(region.range, of: device)
      } else {
        try device.zero(region.range)
      }
      guard region.kind != .journal, let old = header?.range(of: region.kind) else { continue }
      let count = min(old.count, region.range.count)
      for start in stride(from: 0, to: count, by: step) {
        let piece = min(step, count - start)
        var bytes = buffer.mutableBytes
        try device.read(into: &bytes, range: 0..<piece, at: old.lowerBound + start)
        try device.write(bytes.bytes, range: 0..<piece, at: region.range.lowerBound + start)
      }
    }
  }

  /// Writes a bitmap of another shape of the array: md's or ours, if there is one.
  fileprivate func writeBitmap(_ shape: ArrayShape) throws(DeviceError) {
    let (superblock, header) = (superblock, header)
    let place: Range<Int>
    if let sector = superblock.bitmapSector {
      let free = superblock.freeSectors(from: sector, memberSectors: device.byteCount / 512)
      place = sector * 512..<(sector + min(free, 256)) * 512
    } else if let region = header?.range(of: .intent) {
      place = region
    } else {
      return
    }
    guard place.count >= 4096 else { return }
    try device.writeBitmap(
      at: place.lowerBound, byteCount: place.count / 4096 * 4096, shape, superblock,
      marksEverything: !superblock.isClean)
  }
}
