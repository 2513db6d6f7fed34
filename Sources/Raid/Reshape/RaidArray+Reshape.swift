import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization
import SystemPackage

/// What came of a reshape.
package struct ReshapeReport: Sendable {
  /// Array bytes that have the new shape.
  package let position: Int
  /// Array bytes in all.
  package let end: Int
  /// Array bytes of which nobody had the content any more: they are marked as lost where they are now.
  package let lostRanges: [Range<Int>]
  /// Whether nothing of the old shape is left.
  package var isComplete: Bool { position == end }
}

extension RaidArray {
  /// Whether it was opened with a reshape under way.
  package var isReshaping: Bool { newShape != nil }
  /// What the reshape that is under way makes of it.
  package var reshapeGoal: ArrayShape? { newShape }
  /// Whether Linux md loses data when it does this reshape and is stopped: it then writes down a position that lags
  /// behind what it has moved by more than the gap (md.c and raid5.c of 6.1 to 6.12: `min_offset_diff` is
  /// worked out only when a reshape is assembled that has begun already).
  package var losesDataInLinux: Bool {
    let superblock = assembly.reference
    guard let newShape, case .parity = newShape.placement else { return false }
    return superblock.reshape.deltaSlots == 0 && superblock.effectiveNewOffsetSectors != 0
  }
  /// Whether somebody else wrote the superblocks last, as far as the members tell.
  package var wasReshapedByOthers: Bool {
    assembly.members.indices.contains {
      guard assembly.standings[$0].isUsed else { return false }
      let probe = assembly.members[$0]
      return probe.header == nil ? probe.superblock.marker == 0 : !probe.isLastWrittenByUs
    }
  }
  /// How many array bytes have been moved.
  package var reshapedByteCount: Int {
    guard let newShape else { return 0 }
    return assembly.reference.reshapesBackwards
      ? newShape.byteCount - reshapePosition : reshapePosition
  }
  /// Array bytes up to here have the new shape, or those from here on.
  package var reshapePosition: Int {
    min(
      newShape?.byteCount ?? 0,
      Int(clamping: assembly.reference.reshape.positionSectors).multipliedOrMax(by: 512))
  }

  /// Goes on with the reshape that the superblocks speak of, to its end or until it is asked to stop. The array
  /// is closed then, and to be opened anew.
  ///
  /// Part after part of the array is read in the old shape, written in the new one to where nothing is that
  /// has not been moved, made durable, and then called moved by all superblocks.
  package func continueReshape(_ options: SweepOptions) throws(RaidError) -> ReshapeReport {
    let reshape = try Reshape(self)
    let report = try reshape.run(options)
    endWithoutUpdate()
    return report
  }
}

/// A reshape that is under way.
final class Reshape: Sendable {
  let array: RaidArray
  private let new: ArrayShape
  private let path: ReshapePath
  private let target: RaidArray.Placed
  /// The members in both shapes; those of the one with more slots are all that there are.
  private let oldMembers: MemberSet
  private let newMembers: MemberSet
  private var members: MemberSet { array.keeper }
  /// It goes from the end of the array to its start.
  private var isBackwards: Bool { path.isBackwards }
  private let lost = Mutex<[Range<Int>]>([])

  /// Rows may be staged where they can't be moved: a kernel is kept away.
  private let mayStage: Bool

  /// Of one member's data, moved before the superblocks say so.
  private static let partByteLimit = 16 << 20

  init(_ array: RaidArray) throws(RaidError) {
    guard array.options.reshapes, array.segments.count >= 2, let newShape = array.newShape,
      let newMembers = array.newMembers
    else { throw .unsuitable(.reshape(.notUnderWay)) }
    self.array = array
    new = newShape
    target = array.segments[1].data
    (oldMembers, self.newMembers) = (array.members, newMembers)
    let isBackwards = array.assembly.reference.reshapesBackwards
    mayStage = array.assembly.reference.features.contains(.writeJournal)
    array.keeper.keepsKernelsAway.store(mayStage, ordering: .releasing)
    let direction = isBackwards ? 512 : -512
    let shifts = array.keeper.active.map {
      direction * Int($0.superblock.effectiveNewOffsetSectors)
    }
    let (source, goal) = try ReshapePlan.geometries(from: array.shape, to: newShape)
    path = ReshapePath(
      from: source, to: goal, isBackwards: isBackwards, shift: shifts.min() ?? 0)
  }

