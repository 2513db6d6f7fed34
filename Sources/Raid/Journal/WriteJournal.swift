import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization
import SystemPackage

/// The journal of an array that is being written: says what is about to change, on as many members as the
/// level survives losses and one more, before anything of it changes.
///
/// A run of it begins with the first write and is numbered by an *epoch*. Records fill every member's area
/// from its start. When an area is full, or what is to be written would mix with what a record speaks of in
/// another way, all is put in its place for good: a *checkpoint*. After it the areas are empty again.
///
/// What a record of blocks and a rewrite of whole rows say of the same bytes never counts at the same time,
/// so that a replay need not ask which of them came last.
final class WriteJournal: Sendable {
  /// A record that is on stable storage, and whose bytes are on their way to their places.
  struct Ticket: Sendable {
    fileprivate var sequence: UInt64
  }

  private struct State {
    var epoch: UInt64 = 0
    var isLive = false
    var hasDoubt = false
    /// Of the next record.
    var sequence: UInt64 = 1
    /// All records up to this one are durable.
    var committed: UInt64 = 0
    /// Durable, though some before them are not yet.
    var durable: Set<UInt64> = []
    /// By device: how much of the area records take.
    var heads: [ObjectIdentifier: Int] = [:]
    /// Members that have this epoch's header.
    var generations: [ObjectIdentifier: UInt64] = [:]
    /// Member bytes of records of blocks, and of rewrites, since the last checkpoint.
    var contents = RangeSet<Int>()
    var rewrites = RangeSet<Int>()
    /// Bytes that were rewritten or touched since the last checkpoint: not durable before the next.
    var looseByteCount = 0
    /// Updates under way.
    var active = 0
    var isCheckpointing = false
    /// A record could not be written; nothing behind it would count.
    var failure: RaidError?
    /// Where the search for members begins.
    var turn = 0
  }

  private let monitor = Monitor(State())
  private let members: MemberSet
  private let intent: WriteIntent?
  let arrayID: Identifier
  /// How many members get each record.
  private let copyCount: Int
  /// A crash leaves so much to be looked at, at most.
  private static let looseByteLimit = 256 << 20

  /// - Parameter redundancy: how many members the level can lose.
  init(members: MemberSet, intent: WriteIntent?, arrayID: Identifier, redundancy: Int) {
    self.members = members
    self.intent = intent
    self.arrayID = arrayID
    copyCount = redundancy + 1
  }

  /// Whether there is a member that can take records.
  var isPossible: Bool { !keepers.isEmpty }
  /// Whether what is written goes by the journal.
  var isLive: Bool { monitor.withLock { $0.isLive } }

  /// Bytes of blocks that one record can hold, whatever members get it.
  var contentByteLimit: Int {
    let least = keepers.map { JournalPlace($0)?.records.count ?? 0 }.min() ?? 0
    // The head of so many blocks, and what is rounded up.
    return max(4096, (least / 2 - 2 * 4096) / 4096 * 4096 - 4096)
  }

  /// Those that can take records, in the order of their slots. What replaces another is not counted on yet.
  private var keepers: [Member] {
    members.slots.compactMap(\.member).filter {
      !$0.isFailed && $0.isInSync && JournalPlace($0) != nil
    }
  }

  // MARK: The run

  /// Begins a run. No superblock says yet that there is one.
  ///
  /// - Parameters:
  ///   - events: what the array's event count is about to be.
  ///   - hasDoubt: something of the array is in doubt already.
  func start(events: UInt64, hasDoubt: Bool) throws(RaidError) {
    monitor.withLock { state in
      state = State()
      state.epoch = JournalHeader.epoch(events: events)
      state.isLive = true
      state.hasDoubt = hasDoubt
      state.turn = Int(truncatingIfNeeded: events)
    }
    try storeHeaders(isLive: true)
  }

  /// All is in its place, and nothing more comes.
  func end() throws(RaidError) {
    try checkpoint()
    monitor.withLock { $0.isLive = false }
    try storeHeaders(isLive: false)
  }

  private func storeHeaders(isLive: Bool) throws(RaidError) {
    let (epoch, tail) = monitor.withLock { ($0.epoch, $0.sequence) }
    try members.onEach(keepers) { (member) throws(DeviceError) in
      try storeHeader(member, epoch, tail, isLive: isLive)
    }
  }

