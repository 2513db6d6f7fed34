import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

/// An open array: numbered bytes, kept on several members so that some of these may fail.
///
/// Reads and writes may be made by many threads, also while a scrub or a rebuild runs. The first write
/// marks the array dirty on its members; `close` marks it clean again. Offsets are array bytes.
package final class RaidArray: BlockDevice {
  /// The part of the array that has one shape; all of it, unless the array is being reshaped.
  struct Segment: Sendable {
    let range: Range<Int>
    let data: Placed
  }

  /// How the bytes of a segment are kept.
  enum Placed: Sendable {
    case parity(ParityStripes)
    case copies(CopiedData)
  }

  /// What the caller wants of the array.
  package struct Options: Sendable {
    /// Without it no byte of any member is changed.
    package var isWritable = false
    /// Write although members that the array knows of were not given.
    package var allowsDegraded = false
    /// Read and write although what a crash left can't be decided everywhere, or a journal is not there.
    package var allowsDoubt = false
    /// Whether reads rewrite blocks that a member could not give. Needs `isWritable`.
    package var repairsOnRead = true
    /// Somebody else is writing to it: what their journal has is theirs to put in place.
    package var isWrittenElsewhere = false
    /// Which copy of a mirror is read.
    package var readPolicy = ReadPolicy.roundRobin
    /// Go on with a reshape that is under way: `continueReshape`, and nothing else.
    package var reshapes = false
    /// Open it although data is lost, to read what there is: see `Salvage`. Not together with `isWritable`.
    package var salvages = false
    /// Nothing but superblocks and what our journal has is written, to start it: see `ForcedStart`.
    var startsByForce = false
    /// Data bytes by slot, for linear and RAID 0, where a layout was assumed.
    var memberByteCounts: [Int]?

    package init() {}
  }

  private enum Lifecycle {
    /// Nothing has been changed.
    case idle
    /// Members or what is known of them change; what they hold agrees as before, and nothing says dirty.
    case changing
    /// The superblocks say dirty.
    case writing
    case closed
  }

  /// The name from the superblocks, usually "host:name".
  package let name: String
  /// Where the bytes lie; while a reshape runs, the part that is still in its old shape.
  package let shape: ArrayShape
  /// Array bytes: what can be read and written.
  package let byteCount: Int
  /// What was found when it was opened.
  package let assembly: Assembly
  /// The members by slot, as they are now.
  package let members: MemberSet
  /// What it was opened with.
  package let options: Options
  /// Why it cannot be written; nil when it can.
  package let obstacle: WriteObstacle?
  let segments: [Segment]
  /// What a reshape that is under way makes of the array, and its members there; of the same devices.
  let newShape: ArrayShape?
  let newMembers: MemberSet?
  /// What of the new shape may be in its place or not, and is in the members' spare room.
  let stagedRows: StagedRows?
  /// All members, who keep what is known of the array.
  var keeper: MemberSet {
    guard let newMembers, newMembers.slotCount >= members.slotCount else { return members }
    return newMembers
  }
  let intent: WriteIntent?
  /// Where what is written is told first; nil where the array has none, or is only read.
  let journal: WriteJournal?
  /// Somebody else wrote to the array since ftool did: its sums prove nothing until a scrub has renewed them.
  package let foundForeignWrite: Bool
  /// It happened since ftool last looked, so that what an interrupted scrub had done is done no more.
  let isForeignWriteFresh: Bool
  /// The superblocks said "dirty" when the array was opened: somebody was interrupted.
  package let wasUnclean: Bool
  /// How many records of the journal had to be put in their place when it was opened (for a reader, as if), since
  /// somebody was interrupted; nil if none had.
  package let replayedRecordCount: Int?
  /// A write failed half-way.
  let isTorn = Atomic<Bool>(false)
  private let lifecycle = Mutex<Lifecycle>(.idle)
  let memory: WorkingMemoryPool
  /// Where the members' sums are, if not on the members.
  let sumsFile: SumsFile?

  init(
    name: String, shape: ArrayShape, byteCount: Int, assembly: Assembly, members: MemberSet,
    segments: [Segment], intent: WriteIntent?, journal: WriteJournal?, options: Options,
    obstacle: WriteObstacle?, foundForeignWrite: Bool, isForeignWriteFresh: Bool, wasUnclean: Bool,
    replayedRecordCount: Int?, memory: WorkingMemoryPool, sumsFile: SumsFile? = nil,
    newShape: ArrayShape? = nil, newMembers: MemberSet? = nil, stagedRows: StagedRows? = nil
  ) {
    self.name = name
    self.shape = shape
    self.byteCount = byteCount
    self.assembly = assembly
    self.members = members
    self.segments = segments
    self.intent = intent
    self.journal = journal
    self.options = options
    self.obstacle = obstacle
    self.foundForeignWrite = foundForeignWrite
    self.isForeignWriteFresh = isForeignWriteFresh
    self.wasUnclean = wasUnclean
    self.replayedRecordCount = replayedRecordCount
    self.memory = memory
    self.sumsFile = sumsFile
    self.newShape = newShape
    self.newMembers = newMembers
    self.stagedRows = stagedRows
  }

  /// Whether anything of the array may not agree with its parity or its copies after a crash.
  package var hasDoubt: Bool {
    segments.contains { segment in
      switch segment.data {
      case .parity(let stripes): !stripes.isSettled
      case .copies(let copies): !copies.isSettled
      }
    }
  }

  /// Members that are there but were taken out of use while the array was open, and why.
  package var failures: [(name: String, cause: DeviceError)] {
    [members, newMembers].compactMap(\.self).flatMap { members in
      members.state.withLock { $0.failures.map { ($0.member.name, $0.cause) } }
    }
  }

  /// Whether the sums of all members in sync are kept, and are to be believed.
  package var trustsAllSums: Bool {
    members.slots.allSatisfy { slot in
      guard let member = slot.member, !member.isFailed, member.isInSync else { return true }
      return member.trustsSums
    }
  }

  /// Slots that nobody in sync holds now.
  package var degradedSlots: [Int] {
    members.slots.enumerated().compactMap { index, slot in
      slot.writable.contains { $0.isInSync } ? nil : index
    }
  }

  func requireInside(_ range: Range<Int>) throws(RaidError) {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw .outOfBounds(
        offset: range.lowerBound, byteCount: range.count, arrayByteCount: byteCount)
    }
  }
}

