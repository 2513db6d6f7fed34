import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import RaidGeometry
import Synchronization

/// The data of an array whose rows carry parity: RAID 4, 5, 6 and `ec:K+M`.
///
/// Reading takes the data columns; what is missing, unreadable or disagrees with its sum is computed
/// from the others (`ParityStripes+Load`, `+Restore`). Writing computes the parity of whole rows
/// without reading, and of parts by whichever reads less (`+Write`).
final class ParityStripes: Sendable {
  /// The work of one kind of row, prepared.
  struct RowPlan: Sendable {
    let pattern: RowPattern
    /// Data columns in code order: for this order the encoding kernels are fastest.
    let order: [Int]
    let encoding: CodingPlan
  }

  private struct RecoveryKey: Hashable {
    var pattern: Int
    var known: [Int]
    var wanted: [Int]
  }

  let placement: ParityPlacement
  let members: MemberSet
  let code: ErasureCode
  let rowPlans: [RowPlan]
  let intent: WriteIntent?
  let journal: WriteJournal?
  /// By slot: what sums in the journal begin with, also those of blocks of members that keep none.
  private let journalRegisters: [UInt32]
  let memory: WorkingMemoryPool
  /// Whether reads give what was computed from rows that may not agree with their parity.
  let allowsDoubt: Bool
  /// Holds on rows.
  let locks = RangeLock()
  /// Rows below this member offset, or all, may not agree with their parity.
  private let doubtStart: Atomic<Int>
  /// Member bytes of which a journal says that they may not agree with their parity; nothing else does then.
  private let replayed = Mutex(RangeSet<Int>())
  /// By code position: how all parities follow one column.
  let updates = Mutex<[Int: CodingPlan]>([:])
  private let recoveries = Mutex<[RecoveryKey: CodingPlan]>([:])

  /// - Parameter doubtStart: from this member offset on, rows may not agree with their parity after a
  ///   crash; `Int.max` for none.
  init(
    placement: ParityPlacement, members: MemberSet, intent: WriteIntent?, journal: WriteJournal?,
    doubtStart: Int, allowsDoubt: Bool, memory: WorkingMemoryPool
  ) {
    self.placement = placement
    self.members = members
    self.intent = intent
    self.journal = journal
    journalRegisters = (0..<placement.slotCount).map { slot in
      journal.map { BlockSums.prefixRegister(arrayID: $0.arrayID, slot: UInt32(slot)) } ?? 0
    }
    self.memory = memory
    self.allowsDoubt = allowsDoubt
    self.doubtStart = Atomic(doubtStart)
    let code = ErasureCode(parityCount: placement.parityCount)
    self.code = code
    rowPlans = (0..<placement.patternCount).map { index in
      let pattern = placement.pattern(ofRow: index)
      let order = pattern.dataSlots.indices.sorted {
        pattern.codePositions[$0] < pattern.codePositions[$1]
      }
      return RowPlan(
        pattern: pattern, order: order,
        encoding: code.encoding(
          positions: order.map { pattern.codePositions[$0] },
          parities: Array(0..<placement.parityCount)))
    }
  }

  /// What the sums of a slot's blocks begin with; nil where neither a member nor a journal keeps any.
  func sumRegister(_ slot: Int, _ member: Member?) -> UInt32? {
    member?.sums?.prefixRegister ?? (journal == nil ? nil : journalRegisters[slot])
  }

  func plan(ofRow row: Int) -> RowPlan { rowPlans[placement.patternIndex(ofRow: row)] }

  /// Whether rows of this range of member data may not agree with their parity.
  func isDoubtful(_ memberRange: Range<Int>) -> Bool {
    if memberRange.upperBound > doubtStart.load(ordering: .acquiring) {
      return intent?.isDoubtful(memberRange) ?? true
    }
    return replayed.withLock { !$0.isEmpty && !$0.isDisjoint(RangeSet(memberRange)) }
  }

  /// Just these member bytes may not agree with their parity, as the journal says.
  func setReplayed(_ ranges: RangeSet<Int>) { replayed.withLock { $0 = ranges } }
  /// These are, too.
  func addReplayed(_ range: Range<Int>) { replayed.withLock { $0.insert(contentsOf: range) } }

  /// A write to this range of member data was cut off.
  func doubt(_ memberRange: Range<Int>) {
    intent?.doubt(memberRange)
    doubtStart.min(memberRange.lowerBound, ordering: .acquiringAndReleasing)
  }

  /// A resync has come so far.
  func settleDoubt(upTo memberOffset: Int) {
    if doubtStart.load(ordering: .acquiring) < memberOffset {
      doubtStart.store(
        memberOffset >= placement.rowCount * placement.chunkByteCount ? Int.max : memberOffset,
        ordering: .releasing)
    }
  }

  /// Whether all rows are known to agree with their parity.
  var isSettled: Bool {
    doubtStart.load(ordering: .acquiring) == Int.max || intent.map { !$0.hasDoubt } ?? false
  }
  /// Member data from here on may not agree with its parity.
  var doubtStartOffset: Int { doubtStart.load(ordering: .acquiring) }

  /// The plan that computes the slots `wanted` of a row from the slots `known`; nil when these are too few.
  func recovery(row: Int, known: [Int], wanted: [Int]) -> CodingPlan? {
    let key = RecoveryKey(
      pattern: placement.patternIndex(ofRow: row), known: known, wanted: wanted)
    if let plan = recoveries.withLock({ $0[key] }) { return plan }
    let pattern = placement.pattern(ofRow: row)
    func shard(_ slot: Int) -> Shard {
      switch pattern.roles[slot] {
      case .data(let column): .data(position: pattern.codePositions[column])
      case .parity(let index): .parity(index)
      }
    }
    guard
      let plan = code.recovery(
        positions: pattern.codePositions, known: known.map(shard), wanted: wanted.map(shard))
    else { return nil }
    recoveries.withLock { recoveries in
      // A few patterns times a few sets of lost members; many only where blocks are bad everywhere.
      if recoveries.count > 4096 { recoveries.removeAll() }
      recoveries[key] = plan
    }
    return plan
  }

  /// Computes slots of one row within the buffer, where every slot of `known` is right.
  ///
  /// - Parameters:
  ///   - column: where each slot's bytes start.
  ///   - isKnown: which slots are right.
  /// - Returns: false when too few are.
  func recover(
    row: Int, wanted: [Int], isKnown: (Int) -> Bool, column: (Int) -> Int, byteCount: Int,
    in buffer: inout MutableRawSpan
  ) -> Bool {
    let plan = plan(ofRow: row)
    var known: [Int] = []
    for column in plan.order where isKnown(plan.pattern.dataSlots[column]) {
      known.append(plan.pattern.dataSlots[column])
    }
    var needed = plan.order.count - known.count
    for slot in plan.pattern.paritySlots where needed > 0 && isKnown(slot) {
      known.append(slot)
      needed -= 1
    }
    guard needed == 0, let recovery = recovery(row: row, known: known, wanted: wanted) else {
      return false
    }
    let sources = known.map(column)
    let outputs = wanted.map(column)
    recovery.apply(
      in: &buffer, sources: sources.span, outputs: outputs.span, byteCount: byteCount)
    return true
  }
}
