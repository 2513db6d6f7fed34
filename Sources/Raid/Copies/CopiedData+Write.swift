import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

extension CopiedData {
  /// Holds an array range, marks it as being written, and writes it.
  func writeHolding(
    _ range: Range<Int>, from source: RawSpan, at place: Int, members: MemberSet,
    memory: inout WorkingMemory
  ) throws(RaidError) {
    // Blocks at the edges are read and written whole.
    let held = max(0, range.lowerBound - 4096)..<min(placement.byteCount, range.upperBound + 4096)
    try locks.withLock(held, exclusive: true) { () throws(RaidError) in
      try requireEdges(of: range, memory: &memory)
      let sums = try newSums(of: range, from: source, at: place, memory: &memory)
      let mark = try mark(range)
      defer { intent?.end(range, mark) }
      let ticket = try announce(range, sums)
      do throws(RaidError) {
        try write(range, from: source, at: place, memory: &memory)
        if let ticket { journal?.end(ticket) }
      } catch {
        // Some members may have the bytes and others not.
        if let journal, let ticket {
          addReplayed(range)
          journal.fail(ticket, error)
        } else {
          doubt(range)
        }
        throw error
      }
    }
  }

  /// Blocks that a write does not fill keep the rest of what they hold. Where nobody can give that, nothing may be
  /// marked as being written either: then what disagrees with its sum would be taken for what a crash has left. For the
  /// same reason every copy of such a block is made right first.
  ///
  /// - Throws: `lost`.
  private func requireEdges(
    of range: Range<Int>, memory: inout WorkingMemory
  ) throws(RaidError) {
    if range.lowerBound % 4096 == 0, range.upperBound % 4096 == 0 { return }
    var pieces: [BufferPiece] = []
    var repairs: [BadBlock] = []
    let first = range.lowerBound / 4096 * 4096
    let last = (range.upperBound - 1) / 4096 * 4096
    for start in first == last ? [first] : [first, last] {
      let block = start..<min(start + 4096, placement.byteCount)
      if range.clamped(to: block) == block { continue }
      while try !readHolding(block, into: &memory, pieces: &pieces, repairs: &repairs) {}
      let end = pieces.map(\.arrayRange.upperBound).max() ?? start
      // What is lost behind the beginning is asked for by itself, so that the error says who has lost it.
      if end < block.upperBound {
        while try !readHolding(
          end..<block.upperBound, into: &memory, pieces: &pieces, repairs: &repairs)
        {}
      }
      try repairCopies(of: block, memory: &memory)
    }
  }

  /// Makes all copies of a block right that are not, durably.
  private func repairCopies(
    of block: Range<Int>, memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    let sums = memory.sums
    let copies = try runs(of: block) { (places, _) throws(RaidError) in
      places.indices.map { Selection(index: $0, reader: nil) }
    }
    for run in copies {
      let start = run.memberRange.lowerBound / 4096 * 4096
      for offset in stride(from: start, to: run.memberRange.upperBound, by: 4096) {
        guard let member = slots[run.slot].reader(of: offset..<offset + 1), member.trustsSums
        else { continue }
        let end = min(offset + 4096, member.dataByteCount)
        let finding: Member.ReadFinding
        do throws(DeviceError) {
          var bytes = memory.buffer.mutableBytes
          finding = try member.readChecked(
            into: &bytes, range: 0..<end - offset, at: offset, sums: sums)
        } catch {
          try members.fail(member, error)
          continue
        }
        let kind: BadBlock.Kind
        switch finding {
        case .good: continue
        case .unproven: kind = .unproven
        case .unreadable: kind = .unreadable
        case .mismatch: kind = .mismatch
        case .vanished: kind = .vanished
        }
        let bad = BadBlock(slot: run.slot, offset: offset, kind: kind)
        if try repairHolding(bad, memory: &memory) {
          try members.onEach([member]) { (member) throws(DeviceError) in try member.flush() }
        }
      }
    }
  }

  /// Marks what is about to be written in the bitmap: at once, unless a journal makes up for it. A member that
  /// is not there needs the bits, and so does a kernel that comes after a crash.
  private func mark(_ range: Range<Int>) throws(RaidError) -> WriteIntent.Mark {
    guard let intent else { return .none }
    if let journal, journal.isLive, members.isComplete, intent.isOurs {
      intent.beginDeferred(range)
      return .deferred
    }
    do throws(RaidError) {
      try intent.begin(range) { (page, pages) throws(RaidError) in
        try members.storeIntent(page, pages, isOurs: intent.isOurs)
      }
    } catch {
      // Nothing was written, and a journal knows that.
      if journal?.isLive == true { intent.end(range, .stored) }
      throw error
    }
    return .stored
  }