// MARK: - From the first write to the close

extension RaidArray {
  /// Says that the array is about to change in a way that leaves nothing in doubt when it is cut off:
  /// members come, go and are filled, what is wrong is put right. As with md, that marks nothing dirty.
  func beginChanging() throws(RaidError) {
    if let obstacle { throw .readOnly(obstacle) }
    try mendJournal()
    try lifecycle.withLock { (lifecycle) throws(RaidError) in
      precondition(lifecycle != .closed, "a closed array is not changed")
      guard lifecycle == .idle else { return }
      try sumsFile?.distrust(assembly.reference)
      noteOpening()
      if foundForeignWrite {
        // With our marker the superblocks would otherwise vouch for sums that somebody else made stale.
        var change = MemberSet.Change()
        change.sumsAreStale = true
        try members.commit(change, intent: intent)
      }
      lifecycle = .changing
    }
  }

  /// Marks the array dirty, once: before the first write of new content.
  func beginWriting() throws(RaidError) {
    if let obstacle { throw .readOnly(obstacle) }
    try mendJournal()
    try lifecycle.withLock { (lifecycle) throws(RaidError) in
      precondition(lifecycle != .closed, "a closed array is not written to")
      guard lifecycle != .writing else { return }
      if lifecycle == .idle { try sumsFile?.distrust(assembly.reference) }
      noteOpening()
      noteWriting()
      var change = MemberSet.Change()
      // Wherever a resync stands: what is written from now on may be anywhere.
      if shape.redundancy > 0 { change.resyncOffsetSectors = 0 }
      if lifecycle == .idle, foundForeignWrite { change.sumsAreStale = true }
      change.outdatesCopies = true
      try startJournal()
      // The bits of what goes by way of the journal are kept in memory only, while nobody is missing.
      change.endsRecords = journal?.isLive == true && members.isComplete
      try members.commit(change, intent: intent)
      lifecycle = .writing
    }
  }

  /// Begins a run of the journal, before the superblocks say that there is one.
  private func startJournal() throws(RaidError) {
    guard let journal, journal.isPossible else { return }
    let events = members.active.map { $0.superblock.events }.max() ?? 0
    try journal.start(events: events &+ 1, hasDoubt: hasDoubt)
    if case .parity = segments[0].data {
      members.keepsKernelsAway.store(true, ordering: .releasing)
    }
  }

