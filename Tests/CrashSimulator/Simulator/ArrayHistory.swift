import FToolTestSupport

/// What was written to an array, and what its users may therefore expect of it.
struct ArrayHistory: Sendable {
  /// One write, widened to whole sectors with what these held when it was made.
  struct Write: Sendable {
    /// Array bytes: whole sectors.
    var range: Range<Int>
    /// Array bytes that were asked for.
    var asked: Range<Int>
    var bytes: [UInt8]
  }

  /// What it held, safely, at the beginning.
  let initial: [UInt8]
  /// What it holds when all writes are done.
  private(set) var latest: [UInt8]
  /// By their numbers in the trace.
  private(set) var writes: [Write] = []
  private var flushCount = 0

  init(initial: [UInt8]) {
    self.initial = initial
    latest = initial
  }

  /// - Returns: the write's number.
  mutating func add(_ bytes: [UInt8], at offset: Int) -> Int {
    let asked = offset..<offset + bytes.count
    latest.replaceSubrange(asked, with: bytes)
    let range = offset / 512 * 512..<(asked.upperBound + 511) / 512 * 512
    writes.append(Write(range: range, asked: asked, bytes: Array(latest[range])))
    return writes.count - 1
  }

  mutating func nextFlush() -> Int {
    flushCount += 1
    return flushCount - 1
  }

  /// What may be expected when the power went off before a point of the trace.
  func expectation(_ trace: Trace, at point: Int) -> Expectation {
    var begun: [Int] = []
    var ended: Set<Int> = []
    /// By flush: writes that had ended when it began.
    var covered: [Int: Set<Int>] = [:]
    var safe: Set<Int> = []
    for event in trace.events[..<point] {
      switch event.kind {
      case .write, .flush: break
      case .writeBegan: begun.append(event.subject)
      case .writeEnded: ended.insert(event.subject)
      case .flushBegan: covered[event.subject] = ended
      case .acknowledged: safe.formUnion(covered[event.subject] ?? [])
      }
    }
    var acknowledged = initial
    for number in begun where safe.contains(number) {
      acknowledged.replaceSubrange(writes[number].range, with: writes[number].bytes)
    }
    return Expectation(
      acknowledged: acknowledged, begun: begun.map { writes[$0].asked },
      pending: begun.filter { !safe.contains($0) }.map { writes[$0] })
  }
}

/// What an array has to hold after a power cut.
struct Expectation: Sendable {
  /// What was there, and flushed, of each byte.
  let acknowledged: [UInt8]
  /// Array bytes of all writes that had begun, in order.
  let begun: [Range<Int>]
  /// Those of them of which nothing was promised yet.
  let pending: [ArrayHistory.Write]

  /// Whether a unit holds what it may: what was acknowledged, or that with pending writes over it.
  func allows(_ content: [UInt8], in unit: Range<Int>) -> Bool {
    if content.same(unit, as: acknowledged, at: unit.lowerBound) { return true }
    var candidate: [UInt8] = []
    for write in pending where write.range.overlaps(unit) {
      if candidate.isEmpty { candidate = Array(acknowledged[unit]) }
      let common = write.range.clamped(to: unit)
      let from = common.lowerBound - write.range.lowerBound
      candidate.replaceSubrange(
        common.lowerBound - unit.lowerBound..<common.upperBound - unit.lowerBound,
        with: write.bytes[from..<from + common.count])
      if content.same(unit, as: candidate, at: 0) { return true }
    }
    return false
  }
}