  /// The sums that the journal keeps of what is about to be written: none where a block has one copy only, so that
  /// there is no choice, and where they are too many for a record.
  private func newSums(
    of range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) -> [UInt32] {
    guard let journal, journal.isLive, placement.copyCount > 1 else { return [] }
    let register = JournalRecord.touchRegister(arrayID: journal.arrayID)
    let blocks = range.lowerBound / 4096..<(range.upperBound + 4095) / 4096
    guard blocks.count * 4 <= journal.contentByteLimit / 4 else { return [] }
    var sums = [UInt32](repeating: 0, count: blocks.count)
    let firstWhole = (range.lowerBound + 4095) / 4096
    let whole = firstWhole..<max(firstWhole, range.upperBound / 4096)
    if !whole.isEmpty {
      let start = place + whole.lowerBound * 4096 - range.lowerBound
      var span = sums.mutableSpan
      blockSums(
        of: source, range: start..<start + whole.count * 4096,
        firstBlock: UInt64(whole.lowerBound), prefixRegister: register, into: &span,
        at: whole.lowerBound - blocks.lowerBound)
    }
    let (first, last) = (blocks.lowerBound, blocks.upperBound - 1)
    for block in first == last ? [first] : [first, last] where !whole.contains(block) {
      let bytes = block * 4096..<min(block * 4096 + 4096, placement.byteCount)
      let written = range.clamped(to: bytes)
      if written != bytes { try readEdge(bytes, &memory) }
      var edge = memory.blocks.mutableBytes
      let from = place + written.lowerBound - range.lowerBound
      edge.copy(
        source.sub(from..<from + written.count), at: written.lowerBound - bytes.lowerBound)
      sums[block - blocks.lowerBound] = blockSum(
        of: memory.blocks.bytes, range: 0..<bytes.count, block: block, prefixRegister: register)
    }
    return sums
  }

  /// Reads a block of the array that can be read.
  private func readEdge(_ block: Range<Int>, _ memory: inout WorkingMemory) throws(RaidError) {
    var pieces: [BufferPiece] = []
    var repairs: [BadBlock] = []
    while try !readHolding(block, into: &memory, pieces: &pieces, repairs: &repairs) {}
    for piece in pieces {
      WorkingMemory.copy(
        memory.buffer, piece.place..<piece.place + piece.arrayRange.count, to: &memory.blocks,
        at: piece.arrayRange.lowerBound - block.lowerBound)
    }
  }

  /// Says in the journal what is about to be written.
  private func announce(
    _ range: Range<Int>, _ sums: [UInt32]
  ) throws(RaidError) -> WriteJournal.Ticket? {
    guard let journal, journal.isLive else { return nil }
    let blocks = range.lowerBound / 4096..<(range.upperBound + 4095) / 4096
    return try journal.begin(
      .touch, blocks.lowerBound * 4096..<blocks.upperBound * 4096,
      [.init(slot: JournalRecord.Extent.wholeArray, blocks: blocks)], sums: sums,
      from: RawSpan(), [])
  }

  /// Writes array bytes to all their copies.
  ///
  /// The caller has announced the range to the intent bitmap, and holds it.
  /// - Parameter place: where `range` starts in `source`.
  func write(
    _ range: Range<Int>, from source: RawSpan, at place: Int, memory: inout WorkingMemory
  ) throws(RaidError) {
    let slots = members.slots
    let runs = try runs(of: range) { (places, _) throws(RaidError) in
      let living = places.indices.filter { !slots[places[$0].slot].writable.isEmpty }
      guard !living.isEmpty else {
        throw .lost(arrayRange: range, .missing(slot: places.first?.slot ?? 0))
      }
      return living.map { Selection(index: $0, reader: nil) }
    }
    let base = place - range.lowerBound
    for run in runs {
      for member in slots[run.slot].writable {
        try write(run, to: member, source, base, &memory)
      }
    }
  }