  private func storeHeader(
    _ member: Member, _ epoch: UInt64, _ tail: UInt64, isLive: Bool
  ) throws(DeviceError) {
    guard let place = JournalPlace(member) else { return }
    let id = ObjectIdentifier(member)
    let (last, hasDoubt) = monitor.withLock { ($0.generations[id], $0.hasDoubt) }
    let generation: UInt64
    if let last {
      generation = last &+ 1
    } else {
      generation = (try place.header()?.generation ?? 0) &+ 1
    }
    try place.store(
      JournalHeader(
        arrayID: arrayID, deviceID: place.deviceID, epoch: epoch, generation: generation,
        tail: tail, isLive: isLive, hasDoubt: hasDoubt))
    monitor.withLock { $0.generations[id] = generation }
  }

  // MARK: Records

  /// Whether anything that was written since the last checkpoint is durable only with the next.
  var hasLooseBytes: Bool { monitor.withLock { $0.looseByteCount > 0 } }

  /// Puts a record on stable storage. Until `end` is called with the ticket, no checkpoint is made.
  ///
  /// - Parameters:
  ///   - range: what it is about: member bytes for parity, array bytes for a touch.
  ///   - pieces: where the blocks of the extents lie in `buffer`, in their order; empty but for `content`.
  /// - Throws: `member` when too few members take it: nothing may be written in place then.
  func begin(
    _ kind: JournalRecord.Kind, _ range: Range<Int>, _ extents: [JournalRecord.Extent],
    sums: [UInt32], oldSums: [UInt32] = [], from buffer: RawSpan, _ pieces: [Range<Int>]
  ) throws(RaidError) -> Ticket {
    var record = JournalRecord(
      epoch: 0, sequence: 0, committed: 0, kind: kind, extents: extents, sums: sums,
      oldSums: oldSums)
    let byteCount = record.headByteCount + record.contentByteCount
    var targets = try reserve(kind, range, byteCount, &record)
    do throws(RaidError) {
      for (member, _) in targets { try prepare(member) }
      var head = AlignedBuffer(byteCount: record.headByteCount)
      var bytes = head.mutableBytes
      record.encodeHead(arrayID: arrayID, into: &bytes)
      var written = 0
      while written < targets.count {
        let (member, place) = targets[written]
        do throws(DeviceError) {
          try member.device.write(head.bytes, range: 0..<record.headByteCount, at: place)
          if !pieces.isEmpty {
            try member.device.write(buffer, pieces: pieces, at: place + record.headByteCount)
          }
          try member.device.flush()
          written += 1
        } catch {
          try members.fail(member, error)
          targets.remove(at: written)
          if let other = another(than: targets.map(\.0), byteCount) { targets.append(other) }
        }
      }
      guard !targets.isEmpty else {
        throw .member(name: "the journal", .unwritable(offset: 0, errno: .ioError))
      }
    } catch {
      monitor.update { state in
        state.failure = error
        state.active -= 1
      }
      throw error
    }
    try commit(record.sequence)
    return Ticket(sequence: record.sequence)
  }

  /// What the record spoke of has been written.
  func end(_ ticket: Ticket) { monitor.update { $0.active -= 1 } }

  /// What the record spoke of could not be written, or not all of it.
  func fail(_ ticket: Ticket, _ error: RaidError) {
    monitor.update { state in
      state.failure = error
      state.active -= 1
    }
  }

  /// Whether something could not be written: nothing goes on before `mend`.
  var hasFailed: Bool { monitor.withLock { $0.failure != nil } }

  /// Room for a record on its members, and its number.
  private func reserve(
    _ kind: JournalRecord.Kind, _ range: Range<Int>, _ byteCount: Int,
    _ record: inout JournalRecord
  ) throws(RaidError) -> [(Member, Int)] {
    enum Outcome {
      case done([(Member, Int)]), needsCheckpoint, failed(RaidError)
    }
    while true {
      let keepers = self.keepers
      let outcome = monitor.wait { state -> Outcome? in
        if let failure = state.failure { return .failed(failure) }
        if state.isCheckpointing { return nil }
        let wanted = RangeSet(range)
        let isMixed =
          kind == .content
          ? !state.rewrites.isDisjoint(wanted) : !state.contents.isDisjoint(wanted)
        if isMixed || state.looseByteCount > Self.looseByteLimit { return .needsCheckpoint }
        var targets: [(Member, Int)] = []
        for index in keepers.indices where targets.count < copyCount {
          let member = keepers[(state.turn + index) % keepers.count]
          guard let area = JournalPlace(member)?.records else { continue }
          let head = state.heads[ObjectIdentifier(member), default: 0]
          if area.count < byteCount {
            return .failed(.member(name: member.name, .full(offset: area.lowerBound)))
          }
          if area.count - head < byteCount { return .needsCheckpoint }
          targets.append((member, area.lowerBound + head))
        }
        for (member, _) in targets {
          state.heads[ObjectIdentifier(member), default: 0] += byteCount
        }
        if kind == .content {
          state.contents.insert(contentsOf: range)
        } else {
          state.rewrites.insert(contentsOf: range)
          state.looseByteCount += range.count
        }
        record.epoch = state.epoch
        record.sequence = state.sequence
        record.committed = state.committed
        state.sequence += 1
        state.active += 1
        return .done(targets)
      }
      switch outcome {
      case .failed(let error): throw error
      case .needsCheckpoint: try checkpoint()
      case .done(let targets): return targets
      }
    }
  }

