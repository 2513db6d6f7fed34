import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry
import Synchronization

/// The data of an array that keeps its bytes in one or more copies: linear, RAID 0, 1 and 10.
///
/// Everything is done in *runs*: what lies in one piece on a member, although it may be many chunks of
/// the array. Runs are whole blocks of 4 KiB of the member, so that every one has its sum.
final class CopiedData: Sendable {
  let placement: CopyPlacement
  let members: MemberSet
  let intent: WriteIntent?
  let journal: WriteJournal?
  let memory: WorkingMemoryPool
  let readPolicy: ReadPolicy
  /// Holds on array bytes.
  let locks = RangeLock()
  /// Linux leaves no trace of its writes on these levels.
  let hidesForeignWrites: Bool
  private let turn = Atomic<Int>(0)
  private let doubtStart: Atomic<Int>
  /// What a journal says; nothing else is in doubt then.
  private struct Replayed {
    /// Array bytes that may be in doubt.
    var ranges = RangeSet<Int>()
    /// By number of the array's block: the sums of what was being written there, as `JournalRecord` has them.
    var newSums: [Int: [UInt32]] = [:]
    /// What these sums begin with.
    var register: UInt32 = 0
  }
  private let replayed = Mutex(Replayed())

  /// - Parameter doubtStart: from this array byte on, copies may differ after a crash; `Int.max` for none.
  init(
    placement: CopyPlacement, members: MemberSet, intent: WriteIntent?, journal: WriteJournal?,
    doubtStart: Int,
    readPolicy: ReadPolicy, hidesForeignWrites: Bool, memory: WorkingMemoryPool
  ) {
    self.placement = placement
    self.members = members
    self.intent = intent
    self.journal = journal
    self.doubtStart = Atomic(doubtStart)
    self.readPolicy = readPolicy
    self.hidesForeignWrites = hidesForeignWrites
    self.memory = memory
  }

  /// Whether copies of this array range may differ, or disagree with their sums, after a crash.
  func isDoubtful(_ range: Range<Int>) -> Bool {
    if range.upperBound > doubtStart.load(ordering: .acquiring) {
      return intent?.isDoubtful(range) ?? true
    }
    return replayed.withLock { !$0.ranges.isEmpty && !$0.ranges.isDisjoint(RangeSet(range)) }
  }

  /// Just these array bytes are in doubt, as the journal says, which may also have the sums of what was being written.
  func setReplayed(_ ranges: RangeSet<Int>, newSums: [Int: [UInt32]], arrayID: Identifier) {
    let register = JournalRecord.touchRegister(arrayID: arrayID)
    replayed.withLock { $0 = Replayed(ranges: ranges, newSums: newSums, register: register) }
  }
  /// Nothing is, any more.
  func endReplay() { replayed.withLock { $0 = Replayed() } }
  /// These are, too.
  func addReplayed(_ range: Range<Int>) {
    replayed.withLock { $0.ranges.insert(contentsOf: range) }
  }

  /// Whether the journal has the sum of what was being written to a block of the array.
  func isWritingKnown(atArrayOffset start: Int) -> Bool {
    replayed.withLock { start % 4096 == 0 && $0.newSums[start / 4096] != nil }
  }

  /// Whether a block of the array that is in doubt is, as it is here, what the journal says was being written.
  func isWhatWasWritten(_ bytes: RawSpan, _ range: Range<Int>, atArrayOffset start: Int) -> Bool {
    guard start % 4096 == 0 else { return false }
    let block = start / 4096
    let (sums, register) = replayed.withLock { ($0.newSums[block], $0.register) }
    guard let sums else { return false }
    return sums.contains(
      blockSum(of: bytes, range: range, block: block, prefixRegister: register))
  }

  /// A write to this array range was cut off.
  func doubt(_ range: Range<Int>) {
    intent?.doubt(range)
    doubtStart.min(range.lowerBound, ordering: .acquiringAndReleasing)
  }

  /// A resync has come so far.
  func settleDoubt(upTo offset: Int) {
    if doubtStart.load(ordering: .acquiring) < offset {
      doubtStart.store(offset >= placement.byteCount ? Int.max : offset, ordering: .releasing)
    }
  }

  var isSettled: Bool {
    doubtStart.load(ordering: .acquiring) == Int.max || intent.map { !$0.hasDoubt } ?? false
  }
  var doubtStartOffset: Int { doubtStart.load(ordering: .acquiring) }

