import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import MDFormat
import RaidGeometry

// After a crash, what the journal has is put in its place before anything is read. Blocks of records are
// written as they are. Where rows were rewritten whole, or an array without parity was written, each block is
// looked at: the data stands, parity, copies and sums follow it. All of this may be cut off and begun again.

extension Assembly {
  /// Whether what was written last may not be in its place, but in the members' own journals.
  ///
  /// Arrays with parity say so in their superblocks. Of others a clean superblock, or one that somebody else
  /// has written since, says that there is nothing left to do; where levels have no dirty mark the journal
  /// itself has to say it.
  func needsReplay(_ shape: ArrayShape) -> Bool {
    if reference.features.contains(.writeJournal) { return true }
    if case .parity = shape.placement { return false }
    guard shape.redundancy == 0 || !reference.isClean else { return false }
    // One that has lost its header, or never had any, tells nothing; the others do.
    return isJournaled && inSync.allSatisfy { $0.header == nil || $0.isLastWrittenByUs }
  }

  /// Whether writes go by way of the journal.
  package var isJournaled: Bool {
    inSync.contains { $0.header?.flags.contains(.journaled) == true }
  }

  private var inSync: [MemberProbe] {
    members.indices.compactMap { index in
      if case .active = standings[index] { members[index] } else { nil }
    }
  }

  /// The journals of the members in use.
  var journalPlaces: [JournalPlace] {
    holders.flatMap { [$0.member, $0.replacement].compactMap(\.self) }.compactMap {
      JournalPlace(members[$0])
    }
  }

  /// The same array on devices that only seem to be written to.
  func onScratch() -> Assembly {
    var devices: [Int: any BlockDevice] = [:]
    for (index, standing) in standings.enumerated() where standing.isUsed {
      devices[index] = ScratchDevice(members[index].device)
    }
    return Assembly(self, devices: devices)
  }
}

extension RaidArray {
  /// Puts all in its place that the journal has, or looks at what it speaks of.
  func replay(_ scan: JournalScan) throws(RaidError) {
    if options.isWritable {
      // As many as may still be lost, and one more.
      scan.spread(over: max(1, shape.redundancy - degradedSlots.count + 1))
    }
    try markWhatIsMissed(scan)
    try acceptTornSums(of: scan.entries.map(\.record))
    try memory.with { (memory) throws(RaidError) in
      var rewrites: [JournalRecord] = []
      var touched = RangeSet<Int>()
      var newSums: [Int: [UInt32]] = [:]
      for entry in scan.entries {
        switch entry.record.kind {
        case .content: try write(entry, of: scan, &memory)
        case .rewrite: rewrites.append(entry.record)
        case .touch:
          for extent in entry.record.extents {
            touched.insert(
              contentsOf: extent.blocks.lowerBound
                * 4096..<min(byteCount, extent.blocks.upperBound * 4096))
          }
          for (block, sum) in zip(entry.record.extents.lazy.flatMap(\.blocks), entry.record.sums)
          where newSums.count < Self.newSumLimit {
            newSums[block, default: []].append(sum)
          }
        }
      }
      switch segments[0].data {
      case .parity(let stripes): try stripes.settle(rewrites, &memory)
      case .copies(let copies):
        copies.setReplayed(touched, newSums: newSums, arrayID: assembly.reference.arrayID)
        defer { copies.endReplay() }
        try copies.settle(touched, &memory)
      }
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in try member.flush() }
    // Somebody may have failed meanwhile.
    try markWhatIsMissed(scan)
  }

  /// Of so many blocks the new sums are kept: more than a run leaves, whatever the journal says.
  private static let newSumLimit = 128 << 10

  /// Marks what the journal speaks of where somebody is not there: nothing else tells it what it missed once all is in
  /// its place.
  private func markWhatIsMissed(_ scan: JournalScan) throws(RaidError) {
    guard !members.isComplete, let intent else { return }
    let extents = scan.entries.flatMap(\.record.extents)
    let ranges = extents.map { $0.blocks.lowerBound * 4096..<$0.blocks.upperBound * 4096 }
    for range in ranges { intent.beginDeferred(range) }
    defer { for range in ranges { intent.end(range, .deferred) } }
    try intent.storeDeferredMarks(on: members)
  }

  /// Says on the members that all is in its place; gives the array back to the kernel.
  func finishReplay(_ scan: JournalScan) throws(RaidError) {
    // What a replacement is no longer said to have must be known before nothing asks the journal any more.
    let replacements = members.slots.compactMap(\.replacement).filter { !$0.isInSync }
    try members.onEach(replacements) { (member) throws(DeviceError) in
      try member.storeSuperblock()
      try member.device.flush()
    }
    noteJournalReplay(
      recordCount: scan.entries.count,
      byteCount: scan.entries.reduce(0) { $0 + $1.record.blockCount * 4096 })
    var change = MemberSet.Change()
    if shape.redundancy > 0 { change.resyncOffsetSectors = MDSuperblock.allOnes }
    // What was put in place is marked for those only who are not there now.
    change.endsRecords = members.isComplete
    // A copy of a member as the crash left it has not got it.
    change.outdatesCopies = true
    try members.commit(change, intent: intent)
    try members.onEach(members.active) { (member) throws(DeviceError) in
      guard let place = JournalPlace(member), var header = try place.header() else { return }
      header.generation &+= 1
      header.isLive = false
      try place.store(header)
    }
  }