  /// A member that has come since the run began gets its header first.
  private func prepare(_ member: Member) throws(RaidError) {
    let (isKnown, epoch) = monitor.withLock {
      ($0.generations[ObjectIdentifier(member)] != nil, $0.epoch)
    }
    if isKnown { return }
    do throws(DeviceError) {
      // The others say where the records that count begin.
      try storeHeader(member, epoch, 0, isLive: true)
    } catch {
      try members.fail(member, error)
    }
  }

  /// Room on a member that does not have the record yet, in place of one that failed.
  private func another(than taken: [Member], _ byteCount: Int) -> (Member, Int)? {
    let candidates = keepers.filter { member in
      !taken.contains { $0 === member }
    }
    return monitor.withLock { state in
      for member in candidates {
        guard let area = JournalPlace(member)?.records,
          state.generations[ObjectIdentifier(member)] != nil
        else { continue }
        let head = state.heads[ObjectIdentifier(member), default: 0]
        if area.count - head < byteCount { continue }
        state.heads[ObjectIdentifier(member)] = head + byteCount
        return (member, area.lowerBound + head)
      }
      return nil
    }
  }

  /// Waits until all records before this one are durable as well: a gap would hide it from a replay.
  private func commit(_ sequence: UInt64) throws(RaidError) {
    monitor.update { state in
      state.durable.insert(sequence)
      while state.durable.remove(state.committed + 1) != nil { state.committed += 1 }
    }
    let failure = monitor.wait { state -> RaidError?? in
      if state.committed >= sequence { return .some(nil) }
      if let failure = state.failure { return .some(failure) }
      return nil
    }
    guard let failure else { return }
    monitor.update { $0.active -= 1 }
    throw failure
  }

  // MARK: Checkpoints

  /// Puts all that was written in its place for good, and empties the journal.
  ///
  /// The caller has no ticket.
  func checkpoint() throws(RaidError) {
    try alone { (failure) throws(RaidError) in
      if let failure { throw failure }
    }
  }

  /// Goes on after something could not be written: `body` puts in place what the journal has.
  ///
  /// The caller has no ticket.
  func mend(_ body: () throws(RaidError) -> Void) throws(RaidError) {
    try alone { (failure) throws(RaidError) in
      if failure != nil { try body() }
    }
  }

  /// Makes a checkpoint, if `body` has nothing against it, while nothing else is written.
  private func alone(_ body: (RaidError?) throws(RaidError) -> Void) throws(RaidError) {
    monitor.wait { state -> Void? in
      if state.isCheckpointing { return nil }
      state.isCheckpointing = true
      return ()
    }
    defer { monitor.update { $0.isCheckpointing = false } }
    let failure = monitor.wait { state -> RaidError?? in
      state.active == 0 ? .some(state.failure) : nil
    }
    try body(failure)
    try members.onEach(members.active) { (member) throws(DeviceError) in try member.flush() }
    // Who was lost meanwhile must be told what it missed, and the journal forgets it now.
    if !members.isComplete { try intent?.storeDeferredMarks(on: members) }
    // And the others must not count on it any more, when nothing but their superblocks tells.
    if members.hasUnrecordedFailure { try members.commit(MemberSet.Change(), intent: intent) }
    try storeHeaders(isLive: true)
    monitor.withLock { state in
      state.failure = nil
      state.committed = state.sequence - 1
      state.durable.removeAll()
      state.heads.removeAll()
      state.contents = RangeSet()
      state.rewrites = RangeSet()
      state.looseByteCount = 0
      state.turn += 1
    }
    intent?.dropDeferredMarks()
  }
}
