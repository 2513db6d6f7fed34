import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

/// Getting out of an array everything that is still whole, however much of it is lost.
///
/// Where nothing is lost whole bands are read, and a band of which something is lost is read once, too:
/// what is missing in it is looked for block by block and then sector by sector. What one view of the
/// array can't give, the next one is asked for.
package struct Salvage: Sendable {
  /// The members, taken in one way.
  package struct View: Sendable {
    let array: RaidArray
    let isDoubtful: Bool

    /// - Parameters:
    ///   - array: opened with `salvages`.
    ///   - isDoubtful: what it gives may be old or wrong.
    package init(_ array: RaidArray, isDoubtful: Bool) {
      self.array = array
      self.isDoubtful = isDoubtful
    }
  }

  private let views: [View]

  /// - Parameter views: of one array, the one to be believed most first; at least one.
  package init(_ views: [View]) {
    precondition(
      !views.isEmpty && views.allSatisfy { $0.array.byteCount == views[0].array.byteCount })
    self.views = views
  }

  /// Hands over what is there of the bytes of a range that are not rescued yet: first of those that nobody
  /// has tried, then of the others. Parts are read by several workers at once, and handed over in order.
  ///
  /// - Parameters:
  ///   - range: array bytes.
  ///   - map: says what is rescued already.
  ///   - options: its `progress` is told how many bytes have been gone over, of those that were to be.
  /// - Throws: `other` for what the sink throws; `array` only where an array ends or breaks a promise.
  /// - Returns: whether it came to the end, and was not stopped.
  @discardableResult
  package func run(
    over range: Range<Int>, except map: RescueMap, to sink: some SalvageSink,
    _ options: SweepOptions
  ) throws(TransferError) -> Bool {
    do throws(RaidError) { try views[0].array.requireInside(range) } catch { throw .array(error) }
    let total = range.count - map.byteCount(of: .rescued, in: range)
    var done = 0
    for wanted: Set<RescueMap.Status> in [[.untried], [.lost, .unscraped, .untrimmed]]
    where map.next(wanted, from: range.lowerBound, limit: range.upperBound) != nil {
      sink.beginPass()
      let order = Monitor(
        SalvageOrder(next: range.lowerBound, wanted: wanted, done: done, total: total))
      run(order, map, limit: range.upperBound, to: sink, options)
      let (failure, isStopped, now) = order.withLock { ($0.failure, $0.isStopped, $0.done) }
      if let failure { throw failure }
      if isStopped { return false }
      done = now
    }
    return true
  }

  private func run(
    _ order: Monitor<SalvageOrder>, _ map: RescueMap, limit: Int, to sink: some SalvageSink,
    _ options: SweepOptions
  ) {
    let first = views[0].array
    runInParallel(workers: max(1, options.workers)) { [self] _ in
      first.memory.with { memory in
        while let part = order.withLock({ $0.take(map, limit: limit, first.partEnd) }) {
          do throws(TransferError) {
            try hand(part, to: sink, order, &memory, options)
          } catch {
            order.withLock { $0.end(with: error) }
            order.signalAll()
          }
        }
      }
    }
  }

  /// Reads a part, waits until everything before it has been handed over, and goes on from there in turn.
  private func hand(
    _ part: SalvageOrder.Part, to sink: some SalvageSink, _ order: Monitor<SalvageOrder>,
    _ memory: inout WorkingMemory, _ options: SweepOptions
  ) throws(TransferError) {
    var found = SalvagedBytes()
    var offset = part.range.lowerBound
    var hasTurn = false
    while offset < part.range.upperBound {
      let (end, failure) = read(0, offset..<part.range.upperBound, &memory, &found)
      // A failure, too, waits for its turn.
      if !hasTurn {
        let goesOn = order.wait { state -> Bool? in
          if state.isEnding { return false }
          return state.turn == part.number ? true : nil
        }
        guard goesOn else { return }
        hasTurn = true
      }
      if let failure { throw .array(failure) }
      try hand(found, of: 0, &memory, to: sink)
      offset = end
    }
    let done = order.withLock { state in
      state.done += part.range.count
      return (state.done, state.total)
    }
    let goesOn = options.progress(done.0, done.1)
    options.rate?.pass(part.range.count)
    order.withLock { state in
      state.turn += 1
      if !goesOn { state.isStopped = true }
    }
    order.signalAll()
  }

  /// Reads the beginning of a range in one view.
  private func read(
    _ view: Int, _ range: Range<Int>, _ memory: inout WorkingMemory, _ found: inout SalvagedBytes
  ) -> (end: Int, RaidError?) {
    do throws(RaidError) {
      let end = try views[view].array.salvageNext(
        from: range.lowerBound, to: range.upperBound, &memory, &found)
      precondition(end > range.lowerBound, "a salvage that does not go on")
      return (end, nil)
    } catch {
      return (range.upperBound, error)
    }
  }

  /// Hands over what was found in one view, and for what is lost there asks the next one.
  private func hand(
    _ found: SalvagedBytes, of view: Int, _ memory: inout WorkingMemory, to sink: some SalvageSink
  ) throws(TransferError) {
    var piece = 0
    var loss = 0
    while piece < found.pieces.count || loss < found.losses.count {
      let isPiece =
        loss >= found.losses.count
        || piece < found.pieces.count
          && found.pieces[piece].arrayRange.lowerBound < found.losses[loss].arrayRange.lowerBound
      if isPiece {
        do throws(SystemCallError) {
          try sink.take(
            memory.buffer.bytes, at: found.pieces[piece].place, found.pieces[piece].arrayRange,
            isDoubtful: views[view].isDoubtful)
        } catch {
          throw .other(error)
        }
        piece += 1
      } else {
        try hand(found.losses[loss], after: view, to: sink)
        loss += 1
      }
    }
  }

  private func hand(
    _ loss: (arrayRange: Range<Int>, reason: LossReason), after view: Int,
    to sink: some SalvageSink
  ) throws(TransferError) {
    guard view + 1 < views.count else {
      do throws(SystemCallError) {
        return try sink.lack(loss.arrayRange, loss.reason)
      } catch {
        throw .other(error)
      }
    }
    let next = view + 1
    try views[next].array.memory.with { (memory) throws(TransferError) in
      var found = SalvagedBytes()
      var offset = loss.arrayRange.lowerBound
      while offset < loss.arrayRange.upperBound {
        let (end, failure) = read(next, offset..<loss.arrayRange.upperBound, &memory, &found)
        if let failure { throw .array(failure) }
        try hand(found, of: next, &memory, to: sink)
        offset = end
      }
    }
  }
}

/// Whose turn it is.
private struct SalvageOrder {
  struct Part {
    var number: Int
    var range: Range<Int>
  }

  var next: Int
  let wanted: Set<RescueMap.Status>
  var turn = 0
  /// Bytes gone over, and to go over, in all passes.
  var done: Int
  let total: Int
  var isStopped = false
  var failure: TransferError?
  private var partCount = 0

  var isEnding: Bool { isStopped || failure != nil }

  init(next: Int, wanted: Set<RescueMap.Status>, done: Int, total: Int) {
    self.next = next
    self.wanted = wanted
    self.done = done
    self.total = total
  }

  mutating func take(_ map: RescueMap, limit: Int, _ partEnd: (Int) -> Int) -> Part? {
    guard !isEnding, let todo = map.next(wanted, from: next, limit: limit) else { return nil }
    let start = todo.lowerBound
    let part = start..<min(todo.upperBound, max(start + 1, partEnd(start)))
    next = part.upperBound
    defer { partCount += 1 }
    return Part(number: partCount, range: part)
  }

  mutating func end(with error: TransferError) {
    if failure == nil { failure = error }
  }
}
