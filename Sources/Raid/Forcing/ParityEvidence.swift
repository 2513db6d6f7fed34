import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

/// What parity says of members that are out of date.
///
/// Whoever wrote to a row without a member changed its parity; so where more members are at hand than it takes to
/// compute a row, and the row agrees, all of them are of one time there. Where it does not agree, and does when one
/// member that is out of date is left aside, and with no other one left aside, it is that one which is old there
/// (so two parities tell what one can't). Else all of them may be.
struct ParityEvidence: Sendable {
  /// By slot: data offsets of blocks that are old, or may be, in order.
  let oldBlocks: [Int: [Int]]
  /// By slot: there are more of them than any list of bad blocks has room for.
  let hasTooMany: Bool

  /// For each member: more than a list of 512 entries of at most 511 sectors can name.
  private static let blockLimit = 512 * 64

  /// Reads all that there is, and compares it.
  ///
  /// - Parameter candidates: members that are out of date, one for a slot.
  /// - Returns: nil where there are no more members than it takes to compute the rest, or it was asked to stop.
  static func gather(
    _ stale: StaleMembers, _ candidates: [(index: Int, slot: Int)], _ options: SweepOptions
  ) throws(RaidError) -> ParityEvidence? {
    guard case .parity(let rows) = stale.shape.placement else { return nil }
    var slots = [MemberSet.Slot](repeating: .init(), count: rows.slotCount)
    for (slot, holder) in stale.assembly.holders.enumerated() where stale.isCurrent[slot] {
      guard let index = holder.member else { continue }
      slots[slot].member = try RaidArray.member(
        stale.assembly.members[index], slot: slot, false, false, nil)
    }
    for (index, slot) in candidates {
      slots[slot].member = try RaidArray.member(
        stale.assembly.members[index], slot: slot, false, false, nil)
    }
    guard slots.count(where: { $0.member != nil }) > rows.dataColumnCount else { return nil }
    let comparison = RowComparison(rows, slots, suspects: candidates.map(\.slot))
    let end = rows.rowCount * rows.chunkByteCount
    let old = Mutex<[Int: [Int]]>([:])
    let hasTooMany = Mutex(false)
    let done = try Sweep.run(
      over: 0..<end, workers: options.workers,
      memory: WorkingMemoryPool(slotCount: rows.slotCount),
      partEnd: {
        min(
          ($0 / rows.chunkByteCount + 1) * rows.chunkByteCount, $0 + comparison.columnByteCount)
      },
      advance: { done in options.progress(done, end) && !hasTooMany.withLock { $0 } },
      step: { (column, memory) throws(RaidError) in
        options.rate?.pass(column.count * rows.slotCount)
        let found = comparison.oldBlocks(column, &memory)
        if found.isEmpty { return }
        let isTooMany = old.withLock { old in
          for (slot, offset) in found { old[slot, default: []].append(offset) }
          return old.values.contains { $0.count > blockLimit }
        }
        if isTooMany { hasTooMany.withLock { $0 = true } }
      })
    let isTooMany = hasTooMany.withLock { $0 }
    guard done == end || isTooMany else { return nil }
    return ParityEvidence(
      oldBlocks: old.withLock { $0.mapValues { $0.sorted() } }, hasTooMany: isTooMany)
  }

  /// What of the array nobody has then.
  func lost(_ rows: ParityPlacement, emptySlots: [Int]) -> ArrayExtent {
    var slotsByOffset: [Int: [Int]] = [:]
    for (slot, offsets) in oldBlocks {
      for offset in offsets { slotsByOffset[offset, default: []].append(slot) }
    }
    var ranges: [Range<Int>] = []
    for (offset, old) in slotsByOffset {
      let gone = Set(old + emptySlots)
      guard gone.count > rows.parityCount else { continue }
      ranges += rows.arrayRanges(of: offset..<offset + 4096, on: gone)
    }
    var extent = ArrayExtent()
    extent.append(inAnyOrder: ranges)
    return extent
  }
}

/// Compares the parity of rows with their data, with some members that are suspected of being out of date.
private struct RowComparison: Sendable {
  private let rows: ParityPlacement
  private let members: [Member?]
  private let suspects: [Int]
  private let stripes: ParityStripes
  /// What is compared at once of each member: so much that all of them, and what is computed, fit into the buffer.
  let columnByteCount: Int

