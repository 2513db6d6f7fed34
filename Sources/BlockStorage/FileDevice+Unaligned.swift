import LinuxSystem

/// What stands between a direct descriptor and requests that do not suit it.
final class BounceBuffers: Sendable {
  let alignment: Int
  /// For reads.
  let pool: BufferPool
  /// For writes: held while the rest of a block is read, changed in part and written, since two such
  /// writes to one block would undo each other.
  let writeBuffer: Monitor<AlignedBuffer>

  init(alignment: Int) {
    self.alignment = alignment
    let byteCount = max(128 << 10, alignment)
    pool = BufferPool(byteCount: byteCount, limit: 4)
    writeBuffer = Monitor(AlignedBuffer(byteCount: byteCount))
  }

  /// Whether the kernel takes this request as it is.
  func isAligned(_ buffer: RawSpan, _ range: Range<Int>, _ offset: Int) -> Bool {
    // Safe: the address is looked at, not through.
    let address = unsafe buffer.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    let start = Int(truncatingIfNeeded: address) &+ range.lowerBound
    return (start | range.count | offset) & (alignment - 1) == 0
  }

  /// Whether the kernel takes all these pieces as they are.
  func isAligned(_ buffer: RawSpan, _ pieces: [Range<Int>], _ offset: Int) -> Bool {
    pieces.allSatisfy { isAligned(buffer, $0, 0) } && offset & (alignment - 1) == 0
  }

  /// The part of `range` (of the device) from its start that one buffer can hold with the rest of its
  /// blocks: whole blocks around it, and itself.
  func step(_ range: Range<Int>) -> (blocks: Range<Int>, bytes: Range<Int>) {
    let start = range.lowerBound & ~(alignment - 1)
    let limit = start + (pool.byteCount & ~(alignment - 1))
    let end = min(range.upperBound, limit)
    let blockEnd = (end + alignment - 1) & ~(alignment - 1)
    return (start..<blockEnd, range.lowerBound..<end)
  }
}

extension FileDevice {
  func readUnaligned(
    _ bounce: BounceBuffers, into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    var own = bounce.pool.take()
    var done = 0
    while done < range.count {
      let (blocks, bytes) = bounce.step(offset + done..<offset + range.count)
      var span = own.mutableBytes
      try read(into: &span, range: 0..<blocks.count, at: blocks.lowerBound)
      let from = bytes.lowerBound - blocks.lowerBound
      let target = range.lowerBound + done
      copyBytes(own.bytes, from..<from + bytes.count, into: &buffer, at: target)
      done += bytes.count
    }
  }

  func writeUnaligned(
    _ bounce: BounceBuffers, _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    var done = 0
    while done < range.count {
      let (blocks, bytes) = bounce.step(offset + done..<offset + range.count)
      let source = range.lowerBound + done..<range.lowerBound + done + bytes.count
      try bounce.writeBuffer.withLock { own throws(DeviceError) in
        var span = own.mutableBytes
        if blocks != bytes { try read(into: &span, range: 0..<blocks.count, at: blocks.lowerBound) }
        copyBytes(buffer, source, into: &span, at: bytes.lowerBound - blocks.lowerBound)
        try write(own.bytes, range: 0..<blocks.count, at: blocks.lowerBound)
      }
      done += bytes.count
    }
  }
}

/// Copies a range of one buffer to an offset of another.
func copyBytes(
  _ source: RawSpan, _ range: Range<Int>, into target: inout MutableRawSpan, at offset: Int
) {
  precondition(offset >= 0 && offset + range.count <= target.byteCount)
  let source = source.extracting(range)
  // Safe: both ranges were checked; copyMemory allows them to overlap.
  unsafe target.withUnsafeMutableBytes { target in
    unsafe source.withUnsafeBytes { source in
      guard let from = source.baseAddress, let to = target.baseAddress else { return }
      unsafe (to + offset).copyMemory(from: from, byteCount: source.count)
    }
  }
}