  func run(_ options: SweepOptions) throws(RaidError) -> ReshapeReport {
    try requireEnough()
    let end = new.byteCount
    let started = MaintenanceStart(at: moved(at: array.reshapePosition))
    array.noteOpening()
    var position = array.reshapePosition
    var staged = array.stagedRows
    // What was staged is put in its place in any case.
    var isStopped = !options.progress(moved(at: position), end) && staged == nil
    // Before anything is written over what an earlier position speaks of, nobody has that any more: neither who was
    // not reached by the last update, nor a copy that was made when this was cut off, which knows nothing of rows
    // that are staged from now on.
    var resumed = change(to: position)
    resumed.outdatesCopies = true
    try members.commit(resumed, intent: array.intent)
    try storeSums()
    while moved(at: position) < end, !isStopped {
      let part: Range<Int>
      if let rows = staged {
        part = rows.part
        try place(rows, options)
      } else {
        switch path.nextPart(from: position, memberLimit: partByteLimit) {
        case .range(let free):
          part = free
          try move(part, from: array.segments, to: target, options, isLost: markLost)
        case .noRoom(let has):
          part = try stagedPart(from: position, has: has)
          let rows = try stage(part, options)
          staged = rows
          try place(rows, options)
        }
      }
      position = isBackwards ? part.lowerBound : part.upperBound
      try conclude(part, position, started, isLogged: staged != nil)
      staged = nil
      isStopped = !options.progress(moved(at: position), end) && moved(at: position) < end
    }
    let done = moved(at: position)
    let isComplete = done >= end
    members.note(
      isComplete ? .finished : .interrupted,
      cause: MaintenanceProgress.Operation.reshape.rawValue,
      counts: .init(
        isComplete ? started.position : done, end, 0, lost.withLock { $0.count }))
    try finish(at: done, started, isComplete: isComplete)
    return ReshapeReport(
      position: done, end: end, lostRanges: isComplete ? allLost() : lost.withLock { $0 })
  }

  /// Array bytes that have been moved when it stands there.
  private func moved(at position: Int) -> Int {
    isBackwards ? new.byteCount - position : position
  }

  // MARK: How much at once

  /// The part that goes to its place by way of the members' spare room: as much as that takes.
  ///
  /// - Parameter has: bytes of each member that there is room for otherwise.
  private func stagedPart(from position: Int, has: Int) throws(RaidError) -> Range<Int> {
    let step = path.step
    // Where Linux md left copies at a place between, what is next is no whole band.
    guard mayStage || !path.goal.standsAnywhere else {
      throw .unsuitable(.reshape(.foreignPlace(position)))
    }
    let tightest = members.active.min {
      $0.reshapeRoom?.stagedBlockCount ?? 0 < $1.reshapeRoom?.stagedBlockCount ?? 0
    }
    let room = mayStage ? (tightest?.reshapeRoom?.stagedBlockCount ?? 0) * 4096 : has
    guard mayStage, room >= step.member else {
      throw .unsuitable(
        .reshape(.noHeadroom(member: tightest?.name ?? "", has: room, needs: step.member)))
    }
    let count = min(room, max(step.member, partByteLimit)) / step.member * step.array
    var part = position..<min(new.byteCount, position + count)
    if isBackwards {
      let rest = position % step.array
      part = (rest > 0 ? position - rest : max(0, position - count))..<position
    }
    // Nobody leaves such an array at another place.
    guard path.goal.blocks(of: part) != nil else {
      throw .unsuitable(.reshape(.foreignPlace(position)))
    }
    return part
  }

  private var partByteLimit: Int {
    let capacity = members.active.filter { $0.sums != nil }
      .map { ($0.reshapeRoom?.sumCount ?? 0) * BlockSums.blockByteCount }.min()
    return min(Self.partByteLimit, capacity ?? .max)
  }

  // MARK: Moving

  /// Reads a part where it is and writes it in the new shape, spread over the workers.
  ///
  /// - Parameter isLost: told of blocks of the array that nobody could give.
  private func move(
    _ part: Range<Int>, from source: [RaidArray.Segment], to target: RaidArray.Placed,
    _ options: SweepOptions, isLost: @escaping @Sendable (Range<Int>) throws(RaidError) -> Void
  ) throws(RaidError) {
    let unit = path.goal.pieceByteCount
    let room = WorkingMemory.byteCount(slotCount: array.members.slotCount)
    let count = max(1, min(room, (part.count / options.workers)) / unit) * unit
    guard count <= room else {
      // Where not even one row of the new shape fits into the usual buffer: row after row through a larger one.
      // Never parts of rows: what is in the rest of a row means nothing yet, and parity must not be made of it.
      var memory = WorkingMemory(byteCount: unit, slotCount: newMembers.slotCount)
      for start in stride(from: part.lowerBound, to: part.upperBound, by: unit) {
        options.rate?.pass(unit)
        try move(start..<start + unit, from: source, to: target, &memory, isLost)
      }
      return
    }
    _ = try Sweep.run(
      over: part, workers: options.workers, memory: array.memory,
      partEnd: { $0 + count }, advance: { (_) throws(RaidError) in true },
      step: { (piece, memory) throws(RaidError) in
        options.rate?.pass(piece.count)
        try self.move(piece, from: source, to: target, &memory, isLost)
      })
  }