  init(_ rows: ParityPlacement, _ slots: [MemberSet.Slot], suspects: [Int]) {
    self.rows = rows
    self.suspects = suspects
    members = slots.map(\.member)
    let room = WorkingMemory.byteCount(slotCount: rows.slotCount)
    columnByteCount = min(64 << 10, room / (rows.slotCount + rows.parityCount) / 4096 * 4096)
    stripes = ParityStripes(
      placement: rows,
      members: MemberSet(slots: slots, spares: [], isWritable: false, survives: { _ in true }),
      intent: nil, journal: nil, doubtStart: Int.max, allowsDoubt: false,
      memory: WorkingMemoryPool(slotCount: rows.slotCount))
  }

  /// Blocks that are old, or may be, in a column of member data that is within one row of chunks.
  func oldBlocks(_ column: Range<Int>, _ memory: inout WorkingMemory) -> [(slot: Int, offset: Int)]
  {
    let present = members.indices.filter { read($0, column, &memory) }
    if present.count == members.count(where: { $0 != nil }),
      agrees(present, column, 0..<column.count, &memory)
    {
      return []
    }
    var old: [(slot: Int, offset: Int)] = []
    for offset in stride(from: column.lowerBound, to: column.upperBound, by: 4096) {
      let block = offset..<min(column.upperBound, offset + 4096)
      // Where a piece could not be read, perhaps a block of it can.
      let present = members.indices.filter { slot in
        read(slot, block, &memory, at: place(slot) + offset - column.lowerBound)
      }
      let part = offset - column.lowerBound..<block.upperBound - column.lowerBound
      // What could not be read now, and perhaps can be later, has not been compared.
      old += suspects.filter { !present.contains($0) }.map { ($0, offset) }
      if agrees(present, column, part, &memory) { continue }
      let culprits = suspects.filter { suspect in
        present.contains(suspect)
          && agrees(present.filter { $0 != suspect }, column, part, &memory)
      }
      let blamed = culprits.count == 1 ? culprits : suspects.filter(present.contains)
      old += blamed.map { ($0, offset) }
    }
    return old
  }

  private func place(_ slot: Int) -> Int { slot * columnByteCount }

  private func read(
    _ slot: Int, _ range: Range<Int>, _ memory: inout WorkingMemory, at place: Int? = nil
  ) -> Bool {
    guard let member = members[slot], member.isReadable(range) else { return false }
    let start = place ?? self.place(slot)
    var bytes = memory.buffer.mutableBytes
    return
      (try? member.read(into: &bytes, range: start..<start + range.count, at: range.lowerBound))
      != nil
  }

  /// Whether there are more slots than it takes to compute the rest, and all of them agree.
  ///
  /// - Parameter part: of the column.
  private func agrees(
    _ present: [Int], _ column: Range<Int>, _ part: Range<Int>, _ memory: inout WorkingMemory
  ) -> Bool {
    let row = column.lowerBound / rows.chunkByteCount
    let pattern = rows.pattern(ofRow: row)
    let parities = pattern.paritySlots.filter(present.contains)
    let dataCount = pattern.dataSlots.count(where: present.contains)
    let needed = rows.dataColumnCount - dataCount
    guard parities.count > needed else { return false }
    let computed = Array(parities.dropFirst(needed))
    let base = Set(pattern.dataSlots.filter(present.contains) + parities.prefix(needed))
    var bytes = memory.buffer.mutableBytes
    let isPossible = stripes.recover(
      row: row, wanted: computed, isKnown: base.contains,
      column: { slot in
        let index = computed.firstIndex(of: slot).map { rows.slotCount + $0 } ?? slot
        return place(index) + part.lowerBound
      }, byteCount: part.count, in: &bytes)
    guard isPossible else { return false }
    return computed.indices.allSatisfy { index in
      let start = place(computed[index]) + part.lowerBound
      return equal(
        memory.buffer.bytes, start..<start + part.count,
        place(rows.slotCount + index) + part.lowerBound)
    }
  }
}