  /// Which of several places to read from, and from whom: by the policy, and those marked write-mostly
  /// last; nil when nobody can give the first block.
  ///
  /// - Parameters:
  ///   - byteCount: for how much; becomes for how much all places stay as they are.
  ///   - isDoubtful: copies may differ: take the first, as a scrub will, so that what has been read once
  ///     stays. (Linux does not balance reads there either.)
  func choose(
    _ places: [CopyPlacement.Place], _ byteCount: inout Int, _ slots: [MemberSet.Slot],
    isDoubtful: Bool
  ) -> Selection? {
    var candidates: [Selection] = []
    var mostlyWritten: [Selection] = []
    for (index, place) in places.enumerated() {
      let (reader, end) = slots[place.slot].reader(
        at: place.offset, limit: place.offset + byteCount)
      byteCount = end - place.offset
      guard let reader else { continue }
      let selection = Selection(index: index, reader: reader)
      if reader.isWriteMostly, !isDoubtful {
        mostlyWritten.append(selection)
      } else {
        candidates.append(selection)
      }
    }
    if candidates.isEmpty { candidates = mostlyWritten }
    if candidates.count <= 1 || isDoubtful { return candidates.first }
    switch readPolicy {
    case .roundRobin:
      let (turn, _) = turn.wrappingAdd(1, ordering: .relaxed)
      return candidates[turn % candidates.count]
    case .random:
      return candidates.randomElement()
    case .leastPending:
      return candidates.min {
        pending(places[$0.index], slots) < pending(places[$1.index], slots)
      }
    }
  }

  /// For how much of the range from these places on each of them has the same reader, or none.
  func evenByteCount(
    _ places: [CopyPlacement.Place], limit: Int, _ slots: [MemberSet.Slot]
  ) -> Int {
    places.reduce(limit) { count, place in
      slots[place.slot].reader(at: place.offset, limit: place.offset + count).end - place.offset
    }
  }

  private func pending(_ place: CopyPlacement.Place, _ slots: [MemberSet.Slot]) -> Int {
    slots[place.slot].member?.pendingReads.load(ordering: .relaxed) ?? 0
  }

  /// A contiguous range of a slot, and the parts of the array in it.
  struct Run {
    var slot: Int
    /// Who gives it; nil for a write.
    var reader: Member?
    /// Data offsets on the member.
    var memberRange: Range<Int>
    /// In order; `place` counts from the run's start.
    var parts: [Part]
  }

  struct Part {
    var arrayRange: Range<Int>
    var place: Int
  }

  /// One of several places, and who is to give what lies there; a write has no reader.
  struct Selection {
    var index: Int
    var reader: Member?
  }

  /// Cuts an array range into runs.
  ///
  /// - Parameter select: which of a part's places get a run; it may make the part shorter. When it
  ///   selects none, the runs end there.
  func runs(
    of range: Range<Int>,
    select: ([CopyPlacement.Place], inout Int) throws(RaidError) -> [Selection]
  ) throws(RaidError) -> [Run] {
    var open: [Int: Int] = [:]  // by slot: the index of its last run
    var runs: [Run] = []
    var places: [CopyPlacement.Place] = []
    var offset = range.lowerBound
    while offset < range.upperBound {
      var count = min(range.upperBound - offset, placement.locate(offset, into: &places))
      let selected = try select(places, &count)
      if selected.isEmpty { break }
      for selection in selected {
        let place = places[selection.index]
        let part = Part(arrayRange: offset..<offset + count, place: 0)
        if let last = open[place.slot], runs[last].memberRange.upperBound == place.offset,
          runs[last].reader === selection.reader
        {
          let start = runs[last].memberRange.lowerBound
          runs[last].parts.append(
            Part(arrayRange: part.arrayRange, place: place.offset - start))
          runs[last].memberRange = start..<place.offset + count
        } else {
          open[place.slot] = runs.count
          runs.append(
            Run(
              slot: place.slot, reader: selection.reader,
              memberRange: place.offset..<place.offset + count, parts: [part]))
        }
      }
      offset += count
    }
    return runs
  }

  /// The run's range, widened to whole blocks of the member.
  func wholeBlocks(_ range: Range<Int>, of member: Member) -> Range<Int> {
    range.lowerBound / 4096
      * 4096..<min(
        (range.upperBound + 4095) / 4096 * 4096, max(range.upperBound, member.dataByteCount))
  }
}
