import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension CopiedData {
  /// Copies what a slot holds in a range of its data from other copies to a member.
  ///
  /// - Returns: data offsets of blocks that no copy has; they are marked as such on the member.
  func rebuild(
    _ slot: Int, onto target: Member, _ memberRange: Range<Int>, readsOwn: Bool,
    memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    var lost: [Int] = []
    var places: [CopyPlacement.Place] = []
    var offset = memberRange.lowerBound
    while offset < memberRange.upperBound {
      let rest = memberRange.upperBound - offset
      guard
        let found = placement.arrayRange(
          at: .init(slot: slot, offset: offset), limit: min(rest, memory.buffer.byteCount / 2))
      else {
        offset += min(rest, 4096 - offset % 4096)
        continue
      }
      _ = placement.locate(found.offset, into: &places)
      let count = evenByteCount(places, limit: found.byteCount, members.slots)
      let range = found.offset..<found.offset + count
      let more = try locks.withLock(range, exclusive: true) { () throws(RaidError) -> [Int] in
        try copy(
          range, places, slot, onto: target, at: offset, readsOwn: readsOwn, memory: &memory)
      }
      lost.append(contentsOf: more)
      offset += count
    }
    return lost
  }

  private func copy(
    _ range: Range<Int>, _ places: [CopyPlacement.Place], _ slot: Int, onto target: Member,
    at offset: Int, readsOwn: Bool,
    memory: inout WorkingMemory
  ) throws(RaidError) -> [Int] {
    let slots = members.slots
    let sums = memory.sums
    var unread: [Int] = stride(from: 0, to: range.count, by: 4096).map { $0 }
    // Who has what of which nothing says that it is right.
    var unproven: [Int: (member: Member, offset: Int)] = [:]
    for place in places where !unread.isEmpty && (readsOwn || place.slot != slot) {
      guard
        let member = slots[place.slot].reader(of: place.offset..<place.offset + range.count),
        member !== target
      else { continue }
      if unread.count * 4096 >= range.count {
        let whole = place.offset..<place.offset + range.count
        if member.isHole(whole), target.isHole(offset..<offset + range.count) { return [] }
        unread = try read(member, place, 0..<range.count, &unproven, &memory, sums)
      } else {
        var still: [Int] = []
        for block in unread {
          let part = block..<min(block + 4096, range.count)
          still.append(contentsOf: try read(member, place, part, &unproven, &memory, sums))
        }
        unread = still
      }
    }
    var lost: [Int] = []
    for block in unread {
      let part = block..<min(block + 4096, range.count)
      var bytes = memory.buffer.mutableBytes
      let isKnown = try readInDoubt(
        range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound,
        places.map { .init(slot: $0.slot, offset: $0.offset + part.lowerBound) },
        into: &bytes, at: part
      ) { place, member in (readsOwn || place.slot != slot) && member !== target }
      if isKnown { continue }
      if let (member, offset) = unproven[block] {
        do {
          try member.read(into: &bytes, range: part, at: offset)
          let copies = places.map {
            CopyPlacement.Place(slot: $0.slot, offset: $0.offset + part.lowerBound)
          }
          if !isDisproved(bytes.bytes, part, copies, sums) {
            members.countUnproven()
            continue
          }
        } catch {
          if error.endsUse { try members.fail(member, error) }
        }
      }
      lost.append(offset + block)
    }
    do throws(DeviceError) {
      try target.writeRebuilt(
        memory.buffer.bytes, range: 0..<range.count, at: offset, lost: lost, sums: memory.sums)
    } catch {
      try members.fail(target, error)
      throw .member(name: target.name, error)
    }
    return lost
  }

  /// Reads a part of a copy; returns the blocks that it could not give, or not vouch for.
  private func read(
    _ member: Member, _ place: CopyPlacement.Place, _ part: Range<Int>,
    _ unproven: inout [Int: (member: Member, offset: Int)], _ memory: inout WorkingMemory,
    _ sums: SumScratch
  ) throws(RaidError) -> [Int] {
    var bad: [BadBlock] = []
    let whole = place.offset + part.lowerBound..<place.offset + part.upperBound
    var bytes = memory.buffer.mutableBytes
    do throws(DeviceError) {
      try member.readAll(
        into: &bytes, at: part.lowerBound, whole, slot: place.slot, sums: sums, bad: &bad)
    } catch {
      try members.fail(member, error)
      return stride(from: part.lowerBound, to: part.upperBound, by: 4096).map { $0 }
    }
    for block in bad where block.kind == .unproven && unproven[block.offset - place.offset] == nil {
      unproven[block.offset - place.offset] = (member, block.offset)
    }
    return bad.map { $0.offset - place.offset }
  }
}