  private func write(
    _ run: Run, to member: Member, _ source: RawSpan, _ base: Int, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let whole = wholeBlocks(run.memberRange, of: member)
    let sums = memory.sums
    if run.parts.count == 1, whole == run.memberRange {
      let from = base + run.parts[0].arrayRange.lowerBound
      try write(source, from..<from + whole.count, to: member, at: whole.lowerBound, sums)
      return
    }
    // Many chunks in one piece, or a range that does not fill its first and last block.
    let room = memory.buffer.byteCount / 4096 * 4096
    var offset = whole.lowerBound
    while offset < whole.upperBound, !member.isFailed {
      let window = offset..<min(whole.upperBound, offset + room)
      try fillEdges(of: window, of: run, member, &memory)
      var bytes = memory.buffer.mutableBytes
      for part in run.parts {
        let start = run.memberRange.lowerBound + part.place
        let common = (start..<start + part.arrayRange.count).clamped(to: window)
        guard !common.isEmpty else { continue }
        let from = base + part.arrayRange.lowerBound + common.lowerBound - start
        bytes.copy(
          source.sub(from..<from + common.count), at: common.lowerBound - window.lowerBound)
      }
      try write(
        bytes.bytes, 0..<window.count, to: member, at: window.lowerBound, sums)
      offset = window.upperBound
    }
  }

  private func write(
    _ bytes: RawSpan, _ range: Range<Int>, to member: Member, at offset: Int,
    _ sums: SumScratch
  ) throws(RaidError) {
    do {
      try member.writeFresh(bytes, range: range, at: offset, sums: sums)
    } catch {
      try members.fail(member, error)
    }
  }

  /// Reads what the first and the last block of a window hold beside what is written.
  private func fillEdges(
    of window: Range<Int>, of run: Run, _ member: Member, _ memory: inout WorkingMemory
  ) throws(RaidError) {
    let sums = memory.sums
    var edges: [Int] = []
    if window.lowerBound < run.memberRange.lowerBound { edges.append(window.lowerBound) }
    let lastBlock = (window.upperBound - 1) / 4096 * 4096
    if window.upperBound > run.memberRange.upperBound, !edges.contains(lastBlock) {
      edges.append(lastBlock)
    }
    for block in edges {
      let count = min(4096, window.upperBound - block)
      let place = block - window.lowerBound
      guard member.isReadable(block..<block + count) else {
        try fillEdge(block, count, of: run.slot, member, at: place, &memory)
        continue
      }
      var bytes = memory.buffer.mutableBytes
      let finding: Member.ReadFinding
      do {
        finding = try member.readChecked(
          into: &bytes, range: place..<place + count, at: block, sums: sums)
      } catch {
        try members.fail(member, error)
        return
      }
      guard finding != .good else { continue }
      let kind: BadBlock.Kind =
        switch finding {
        case .unreadable: .unreadable
        case .unproven: .unproven
        case .vanished: .vanished
        case .good, .mismatch: .mismatch
        }
      try restore(
        BadBlock(slot: run.slot, offset: block, kind: kind), end: block + count, place: place,
        memory: &memory)
    }
  }
}

extension CopiedData {
  /// What the rest of a block holds on a member that is being built, or that lists it as bad: the others know. A
  /// bitmap may not have marked the block as one that it lacks.
  ///
  /// - Throws: `lost` for a block that is listed and that nobody has: what is written to a part of it must not
  ///   make the rest of it good.
  private func fillEdge(
    _ block: Int, _ count: Int, of slot: Int, _ member: Member, at place: Int,
    _ memory: inout WorkingMemory
  ) throws(RaidError) {
    var wanted = BadBlock(slot: slot, offset: block, kind: .unreadable)
    let sums = memory.sums
    do throws(RaidError) {
      if let reader = members.slots[slot].reader(of: block..<block + count) {
        var bad: [BadBlock] = []
        var bytes = memory.buffer.mutableBytes
        do {
          try reader.readAll(
            into: &bytes, at: place, block..<block + count, slot: slot, sums: sums,
            bad: &bad)
          guard let found = bad.first else { return }
          wanted.kind = found.kind
        } catch {
          try members.fail(reader, error)
        }
      }
      try restore(wanted, end: block + count, place: place, memory: &memory)
    } catch {
      guard case .lost = error, !member.isOnlyListed(block..<block + count) else { throw error }
      // Nobody has it, and the rebuild will say so.
      var bytes = memory.buffer.mutableBytes
      bytes.zero(place..<place + count)
    }
  }
}
