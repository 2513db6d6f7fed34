import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension CopiedData {
  /// Writes array bytes to all their copies.
  ///
  /// The caller has announced the range to the intent bitmap, and holds it.
  /// - Parameter place: where `range` starts in `source`.
  func write(
    _ range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    let runs = try runs(of: range) { (places, _) throws(RaidError) in
      let living = places.indices.filter { !slots[places[$0].slot].writable.isEmpty }
      guard !living.isEmpty else {
        throw .lost(arrayRange: range, .missing(slot: places.first?.slot ?? 0))
      }
      return living
    }
    let base = place - range.lowerBound
    for run in runs {
      for member in slots[run.slot].writable {
        do {
          try write(run, to: member, source, base, range, &memory)
        } catch let error as DeviceError {
          try members.fail(member, error)
        }
      }
    }
  }

  private func write(
    _ run: Run, to member: Member, _ source: RawSpan, _ base: Int, _ range: Range<Int>,
    _ memory: inout WorkingMemory
  ) throws {
    let whole = wholeBlocks(run.memberRange, of: member)
    if run.parts.count == 1, whole == run.memberRange {
      let from = base + run.parts[0].arrayRange.lowerBound
      try member.writeFresh(
        source, range: from..<from + whole.count, at: whole.lowerBound, sums: &memory.sums)
      return
    }
    // Many chunks in one piece, or a range that does not fill its first and last block.
    let room = memory.buffer.byteCount / 4096 * 4096
    var offset = whole.lowerBound
    while offset < whole.upperBound {
      let window = offset..<min(whole.upperBound, offset + room)
      try fillEdges(of: window, of: run, member, range, &memory)
      var bytes = memory.buffer.mutableBytes
      for part in run.parts {
        let start = run.memberRange.lowerBound + part.place
        let common = (start..<start + part.arrayRange.count).clamped(to: window)
        guard !common.isEmpty else { continue }
        let from = base + part.arrayRange.lowerBound + common.lowerBound - start
        bytes.copy(
          source.sub(from..<from + common.count), at: common.lowerBound - window.lowerBound)
      }
      try member.writeFresh(
        memory.buffer.bytes, range: 0..<window.count, at: window.lowerBound, sums: &memory.sums)
      offset = window.upperBound
    }
  }

  /// Reads what the first and the last block of a window hold beside what is written.
  private func fillEdges(
    of window: Range<Int>, of run: Run, _ member: Member, _ range: Range<Int>,
    _ memory: inout WorkingMemory
  ) throws {
    var edges: [Int] = []
    if window.lowerBound < run.memberRange.lowerBound { edges.append(window.lowerBound) }
    let lastBlock = (window.upperBound - 1) / 4096 * 4096
    if window.upperBound > run.memberRange.upperBound, !edges.contains(lastBlock) {
      edges.append(lastBlock)
    }
    for block in edges {
      let count = min(4096, window.upperBound - block)
      let place = block - window.lowerBound
      guard member.isReadable(block..<block + count) else {
        // A member that is being built gets the rest of the block when its turn comes.
        var bytes = memory.buffer.mutableBytes
        bytes.zero(place..<place + count)
        continue
      }
      var bytes = memory.buffer.mutableBytes
      let finding = try member.readChecked(
        into: &bytes, range: place..<place + count, at: block, sums: &memory.sums)
      switch finding {
      case .good: break
      case .unreadable, .mismatch:
        let kind: BadBlock.Kind = finding == .unreadable(at: block) ? .unreadable : .mismatch
        try restore(
          BadBlock(slot: run.slot, offset: block, kind: kind), end: block + count, place: place,
          memory: &memory)
      }
    }
  }
}

extension Member {
  /// Computes the sums of new data and writes both; zeros over zeros are not written.
  func writeFresh(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: inout [UInt32]
  ) throws(DeviceError) {
    guard let sums else {
      try device.write(buffer, range: range, at: dataOffset + offset)
      return
    }
    // A piece at a time, so that it is still in the cache when it is written.
    let piece = 256 << 10
    var done = 0
    while done < range.count {
      let count = min(piece, range.count - done)
      let blocks = (count + 4095) / 4096
      if scratch.count < blocks { scratch = [UInt32](repeating: 0, count: blocks) }
      let from = range.lowerBound + done
      var span = scratch.mutableSpan
      blockSums(
        of: buffer, range: from..<from + count, firstBlock: UInt64((offset + done) / 4096),
        prefixRegister: sums.prefixRegister, into: &span, at: 0)
      try writeSummed(
        buffer, at: from, offset + done..<offset + done + count, sums: scratch, from: 0)
      done += count
    }
  }
}
