import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

extension RaidArray {
  /// What a copy into the array is asked for.
  package struct CopyInOptions: Sendable {
    /// Progress, rate and threads.
    package var sweep = SweepOptions()
    /// Flush after every part.
    package var flushesAlways = false
    /// Bytes that the source has, where that is known; for the progress.
    package var expectedByteCount: Int?

    package init() {}
  }

  /// Copies a source into the array from `offset` on, until the source ends. Whole rows go from the
  /// source into their columns, are coded, summed and written by several workers at once.
  ///
  /// Nothing is durable before the next flush, unless the options ask for it.
  /// - Returns: how much was copied. A source that is longer than the array throws `inputTooLong` when
  ///   the array is full.
  @discardableResult
  package func copy(
    from source: some ByteSource, at offset: Int, _ options: CopyInOptions
  ) throws(TransferError) -> Int {
    do throws(RaidError) {
      try requireInside(offset..<offset)
      try beginWriting()
    } catch {
      throw .array(error)
    }
    let intake = Mutex(Intake(offset: offset))
    let written = Mutex(0)
    runInParallel(workers: max(1, options.sweep.workers)) { [self] _ in
      memory.with { memory in
        var staging = AlignedBuffer(
          byteCount: Self.stagingByteCount(slotCount: members.slotCount))
        while true {
          do throws(TransferError) {
            let count = try copyPart(from: source, intake, &memory, &staging)
            guard count > 0 else { return }
            if options.flushesAlways {
              do throws(RaidError) { try makeDurable() } catch { throw .array(error) }
            }
            options.sweep.rate?.pass(count)
            let total = written.withLock { written in
              written += count
              return written
            }
            if !options.sweep.progress(total, options.expectedByteCount ?? 0) {
              intake.withLock { $0.isEnding = true }
            }
          } catch {
            intake.withLock { $0.end(with: error) }
            return
          }
        }
      }
    }
    if let failure = intake.withLock({ $0.failure }) { throw failure }
    return written.withLock { $0 } + intake.withLock { $0.leftover }
  }

  /// Bytes that are taken at once where they do not go to their columns directly: whole rows of any chunks that are
  /// small.
  static func stagingByteCount(slotCount: Int) -> Int {
    max(1 << 20, slotCount * (directChunkByteCount / 2))
  }

  /// Chunks so large, and larger ones, go to their columns directly.
  private static var directChunkByteCount: Int { 64 << 10 }

  /// Where what is taken at once may end: at multiples of this. A part of a row needs the rest of it, which may be lost,
  /// and be made good by this very copy.
  private var partByteCount: Int {
    guard case .parity(let stripes) = segments[0].data else { return 1 << 20 }
    let row = stripes.placement.rowByteCount
    return row <= Self.stagingByteCount(slotCount: members.slotCount) ? row : 1 << 20
  }

  /// Takes the next part from the source and writes it.
  /// - Returns: its size, 0 at the end.
  private func copyPart(
    from source: some ByteSource, _ intake: borrowing Mutex<Intake>,
    _ memory: inout WorkingMemory, _ staging: inout AlignedBuffer
  ) throws(TransferError) -> Int {
    if case .parity(let stripes) = segments[0].data,
      stripes.placement.chunkByteCount >= Self.directChunkByteCount
    {
      let band = try takeBand(from: source, intake, stripes, &memory, &staging)
      switch band {
      case .rows(let band):
        do throws(RaidError) {
          try stripes.holding(band.rows, band.memberRange) { () throws(RaidError) in
            try stripes.writeWholeRows(band, memory: &memory)
          }
          try recordFailures()
        } catch {
          // Only a write tears: a source that ends badly, or is too long, leaves whole what was written.
          if journal?.isLive != true { isTorn.store(true, ordering: .releasing) }
          throw .array(error)
        }
        return band.rows.count * stripes.placement.rowByteCount
      case .bytes(let count, let offset):
        return try writeStaged(count, at: offset, &staging)
      }
    }
    let (count, offset) = try takeBytes(from: source, intake, &staging)
    return try writeStaged(count, at: offset, &staging)
  }

  private enum Taken {
    /// In the columns of the working memory.
    case rows(Band)
    /// In the staging buffer.
    case bytes(Int, offset: Int)
  }

  private func writeStaged(
    _ count: Int, at offset: Int, _ staging: inout AlignedBuffer
  ) throws(TransferError) -> Int {
    do throws(RaidError) {
      try write(staging.bytes, range: 0..<count, atArrayOffset: offset)
    } catch {
      throw .array(error)
    }
    return count
  }

