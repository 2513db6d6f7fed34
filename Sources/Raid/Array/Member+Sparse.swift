import BinaryCodec
import BlockStorage

extension Member {
  /// Pieces of zeros at least so long are not written where zeros are already.
  private static let sparsePiece = 64 << 10

  /// Writes a range whose sums are known. Where new and old content are zeros nothing is written, so
  /// that sparse members stay sparse.
  ///
  /// - Parameters:
  ///   - place: where the bytes start in `buffer`.
  ///   - memberRange: data offsets.
  ///   - start: the first sum's place in `sums`.
  func writeSummed(
    _ buffer: RawSpan, at place: Int, _ memberRange: Range<Int>, sums scratch: [UInt32],
    from start: Int
  ) throws(DeviceError) {
    guard let sums else {
      try device.write(
        buffer, range: place..<place + memberRange.count, at: dataOffset + memberRange.lowerBound)
      badBlocks.remove(memberRange)
      return
    }
    let first = memberRange.lowerBound / 4096
    let count = (memberRange.count + 4095) / 4096
    var pending = 0  // bytes of the range from here on are not written yet
    var done = 0
    while done < memberRange.count {
      let piece = min(Self.sparsePiece, memberRange.count - done)
      let blocks = done / 4096..<(done + piece + 4095) / 4096
      let isZero =
        scratch[start + blocks.lowerBound] == 0
        && blocks.allSatisfy { scratch[start + $0] == 0 }
      // The sums of a new member say zeros whatever it holds: only a hole is known to be zeros.
      if isZero,
        isHole(memberRange.lowerBound + done..<memberRange.lowerBound + done + piece)
      {
        try writePending(buffer, place, memberRange, pending..<done)
        pending = done + piece
      }
      done += piece
    }
    try writePending(buffer, place, memberRange, pending..<memberRange.count)
    try sums.record(scratch, from: start, count: count, firstBlock: first)
    badBlocks.remove(memberRange)
  }

  private func writePending(
    _ buffer: RawSpan, _ place: Int, _ memberRange: Range<Int>, _ part: Range<Int>
  ) throws(DeviceError) {
    guard !part.isEmpty else { return }
    try device.write(
      buffer, range: place + part.lowerBound..<place + part.upperBound,
      at: dataOffset + memberRange.lowerBound + part.lowerBound)
  }

  /// Up to which data offset, from the range's start on, there is one large hole of which the sums say
  /// nothing else: found without reading anything.
  func endOfHole(in range: Range<Int>) -> Int {
    let start = dataOffset + range.lowerBound
    guard device.isHole(start..<start + min(4096, range.count)) else { return range.lowerBound }
    let extent = device.extent(at: start, limit: dataOffset + range.upperBound)
    guard extent.isHole else { return range.lowerBound }
    let end = extent.range.upperBound - dataOffset
    guard let sums else { return lacksSums ? range.lowerBound : end }
    guard trustsSums else { return range.lowerBound }
    let blocks = range.lowerBound / 4096..<(end + 4095) / 4096
    return min(end, sums.endOfHole(in: blocks) * 4096)
  }

  /// Whether the range is a hole of which the sums say that it should be zeros.
  func isHole(_ range: Range<Int>) -> Bool {
    guard device.isHole(dataOffset + range.lowerBound..<dataOffset + range.upperBound) else {
      return false
    }
    guard let sums else { return !lacksSums }
    guard trustsSums else { return false }
    return (try? sums.areAllZero(range.lowerBound / 4096..<(range.upperBound + 4095) / 4096))
      ?? false
  }

  /// Writes what a rebuild has put together but for blocks that are lost: what the member has there stays, since it may
  /// be the last that there is, and is marked so that nobody takes it for good.
  ///
  /// - Parameter lost: data offsets at which lost blocks start, in order.
  func writeRebuilt(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, lost: [Int], sums: SumScratch
  ) throws(DeviceError) {
    var start = offset
    for block in lost + [offset + range.count] {
      let from = range.lowerBound + start - offset
      if start < block {
        try writeFresh(buffer, range: from..<from + block - start, at: start, sums: sums)
      }
      start = min(block + 4096, offset + range.count)
    }
    try markLost(lost)
  }

  /// Computes the sums of new data and writes both; zeros over zeros are not written.
  func writeFresh(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) {
    guard let sums else {
      try device.write(buffer, range: range, at: dataOffset + offset)
      badBlocks.remove(offset..<offset + range.count)
      return
    }
    // A piece at a time, so that it is still in the cache when it is written.
    let piece = 256 << 10
    var done = 0
    try scratch.with(count: (piece + 4095) / 4096) { (fresh) throws(DeviceError) in
      while done < range.count {
        let count = min(piece, range.count - done)
        let from = range.lowerBound + done
        var span = fresh.mutableSpan
        blockSums(
          of: buffer, range: from..<from + count, firstBlock: UInt64((offset + done) / 4096),
          prefixRegister: sums.prefixRegister, into: &span, at: 0)
        try writeSummed(
          buffer, at: from, offset + done..<offset + done + count, sums: fresh, from: 0)
        done += count
      }
    }
  }
}