  private func move(
    _ piece: Range<Int>, from source: [RaidArray.Segment], to target: RaidArray.Placed,
    _ memory: inout WorkingMemory, _ isLost: (Range<Int>) throws(RaidError) -> Void
  ) throws(RaidError) {
    let known = piece.clamped(to: 0..<max(piece.lowerBound, path.source.byteCount))
    var bytes = memory.buffer.mutableBytes
    if known.count < piece.count { bytes.zero(known.count..<piece.count) }
    var gone: [Range<Int>] = []
    var offset = known.lowerBound
    while offset < known.upperBound {
      do throws(RaidReadFailure<Never>) {
        try array.read(offset..<known.upperBound, of: source) {
          (found, place, range) throws(Never) in
          bytes.copy(
            found.sub(place..<place + range.count), at: range.lowerBound - piece.lowerBound)
          offset = range.upperBound
        }
      } catch {
        guard case .array(.lost(let range, _)) = error else {
          if case .array(let error) = error { throw error }
          return
        }
        // Only what is whole blocks is lost as such; the reader goes on behind.
        let first = max(offset, range.lowerBound / 4096 * 4096)
        let block = first..<min(known.upperBound, first + 4096)
        if block.lowerBound > offset { continue }
        bytes.zero(block.lowerBound - piece.lowerBound..<block.upperBound - piece.lowerBound)
        gone.append(block)
        offset = block.upperBound
      }
    }
    try array.memory.with { (other) throws(RaidError) in
      switch target {
      case .parity(let stripes):
        try stripes.write(piece, from: memory.buffer.bytes, at: 0, memory: &other)
      case .copies(let copies):
        try copies.write(piece, from: memory.buffer.bytes, at: 0, memory: &other)
      }
    }
    for block in gone { try isLost(block) }
  }

  /// Writes rows of the new shape into spare room, and says on every member that they are there.
  private func stage(_ part: Range<Int>, _ options: SweepOptions) throws(RaidError) -> StagedRows {
    let room = StagedRows(part, new, newMembers, recordsSums: true, memory: array.memory)
    let gone = Mutex<[Int: [Int]]>([:])
    try move(part, from: array.segments, to: room.data, options) {
      (block) throws(RaidError) in
      for place in self.places(of: block) {
        gone.withLock { $0[place.slot, default: []].append(place.offset / 4096) }
      }
    }
    for failure in room.members.state.withLock({ $0.failures }) {
      newMembers.state.withLock { state in
        state.failures.append(failure)
        state.hasUnrecordedFailure = true
      }
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in
      try member.device.flush()
    }
    let lost = gone.withLock { $0 }
    try room.announce(on: newMembers, lost: lost)
    try requireEnough()
    // Who has failed, and says nothing of these rows, must not be asked for them.
    if newMembers.hasUnrecordedFailure || oldMembers.hasUnrecordedFailure {
      try members.commit(MemberSet.Change(), intent: array.intent)
      for set in [oldMembers, newMembers] {
        set.state.withLock { $0.hasUnrecordedFailure = false }
      }
    }
    return StagedRows(
      part, new, newMembers, hasSums: true, badBlocks: lost, memory: array.memory)
  }

  /// Puts rows in their place that are in spare room, where they stay.
  private func place(_ staged: StagedRows, _ options: SweepOptions) throws(RaidError) {
    let source = [RaidArray.Segment(range: staged.part, data: staged.data)]
    try move(staged.part, from: source, to: target, options, isLost: markLost)
  }

  /// What nobody had in the old shape is nobody's in the new one: the block, wherever it is.
  private func markLost(_ block: Range<Int>) throws(RaidError) {
    for place in places(of: block) {
      for member in newMembers.slots[place.slot].writable {
        do throws(DeviceError) {
          try member.markLost([place.offset])
        } catch {
          try newMembers.fail(member, error)
        }
      }
    }
    lost.withLock { $0.append(block) }
  }