  /// Puts in place what could not be written before, for want of room for instance.
  private func mendJournal() throws(RaidError) {
    guard let journal, journal.hasFailed else { return }
    try journal.mend { () throws(RaidError) in
      let places = members.active.compactMap { JournalPlace($0) }
      let scan: JournalScan?
      do throws(DeviceError) {
        scan = try JournalScan(places, shape: shape)
      } catch {
        throw .member(name: places.first?.device.name ?? "", error)
      }
      if let scan { try replay(scan) }
    }
    isTorn.store(false, ordering: .releasing)
  }

  /// Writes that members failed to the others' superblocks; to be called before anything is
  /// acknowledged that the failed member does not have.
  func recordFailures() throws(RaidError) {
    // While the shape changes, the superblocks are the reshape's to write.
    guard members.isWritable, obstacle == nil, newMembers == nil else { return }
    let isNeeded = members.state.withLock { $0.hasUnrecordedFailure }
    guard isNeeded else { return }
    if let journal, journal.isLive, let intent {
      // Who is lost now must be told what it missed, and the journal will not know for ever.
      try intent.storeDeferredMarks(on: members)
    }
    try lifecycle.withLock { (lifecycle) throws(RaidError) in
      var change = MemberSet.Change()
      // With our marker the superblocks would otherwise vouch for sums that somebody else made stale.
      if lifecycle == .idle, foundForeignWrite { change.sumsAreStale = true }
      try members.commit(change, intent: intent)
    }
  }

  /// Where doubt begins: member bytes, array bytes for copies; `Int.max` for nowhere.
  private var doubtStart: Int {
    switch segments[0].data {
    case .parity(let stripes): stripes.isSettled ? Int.max : stripes.doubtStartOffset
    case .copies(let copies): copies.isSettled ? Int.max : copies.doubtStartOffset
    }
  }

  /// Makes everything that was written durable: where the journal has all of it, it is.
  package func makeDurable() throws(RaidError) {
    guard let journal, journal.isLive, !journal.hasLooseBytes else { return try flushAll() }
    try recordFailures()
  }

  /// Puts everything that was written on stable storage, in its place.
  package func flushAll() throws(RaidError) {
    guard hasChanged else { return }
    if let journal, journal.isLive {
      try journal.checkpoint()
      return try recordFailures()
    }
    try members.onEach(members.active) { (member) throws(DeviceError) in try member.flush() }
    try recordFailures()
  }

  /// Ends the use of the array, all superblocks having been written.
  func endWithoutUpdate() { lifecycle.withLock { $0 = .closed } }

  /// Makes everything durable, and marks the array clean if nothing is in doubt. Without a change it
  /// writes nothing.
  package func close() throws(RaidError) {
    if lifecycle.withLock({ $0 == .closed }) || newMembers != nil { return }
    noteRepairs()
    if let journal, journal.isLive {
      do throws(RaidError) {
        try mendJournal()
      } catch {
        // What could not be written is in the journal, for who opens the array next.
        return lifecycle.withLock { $0 = .closed }
      }
    }
    try flushAll()
    if let journal, journal.isLive { try journal.end() }
    try recordFailures()
    try lifecycle.withLock { (lifecycle) throws(RaidError) in
      guard lifecycle == .changing || lifecycle == .writing else {
        lifecycle = .closed
        if members.isWritable, members.active.contains(where: \.hasNews) {
          // Reads have repaired blocks, and counted them.
          try members.storeEvents(on: members.active)
          try members.onEach(members.active) { (member) throws(DeviceError) in
            _ = try member.storeFarHeader()
            try member.flush()
          }
        }
        return
      }
      if isTorn.load(ordering: .acquiring) {
        lifecycle = .closed
        return
      }
      let events = (members.active.map { $0.superblock.events }.max() ?? 0) &+ 1
      if degradedSlots.isEmpty {
        try intent?.clearIdle(events: events) { (page, range) throws(RaidError) in
          try members.storeIntent(page, range, isOurs: intent?.isOurs ?? false)
        }
      }
      var change = MemberSet.Change()
      if shape.redundancy > 0 {
        let start = doubtStart
        change.resyncOffsetSectors = start == Int.max ? MDSuperblock.allOnes : UInt64(start / 512)
      }
      // A copy of a member from before has not what a crash had left and is settled now, or not all that was written.
      change.outdatesCopies = wasUnclean || lifecycle == .writing
      members.keepsKernelsAway.store(false, ordering: .releasing)
      try members.commit(change, intent: intent)
      lifecycle = .closed
    }
  }

  /// Nothing can be changed any more by this instance.
  var isClosed: Bool { lifecycle.withLock { $0 == .closed } }

  private var hasChanged: Bool {
    lifecycle.withLock { $0 == .changing || $0 == .writing }
  }
}
