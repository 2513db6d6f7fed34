import FToolTestSupport
import LinuxSystem
import Raid

extension Scenario {
  /// Writes with flushes in between, and closes the array or leaves it.
  func write(_ count: Int) throws {
    let array = try open(present)
    var last: Range<Int>?
    for step in 0..<count {
      if step > 0, Int.random(in: 0..<4, using: &random) == 0, try writeTogether(array) {
        continue
      }
      let range = chooseRange(last)
      last = range
      try array.write(random.bytes(range.count), at: range.lowerBound)
      if Int.random(in: 0..<5, using: &random) < 2 { try array.flush() }
    }
    if Int.random(in: 0..<3, using: &random) > 0 { try array.close() }
  }

  /// Writes so often, without flushes, to an array that is open.
  func write(_ count: Int, to array: RecordedArray) throws {
    for _ in 0..<count {
      let range = chooseRange(nil)
      try array.write(random.bytes(range.count), at: range.lowerBound)
    }
  }

  /// Whole rows, blocks, any bytes, a few bytes, or what overlaps with the last.
  private func chooseRange(_ last: Range<Int>?) -> Range<Int> {
    let end = geometry.byteCount
    let row = geometry.rowByteCount
    let start: Int
    let count: Int
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      start = Int.random(in: 0..<(end + row - 1) / row, using: &random) * row
      count = row * Int.random(in: 1...2, using: &random)
    case 1:
      start = Int.random(in: 0..<(end + 4095) / 4096, using: &random) * 4096
      count = 4096 * Int.random(in: 1...3, using: &random)
    case 2:
      start = Int.random(in: 0..<end, using: &random)
      count = Int.random(in: 1...512, using: &random)
    case 3 where last != nil:
      let last = last ?? 0..<0
      start = max(0, last.lowerBound + Int.random(in: -2048...2048, using: &random))
      count = last.count
    default:
      start = Int.random(in: 0..<end, using: &random)
      count = Int.random(in: 1...6000, using: &random)
    }
    let clamped = min(start, end - 1)
    return clamped..<min(end, clamped + count)
  }

  /// Several threads write to parts that do not touch each other, and one of them flushes.
  ///
  /// - Returns: false where the array is too small for that.
  private func writeTogether(_ array: RecordedArray) throws -> Bool {
    let row = geometry.rowByteCount
    // Who writes copies holds a block more on both sides.
    let distance = geometry.parityCount > 0 ? row : row + 2 * 4096
    let places = (geometry.byteCount - row) / distance + 1
    guard places >= 2 else { return false }
    let chosen = (0..<places).shuffled(using: &random).prefix(3)
    var bodies: [@Sendable () -> Void] = []
    let failure = Monitor<RaidError?>(nil)
    for (index, place) in chosen.enumerated() {
      let start = place * distance + Int.random(in: 0..<row, using: &random)
      let count = Int.random(in: 1...max(1, place * distance + row - start), using: &random)
      let write = array.announce(random.bytes(count), at: start)
      let flushes = index == 1
      bodies.append {
        do throws(RaidError) {
          try array.perform(write)
          if flushes { try array.flush() }
        } catch {
          failure.withLock { $0 = error }
        }
      }
    }
    let start = try dataOffset
    turns.run(
      bodies,
      dataOffsets: plan.hasJournal && geometry.parityCount == 0
        ? 0..<0 : start..<start + plan.dataByteCount,
      changesAtWrites: !plan.hasJournal, seed: random.next())
    if let failure = failure.withLock({ $0 }) { throw failure }
    return true
  }
}