  /// Fills the staging buffer, up to where a part may end, so that later parts are aligned.
  private func takeBytes(
    from source: some ByteSource, _ intake: borrowing Mutex<Intake>, limit: Int = Int.max,
    _ staging: inout AlignedBuffer
  ) throws(TransferError) -> (count: Int, offset: Int) {
    try intake.withLock { (intake) throws(TransferError) in
      try fill(from: source, &intake, limit: limit, &staging)
    }
  }

  private func fill(
    from source: some ByteSource, _ intake: inout Intake, limit: Int,
    _ staging: inout AlignedBuffer
  ) throws(TransferError) -> (count: Int, offset: Int) {
    guard !intake.isEnding else { return (0, intake.offset) }
    let offset = intake.offset
    let part = partByteCount
    let end = (offset + staging.byteCount) / part * part
    let wanted = min(limit, end - offset)
    // One byte more than fits is asked for at the end, to tell a source that fits from one that doesn't.
    let room = min(wanted, byteCount - offset)
    var bytes = staging.mutableBytes
    let count: Int
    do throws(SystemCallError) {
      count = try source.read(into: &bytes, range: 0..<max(room, 1))
    } catch {
      throw .other(error)
    }
    if count > room {
      throw .array(.inputTooLong(arrayByteCount: byteCount))
    }
    if count < room || count == 0 { intake.isEnding = true }
    intake.offset += count
    return (count, offset)
  }

  /// Fills whole rows straight from the source into their columns where the offset is at a row's start;
  /// else the rest of the row goes by the staging buffer.
  private func takeBand(
    from source: some ByteSource, _ intake: borrowing Mutex<Intake>, _ stripes: ParityStripes,
    _ memory: inout WorkingMemory, _ staging: inout AlignedBuffer
  ) throws(TransferError) -> Taken {
    let rowBytes = stripes.placement.rowByteCount
    return try intake.withLock { (intake) throws(TransferError) -> Taken in
      guard !intake.isEnding else { return .bytes(0, offset: intake.offset) }
      let row = intake.offset / rowBytes
      let rowsWanted = max(1, (4 << 20) / rowBytes)
      guard intake.offset % rowBytes == 0, row < stripes.placement.rowCount,
        !intake.hasLeftover,
        let band = stripes.writeBand(
          fromRow: row, rowCount: min(rowsWanted, stripes.placement.rowCount - row),
          memory: memory)
      else {
        let limit = rowBytes - intake.offset % rowBytes
        let (count, offset) = try fill(from: source, &intake, limit: limit, &staging)
        return .bytes(count, offset: offset)
      }
      var bytes = memory.buffer.mutableBytes
      var filled = 0
      for row in band.rows {
        let chunk = band.piece(ofRow: row)
        for slot in stripes.placement.pattern(ofRow: row).dataSlots {
          let at = band.place(slot, chunk.lowerBound)
          let count: Int
          do throws(SystemCallError) {
            count = try source.read(into: &bytes, range: at..<at + chunk.count)
          } catch {
            throw .other(error)
          }
          filled += count
          if count < chunk.count {
            intake.isEnding = true
            return try keepBeginning(filled, of: band, stripes, &intake, &bytes)
          }
        }
      }
      intake.offset += filled
      return .rows(band)
    }
  }

  /// The source ended inside a band: what came is written by parts.
  private func keepBeginning(
    _ filled: Int, of band: Band, _ stripes: ParityStripes, _ intake: inout Intake,
    _ bytes: inout MutableRawSpan
  ) throws(TransferError) -> Taken {
    let start = intake.offset
    intake.offset += filled
    var rest = AlignedBuffer(byteCount: max(4096, filled))
    var target = rest.mutableBytes
    var at = 0
    for row in band.rows {
      let chunk = band.piece(ofRow: row)
      for slot in stripes.placement.pattern(ofRow: row).dataSlots where at < filled {
        let count = min(chunk.count, filled - at)
        let from = band.place(slot, chunk.lowerBound)
        target.copy(bytes.bytes.sub(from..<from + count), at: at)
        at += count
      }
    }
    do throws(RaidError) {
      try write(rest.bytes, range: 0..<filled, atArrayOffset: start)
    } catch {
      throw .array(error)
    }
    intake.leftover = filled
    return .bytes(0, offset: intake.offset)
  }
}

/// How far a source has been taken in.
private struct Intake {
  /// Array bytes.
  var offset: Int
  var isEnding = false
  var failure: TransferError?
  /// What was written already when the source ended inside a band.
  var leftover = 0
  var hasLeftover: Bool { leftover > 0 }

  init(offset: Int) { self.offset = offset }

  mutating func end(with error: TransferError) {
    isEnding = true
    if failure == nil { failure = error }
  }
}
