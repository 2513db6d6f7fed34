import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization
import SystemPackage

/// Reading and writing ranges of the array.
extension RaidArray {
  /// Reads a range, a buffer at a time, and hands each part to `body` in order: the bytes, where the
  /// part starts in them, and the array range it is.
  ///
  /// - Parameter range: any bytes of the array.
  package func read<Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan, Int, Range<Int>) throws(Failure) -> Void
  ) throws(RaidReadFailure<Failure>) {
    do throws(RaidError) { try requireInside(range) } catch { throw .array(error) }
    try read(range, of: segments, body)
  }

  /// The same where the bytes lie in these segments.
  func read<Failure: Error>(
    _ range: Range<Int>, of segments: [Segment],
    _ body: (RawSpan, Int, Range<Int>) throws(Failure) -> Void
  ) throws(RaidReadFailure<Failure>) {
    try memory.with { (memory) throws(RaidReadFailure<Failure>) in
      var offset = range.lowerBound
      var pieces: [BufferPiece] = []
      while offset < range.upperBound {
        do throws(RaidError) {
          try readNext(from: offset, to: range.upperBound, of: segments, &memory, &pieces)
        } catch {
          throw .array(error)
        }
        for piece in pieces {
          let part = piece.arrayRange.clamped(to: offset..<range.upperBound)
          guard !part.isEmpty else { continue }
          do throws(Failure) {
            try body(
              memory.buffer.bytes, piece.place + part.lowerBound - piece.arrayRange.lowerBound,
              part)
          } catch {
            throw .consumer(error)
          }
          offset = part.upperBound
        }
      }
    }
  }

  /// Reads what one buffer takes from `offset` on, not past `end`.
  func readNext(
    from offset: Int, to end: Int, of segments: [Segment], _ memory: inout WorkingMemory,
    _ pieces: inout [BufferPiece]
  ) throws(RaidError) {
    guard let segment = segments.first(where: { $0.range.contains(offset) }) else {
      throw .outOfBounds(offset: offset, byteCount: end - offset, arrayByteCount: byteCount)
    }
    let limit = min((end + 4095) / 4096 * 4096, segment.range.upperBound)
    var repairs: [BadBlock] = []
    switch segment.data {
    case .parity(let stripes):
      let start = offset / 4096 * 4096
      try stripes.read(start..<limit, into: &memory, pieces: &pieces, repairs: &repairs)
    case .copies(let copies):
      // From `offset` itself: where members end inside a block, what is before may be all that there is.
      try copies.read(offset..<limit, into: &memory, pieces: &pieces, repairs: &repairs)
    }
    if !repairs.isEmpty {
      note(repairs)
      if mayRepair { repair(repairs, segment.data) }
    }
    try recordFailures()
  }

  /// Writes to their members what these could not give. What is wanted has been read; that a block
  /// can't be rewritten, for want of room or of another member, is for the next scrub to say.
  private func repair(_ blocks: [BadBlock], _ data: Placed) {
    do throws(RaidError) { try beginChanging() } catch { return }
    for block in blocks {
      do throws(RaidError) {
        switch data {
        case .parity(let stripes): try stripes.repair(block)
        case .copies(let copies): try copies.repair(block)
        }
      } catch {
        continue
      }
    }
  }

  private var mayRepair: Bool {
    members.isWritable && obstacle == nil && options.repairsOnRead && newMembers == nil
  }

  private func note(_ repairs: [BadBlock]) {
    members.state.withLock { $0.blocksRestored += repairs.count }
  }

  /// Blocks that members could not give and that were put together from others, since the array was opened.
  package var blocksRestored: Int { members.state.withLock { $0.blocksRestored } }

  /// Blocks that were taken as they are because their sums are damaged and no other member can vouch for them,
  /// since the array was opened; one that was taken twice counts twice.
  package var blocksUnproven: Int { members.state.withLock { $0.blocksUnproven } }

  /// Writes a range of `source`.
  ///
  /// When it returns the members' devices have the bytes; they are durable after the next flush.
  /// - Parameter offset: any byte of the array.
  package func write(
    _ source: RawSpan, range: Range<Int>, atArrayOffset offset: Int
  ) throws(RaidError) {
    try requireInside(offset..<offset + range.count)
    if range.isEmpty { return }
    try beginWriting()
    do throws(RaidError) {
      try memory.with { (memory) throws(RaidError) in
        try write(source, range, offset, &memory)
      }
      try recordFailures()
    } catch {
      // Some members may have the bytes and others not: the array stays marked as dirty. Where what was there could
      // not be read, and nobody failed, nothing was written, or it is noted as doubt.
      let isRefused = error.isLoss && !members.hasUnrecordedFailure
      if journal?.isLive != true, !isRefused { isTorn.store(true, ordering: .releasing) }
      throw error
    }
  }

  private func write(
    _ source: RawSpan, _ range: Range<Int>, _ offset: Int, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    switch segments[0].data {
    case .copies(let copies):
      // Half the buffer at a time keeps the hold on the array short.
      let step = memory.buffer.byteCount / 2
      for start in stride(from: 0, to: range.count, by: step) {
        let count = min(step, range.count - start)
        try copies.writeHolding(
          offset + start..<offset + start + count, from: source, at: range.lowerBound + start,
          members: members, memory: &memory)
      }
    case .parity(let stripes):
      try stripes.write(
        offset..<offset + range.count, from: source, at: range.lowerBound, memory: &memory)
    }
  }
}

/// Which side of a transfer failed.
package enum RaidReadFailure<Consumer: Error>: Error {
  case array(RaidError)
  case consumer(Consumer)
}

// MARK: - As a device

extension RaidArray {
  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    do throws(RaidReadFailure<Never>) {
      try read(offset..<offset + range.count) { (bytes, place, part) throws(Never) in
        buffer.copy(
          bytes.sub(place..<place + part.count),
          at: range.lowerBound + part.lowerBound - offset)
      }
    } catch {
      switch error {
      case .array(let error): throw DeviceError(error, at: offset, isReading: true)
      }
    }
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    do throws(RaidError) {
      try write(buffer, range: range, atArrayOffset: offset)
    } catch {
      throw DeviceError(error, at: offset, isReading: false)
    }
  }

  package func flush() throws(DeviceError) {
    do throws(RaidError) {
      try makeDurable()
    } catch {
      throw .flushFailed(.ioError)
    }
  }
}

extension DeviceError {
  /// What an array's error is to someone who uses it as a device.
  init(_ error: RaidError, at offset: Int, isReading: Bool) {
    switch error {
    case .lost(let range, _): self = .unreadable(offset: range.lowerBound, errno: .ioError)
    case .outOfBounds(let offset, _, let end): self = .truncated(offset: max(offset, end))
    case .member(_, .full): self = .full(offset: offset)
    case .readOnly: self = .unwritable(offset: offset, errno: .readOnlyFileSystem)
    default:
      self =
        isReading
        ? .unreadable(offset: offset, errno: .ioError)
        : .unwritable(offset: offset, errno: .ioError)
    }
  }
}
