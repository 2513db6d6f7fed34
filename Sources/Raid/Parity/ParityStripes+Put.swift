import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

/// Bytes that are ready to be written to the same place of some slots' members: data and the parity that
/// belongs to it.
struct StripeUpdate {
  /// What a slot gets.
  struct Column {
    var slot: Int
    /// Where its bytes start in the working buffer.
    var place: Int
  }

  /// Data offsets, the same on all members: whole blocks.
  var memberRange: Range<Int>
  var columns: [Column]
  /// The sums of column `i` start at `i * blocksPerColumn`.
  var blocksPerColumn: Int
}

extension ParityStripes {
  /// Writes an update in its place: after the journal has it, if there is one.
  ///
  /// Whole rows of an array that lacks nobody are only announced, since each of their blocks may be old or new
  /// after a crash and parity follows. Where somebody is missing, or others' blocks of the row stay, all that
  /// is written is in the journal first.
  /// - Parameter sums: of all columns whose slots keep sums.
  func put(
    _ update: StripeUpdate, sums: [UInt32], memory: borrowing WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    guard let journal, journal.isLive else {
      return try store(update, update.memberRange, slots, sums, memory)
    }
    if update.columns.count == placement.slotCount, members.isComplete {
      let (ticket, tellsOld) = try announce(update, slots, sums, by: journal)
      if members.isComplete || !tellsOld {
        return try store(update, update.memberRange, slots, sums, memory, by: journal, ticket)
      }
      // Somebody was lost on the way. Nothing of this has been written yet, as the record can tell.
      journal.end(ticket)
    }
    let columns = update.columns.enumerated().filter { !slots[$0.element.slot].writable.isEmpty }
    // Columns of a row are independent of each other, so a large update may go in parts.
    let step = max(4096, journal.contentByteLimit / max(1, columns.count) / 4096 * 4096)
    for start in Swift.stride(
      from: update.memberRange.lowerBound, to: update.memberRange.upperBound, by: step)
    {
      let part = start..<min(start + step, update.memberRange.upperBound)
      let blocks = part.lowerBound / 4096..<(part.upperBound + 4095) / 4096
      let offset = part.lowerBound - update.memberRange.lowerBound
      var written: [UInt32] = []
      for (index, _) in columns {
        let first = index * update.blocksPerColumn + offset / 4096
        written += sums[first..<first + blocks.count]
      }
      let ticket = try journal.begin(
        .content, part, columns.map { .init(slot: $0.element.slot, blocks: blocks) },
        sums: written, from: memory.buffer.bytes,
        columns.map { $0.element.place + offset..<$0.element.place + offset + part.count })
      try store(update, part, slots, sums, memory, by: journal, ticket)
    }
  }

  /// Says in the journal that whole rows are written, what their sums become, and, where that is known, what they were.
  private func announce(
    _ update: StripeUpdate, _ slots: [MemberSet.Slot], _ sums: [UInt32], by journal: WriteJournal
  ) throws(RaidError) -> (WriteJournal.Ticket, tellsOld: Bool) {
    let blocks =
      update.memberRange.lowerBound / 4096..<(update.memberRange.upperBound + 4095) / 4096
    var new: [UInt32] = []
    var old: [UInt32] = []
    new.reserveCapacity(blocks.count * update.columns.count)
    for (index, column) in update.columns.enumerated() {
      let first = index * update.blocksPerColumn
      new += sums[first..<first + blocks.count]
      if index == 0 || !old.isEmpty {
        let known = slots[column.slot].writable.first { $0.isInSync }?.knownSums(of: blocks)
        if let known { old += known } else { old = [] }
      }
    }
    let ticket = try journal.begin(
      .rewrite, update.memberRange,
      update.columns.map { .init(slot: $0.slot, blocks: blocks) }, sums: new, oldSums: old,
      from: RawSpan(), [])
    return (ticket, !old.isEmpty)
  }

  /// Writes what a record speaks of.
  private func store(
    _ update: StripeUpdate, _ part: Range<Int>, _ slots: [MemberSet.Slot], _ sums: [UInt32],
    _ memory: borrowing WorkingMemory, by journal: WriteJournal, _ ticket: WriteJournal.Ticket
  ) throws(RaidError) {
    do throws(RaidError) {
      try store(update, part, slots, sums, memory)
      journal.end(ticket)
    } catch {
      // Some members may have the bytes and others not, until the journal has mended it.
      addReplayed(part)
      journal.fail(ticket, error)
      throw error
    }
  }

  private func store(
    _ update: StripeUpdate, _ part: Range<Int>, _ slots: [MemberSet.Slot], _ sums: [UInt32],
    _ memory: borrowing WorkingMemory
  ) throws(RaidError) {
    let offset = part.lowerBound - update.memberRange.lowerBound
    for (index, column) in update.columns.enumerated() {
      for member in slots[column.slot].writable {
        do throws(DeviceError) {
          try member.writeSummed(
            memory.buffer.bytes, at: column.place + offset, part, sums: sums,
            from: index * update.blocksPerColumn + offset / 4096)
        } catch {
          try members.fail(member, error)
        }
      }
    }
  }
}

extension Member {
  /// The sums that are kept of these blocks; nil where they are not, or are not to be believed.
  fileprivate func knownSums(of blocks: Range<Int>) -> [UInt32]? {
    guard let sums, trustsSums else { return nil }
    return try? sums.stored(blocks)
  }
}