  /// Writes the blocks of a record to their members.
  private func write(
    _ entry: JournalScan.Entry, of scan: JournalScan, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    let sums = memory.sums
    var index = 0
    for extent in entry.record.extents {
      for block in extent.blocks {
        let source = entry.sources[index]
        index += 1
        var bytes = memory.blocks.mutableBytes
        do throws(DeviceError) {
          try scan.places[source.place].device.read(
            into: &bytes, range: 0..<4096, at: source.offset)
        } catch {
          // It could be read a moment ago.
          throw .member(name: scan.places[source.place].device.name, error)
        }
        for member in slots[extent.slot].writable {
          do throws(DeviceError) {
            try member.write(bytes.bytes, range: 0..<4096, at: block * 4096, sums: sums)
          } catch {
            try members.fail(member, error)
          }
        }
      }
    }
  }
}

extension CopiedData {
  /// Makes copies alike, and sums follow the data, where the array was being written.
  fileprivate func settle(_ ranges: RangeSet<Int>, _ memory: inout WorkingMemory) throws(RaidError)
  {
    let log = ScrubLog()
    for range in ranges.ranges { try scrub(range, repairs: true, log: log, memory: &memory) }
  }
}

extension ParityStripes {
  /// Makes parity and sums follow the data where rows were being rewritten.
  ///
  /// Where a member is missing, too, its block of a row can be told only if all others are of one time: all as
  /// before, or all as after a rewrite. Else it is lost, and what would give something else for it is marked.
  func settle(_ rewrites: [JournalRecord], _ memory: inout WorkingMemory) throws(RaidError) {
    var ranges = RangeSet<Int>()
    for record in rewrites {
      guard let blocks = record.extents.first?.blocks else { continue }
      ranges.insert(contentsOf: blocks.lowerBound * 4096..<blocks.upperBound * 4096)
    }
    setReplayed(ranges)
    defer { setReplayed(RangeSet()) }
    let log = ScrubLog()
    guard !members.isComplete else {
      for range in ranges.ranges { try scrub(range, repairs: true, log: log, memory: &memory) }
      return
    }
    for range in ranges.ranges {
      for offset in Swift.stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
        let column = offset..<offset + 4096
        let isSettled = try locks.withLock(
          offset / placement.chunkByteCount..<offset / placement.chunkByteCount + 1,
          exclusive: true
        ) { () throws(RaidError) in try judge(column, rewrites, &memory) }
        if !isSettled { try scrub(column, repairs: true, log: log, memory: &memory) }
      }
    }
  }

  /// Looks at one block of each member of a row that lacks some.
  ///
  /// - Returns: false when all data is there, so that parity can simply follow it.
  private func judge(
    _ column: Range<Int>, _ rewrites: [JournalRecord], _ memory: inout WorkingMemory
  ) throws(RaidError) -> Bool {
    let block = column.lowerBound / 4096
    let pattern = placement.pattern(ofRow: column.lowerBound / placement.chunkByteCount)
    let readers = members.slots.map { $0.reader(of: column) }
    if pattern.dataSlots.allSatisfy({ readers[$0] != nil }) { return false }
    var found: [Int: UInt32] = [:]
    for (slot, reader) in readers.enumerated() {
      guard let reader else { continue }
      let prefix = BlockSums.prefixRegister(
        arrayID: reader.superblock.arrayID, slot: UInt32(slot))
      do throws(DeviceError) {
        var bytes = memory.blocks.mutableBytes
        try reader.read(into: &bytes, range: 0..<4096, at: column.lowerBound)
        found[slot] = blockSum(of: bytes.bytes, at: 0, block: block, prefixRegister: prefix)
      } catch {
        guard case .unreadable = error else {
          try members.fail(reader, error)
          continue
        }
      }
    }
    let isOfOneTime = times(of: block, rewrites).contains { time in
      found.allSatisfy { time[$0.key] == $0.value }
    }
    for (slot, reader) in readers.enumerated() {
      guard let reader, let sum = found[slot] else { continue }
      do throws(DeviceError) {
        try reader.sums?.record([sum], from: 0, count: 1, firstBlock: block)
        if !isOfOneTime, pattern.paritySlots.contains(slot) {
          try reader.markLost([column.lowerBound])
        }
      } catch {
        try members.fail(reader, error)
      }
    }
    return true
  }

  /// The sums by slot that the blocks of this number had before the first rewrite, and after each.
  private func times(of block: Int, _ rewrites: [JournalRecord]) -> [[Int: UInt32]] {
    var times: [[Int: UInt32]] = []
    for record in rewrites {
      var new: [Int: UInt32] = [:]
      var old: [Int: UInt32] = [:]
      var start = 0
      for extent in record.extents {
        if extent.blocks.contains(block) {
          let index = start + block - extent.blocks.lowerBound
          new[extent.slot] = record.sums[index]
          if !record.oldSums.isEmpty { old[extent.slot] = record.oldSums[index] }
        }
        start += extent.blocks.count
      }
      if new.isEmpty { continue }
      if times.isEmpty, !old.isEmpty { times.append(old) }
      times.append(new)
    }
    return times
  }
}
