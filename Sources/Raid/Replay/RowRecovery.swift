import ErasureCoding
import RaidGeometry
import Synchronization

/// Computes slots of a row from others, anywhere in a buffer.
final class RowRecovery: Sendable {
  private struct Key: Hashable {
    var pattern: Int
    var known: [Int]
    var wanted: [Int]
  }

  let placement: ParityPlacement
  private let code: ErasureCode
  private let plans = Mutex<[Key: CodingPlan]>([:])

  init(_ placement: ParityPlacement) {
    self.placement = placement
    code = ErasureCode(parityCount: placement.parityCount)
  }

  /// Fills the columns of the slots `wanted`. Slot `s` has its column at `s * byteCount`.
  ///
  /// - Parameter known: slots whose columns are right.
  /// - Returns: false when they are too few.
  func compute(
    _ wanted: [Int], row: Int, known: [Int], byteCount: Int, in buffer: inout MutableRawSpan
  ) -> Bool {
    guard let plan = plan(wanted, row: row, known: known) else { return false }
    let sources = known.map { $0 * byteCount }
    let outputs = wanted.map { $0 * byteCount }
    plan.apply(
      in: &buffer, sources: sources.span, outputs: outputs.span, byteCount: byteCount)
    return true
  }

  private func plan(_ wanted: [Int], row: Int, known: [Int]) -> CodingPlan? {
    let key = Key(pattern: placement.patternIndex(ofRow: row), known: known, wanted: wanted)
    if let plan = plans.withLock({ $0[key] }) { return plan }
    let pattern = placement.pattern(ofRow: row)
    func shard(_ slot: Int) -> Shard {
      switch pattern.roles[slot] {
      case .data(let column): .data(position: pattern.codePositions[column])
      case .parity(let index): .parity(index)
      }
    }
    let plan = code.recovery(
      positions: pattern.codePositions, known: known.map(shard), wanted: wanted.map(shard))
    // Few patterns and few sets of lost members; many only where blocks are bad everywhere.
    plans.withLock { plans in
      if plans.count > 1024 { plans.removeAll() }
      plans[key] = plan
    }
    return plan
  }
}