  /// Who could give a block in the new shape: all its copies; or itself, and all parity from which it could be
  /// computed, which is not of what it held.
  private func places(of block: Range<Int>) -> [CopyPlacement.Place] {
    switch new.placement {
    case .copies(let copies):
      var places: [CopyPlacement.Place] = []
      _ = copies.locate(block.lowerBound, into: &places)
      return places
    case .parity(let rows):
      let row = block.lowerBound / rows.rowByteCount
      let inRow = block.lowerBound % rows.rowByteCount
      let pattern = rows.pattern(ofRow: row)
      let offset = row * rows.chunkByteCount + inRow % rows.chunkByteCount
      let slots = [pattern.dataSlots[inRow / rows.chunkByteCount]] + pattern.paritySlots
      return slots.map { .init(slot: $0, offset: offset) }
    }
  }

  /// What nobody had when it was moved, also in an earlier session, which was cut off: by the lists of bad blocks.
  private func allLost() -> [Range<Int>] {
    var found = RangeSet(lost.withLock { $0 })
    for (slot, holders) in newMembers.slots.enumerated() {
      for range in holders.writable.flatMap(\.badBlocks.ranges) {
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
          for lost in lostRanges(at: .init(slot: slot, offset: offset)) {
            found.insert(contentsOf: lost)
          }
        }
      }
    }
    return Array(found.ranges)
  }

  /// What of the array is in the block at this place, if the other members can't give it either.
  private func lostRanges(at place: CopyPlacement.Place) -> [Range<Int>] {
    func isGone(_ place: CopyPlacement.Place) -> Bool {
      !newMembers.slots[place.slot].writable.contains {
        !$0.badBlocks.overlaps(place.offset..<place.offset + 4096)
      }
    }
    switch new.placement {
    case .copies(let copies):
      guard let (start, count) = copies.arrayRange(at: place, limit: 4096) else { return [] }
      var places: [CopyPlacement.Place] = []
      _ = copies.locate(start, into: &places)
      return places.allSatisfy(isGone) ? [start..<start + count] : []
    case .parity(let rows):
      guard place.offset < rows.rowCount * rows.chunkByteCount else { return [] }
      let gone = newMembers.slots.indices.filter { isGone(.init(slot: $0, offset: place.offset)) }
      guard gone.count > rows.parityCount else { return [] }
      return rows.arrayRanges(of: place.offset..<place.offset + 4096, on: [place.slot])
    }
  }

  // MARK: Saying so

  /// Makes a part durable in its new place, and then says that it is there.
  ///
  /// - Parameter isLogged: the members' logs have its sums already.
  private func conclude(
    _ part: Range<Int>, _ position: Int, _ started: MaintenanceStart, isLogged: Bool
  ) throws(RaidError) {
    try requireEnough()
    let blocks =
      path.goal.memberStart(part.lowerBound) / 4096..<path.goal.memberEnd(part.upperBound) / 4096
    // With it the sums of the part before are durable, too, so that theirs may be overwritten here.
    try newMembers.onEach(newMembers.active) { (member) throws(DeviceError) in
      if let ranges = member.badBlocks.takeChange() { try member.storeBadBlocks(ranges) }
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in
      try member.device.flush()
    }
    try newMembers.onEach(isLogged ? [] : newMembers.active) { (member) throws(DeviceError) in
      guard let sums = member.sums, let found = try sums.stored(blocks) else { return }
      try ReshapeLog(part: part, firstBlock: blocks.lowerBound, sums: found).store(on: member)
      try member.device.flush()
    }
    try requireEnough()
    var change = change(to: position)
    change.outdatesCopies = true
    setProgress(moved(at: position), started, .running)
    try announceLists(listing)
    try members.commit(change, intent: array.intent)
    try storeSums()
  }

  /// Puts the sums of what all superblocks call moved in their place, on one member after the other: what is cut off
  /// damages the sums of no more than one.
  private func storeSums() throws(RaidError) {
    try newMembers.onEach(newMembers.active) { (member) throws(DeviceError) in
      guard let sums = member.sums else { return }
      let written = try sums.flush()
      try member.device.flush()
      sums.wereFlushed(written)
    }
  }

  /// What superblocks say of a position.
  private func change(to position: Int) -> MemberSet.Change {
    // Who comes has all that has been moved, from the start of its data on.
    let filled = isBackwards ? nil : UInt64(path.goal.memberStart(position) / 512)
    var change = MemberSet.Change()
    if array.foundForeignWrite { change.sumsAreStale = true }
    change.endsRecords = true
    let listing = listing
    change.each = { _, superblock in
      if listing.contains(superblock.deviceNumber) { superblock.features.insert(.badBlocks) }
      superblock.reshape.positionSectors = UInt64(position / 512)
      if let filled, superblock.features.contains(.recoveryOffset) {
        superblock.recoveryOffsetSectors = filled
      }
    }
    return change
  }

  /// The numbers of those whose lists of bad blocks count.
  private var listing: Set<UInt32> {
    Set(newMembers.active.filter(\.badBlocks.isLogUsed).map { $0.superblock.deviceNumber })
  }

  /// Has the superblocks of these members speak of their lists of bad blocks, before any superblock says that the
  /// part is in its new place: as soon as one does, the lists of all count.
  private func announceLists(_ numbers: Set<UInt32>) throws(RaidError) {
    let isKnown = members.active.allSatisfy {
      !numbers.contains($0.superblock.deviceNumber) || $0.superblock.features.contains(.badBlocks)
    }
    if isKnown { return }
    var change = MemberSet.Change()
    change.endsRecords = true
    change.each = { _, superblock in
      if numbers.contains(superblock.deviceNumber) { superblock.features.insert(.badBlocks) }
    }
    try members.commit(change, intent: array.intent)
  }

  private func setProgress(
    _ position: Int, _ started: MaintenanceStart, _ phase: MaintenanceProgress.Phase
  ) {
    var progress = MaintenanceProgress()
    progress.operation = .reshape
    progress.phase = phase
    progress.position = position
    progress.end = new.byteCount
    progress.startPosition = started.position
    progress.startedAt = started.seconds
    progress.updatedAt = UInt64(Machine.now().seconds)
    for member in members.active { member.setProgress(progress) }
  }

  /// The last superblocks of the reshape, or of this run of it.
  private func finish(
    at position: Int, _ started: MaintenanceStart, isComplete: Bool
  ) throws(RaidError) {
    if isComplete { try forgetUnusedSums() }
    try newMembers.onEach(newMembers.active) { (member) throws(DeviceError) in try member.flush() }
    try requireEnough()
    setProgress(position, started, isComplete ? .finished : .interrupted)
    var change = MemberSet.Change()
    if array.foundForeignWrite { change.sumsAreStale = true }
    change.endsRecords = true
    if isComplete {
      members.keepsKernelsAway.store(false, ordering: .releasing)
      members.makeSpares(behind: new.slotCount, &change)
      // What they hold is in the others by now.
      members.forgetSlots(behind: new.slotCount)
    }
    let listing = Set(
      newMembers.active.filter(\.badBlocks.isLogUsed).map { $0.superblock.deviceNumber })
    change.each = { _, superblock in
      if listing.contains(superblock.deviceNumber) { superblock.features.insert(.badBlocks) }
      guard isComplete else { return }
      superblock.finishReshape()
      superblock.features.remove(.recoveryOffset)
      superblock.recoveryOffsetSectors = 0
    }
    if isComplete, new.marksArrayBytes {
      // Who went on with it meanwhile may have a bitmap of the old size.
      try members.commit(change, bitmapOf: new)
    } else {
      try members.commit(change, intent: array.intent)
    }
    if isComplete { try array.storeRoster(of: newMembers) }
    try members.onEach(members.active) { (member) throws(DeviceError) in
      try member.device.flush()
    }
  }

  /// Blocks behind the end of the array have no sums, although there was data of the old shape with their numbers.
  private func forgetUnusedSums() throws(RaidError) {
    let end = new.memberByteCounts.min() ?? 0
    for (slot, members) in newMembers.slots.enumerated() {
      try newMembers.onEach(members.writable) { (member) throws(DeviceError) in
        guard let sums = member.sums else { return }
        for offset in stride(from: path.goal.memberStart(new.byteCount), to: end, by: 4096)
        where !new.uses(slot: slot, at: offset) && offset / 4096 < sums.blockCount {
          try sums.record([0], from: 0, count: 1, firstBlock: offset / 4096)
        }
      }
    }
  }

  /// Members that fail fail in both shapes, and each has to do without them.
  private func requireEnough() throws(RaidError) {
    let isEnough =
      oldMembers.survives(oldMembers.slots.map { $0.writable.contains(where: \.isInSync) })
      && newMembers.survives(newMembers.slots.map { !$0.writable.isEmpty })
    guard !isEnough else { return }
    if let failure = array.failures.last { throw .member(name: failure.name, failure.cause) }
    let missing = oldMembers.slots.indices.filter {
      !oldMembers.slots[$0].writable.contains(where: \.isInSync)
    }
    throw .notStartable(
      .tooFew(
        missingSlots: missing, needed: array.shape.slotCount - array.shape.redundancy,
        present: array.shape.slotCount - missing.count))
  }
}
