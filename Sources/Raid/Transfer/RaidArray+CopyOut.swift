import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

extension RaidArray {
  /// Copies a range of the array to a sink. Parts are read and checked by several workers at once, and
  /// handed over in order.
  ///
  /// - Parameter progress: told how much is done; false stops the copy.
  /// - Returns: how much was copied.
  @discardableResult
  package func copy(
    _ range: Range<Int>, to sink: some ByteSink, _ options: SweepOptions
  ) throws(TransferError) -> Int {
    do throws(RaidError) { try requireInside(range) } catch { throw .array(error) }
    let order = Monitor(CopyOrder(next: range.lowerBound, done: range.lowerBound))
    runInParallel(workers: max(1, options.workers)) { [self] _ in
      memory.with { memory in
        while let part = order.withLock({ $0.take(range.upperBound, partEnd) }) {
          do throws(TransferError) {
            try copy(part, to: sink, order, &memory, total: range, options)
          } catch {
            order.withLock { $0.end(with: error) }
            order.signalAll()
          }
        }
      }
    }
    let (failure, done) = order.withLock { ($0.failure, $0.done) }
    if let failure { throw failure }
    return done - range.lowerBound
  }

  /// Copies one part: reads it, waits until everything before it has been handed over, and goes on from
  /// there in turn.
  private func copy(
    _ part: Range<Int>, to sink: some ByteSink, _ order: Monitor<CopyOrder>,
    _ memory: inout WorkingMemory, total: Range<Int>, _ options: SweepOptions
  ) throws(TransferError) {
    var pieces: [BufferPiece] = []
    var offset = part.lowerBound
    var hasTurn = false
    while offset < part.upperBound {
      var failure: RaidError?
      do throws(RaidError) {
        try readNext(from: offset, to: part.upperBound, of: segments, &memory, &pieces)
      } catch {
        failure = error
      }
      // A failure, too, waits for its turn: what comes before it is good.
      if !hasTurn {
        let goesOn = order.wait { state -> Bool? in
          if state.isEnding { return false }
          return state.done == part.lowerBound ? true : nil
        }
        guard goesOn else { return }
        hasTurn = true
      }
      if let failure { throw .array(failure) }
      for piece in pieces {
        let some = piece.arrayRange.clamped(to: offset..<part.upperBound)
        guard !some.isEmpty else { continue }
        let place = piece.place + some.lowerBound - piece.arrayRange.lowerBound
        do throws(SystemCallError) {
          try sink.write(memory.buffer.bytes, range: place..<place + some.count)
        } catch {
          throw .other(error)
        }
        offset = some.upperBound
      }
    }
    let goesOn = options.progress(part.upperBound - total.lowerBound, total.count)
    options.rate?.pass(part.count)
    order.withLock { state in
      state.done = part.upperBound
      if !goesOn { state.isStopped = true }
    }
    order.signalAll()
  }

  /// Where a worker's part ends: some MiB, whole rows where there are some.
  func partEnd(_ offset: Int) -> Int {
    let target = 2 << 20
    guard let segment = segments.first(where: { $0.range.contains(offset) }) else {
      return offset + target
    }
    guard case .parity(let stripes) = segment.data else {
      return min(segment.range.upperBound, (offset / target + 1) * target)
    }
    let rowBytes = stripes.placement.rowByteCount
    let rows = max(1, target / rowBytes)
    return min(segment.range.upperBound, (offset / rowBytes + rows) * rowBytes)
  }
}

/// Whose turn it is.
private struct CopyOrder {
  var next: Int
  /// Everything before has been handed over.
  var done: Int
  var isStopped = false
  var failure: TransferError?
  var isEnding: Bool { isStopped || failure != nil }

  init(next: Int, done: Int) {
    self.next = next
    self.done = done
  }

  mutating func take(_ end: Int, _ partEnd: (Int) -> Int) -> Range<Int>? {
    guard !isEnding, next < end else { return nil }
    let part = next..<min(end, max(next + 1, partEnd(next)))
    next = part.upperBound
    return part
  }

  mutating func end(with error: TransferError) {
    if failure == nil { failure = error }
  }
}
