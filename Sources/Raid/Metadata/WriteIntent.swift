import BinaryCodec
import LinuxSystem
import MDFormat
import Synchronization

/// Which parts of the array are being written, so that after a crash only these are in doubt: Linux
/// md's write-intent bitmap, or one of the same format in a region of ours where md has none.
///
/// A bit is on the disks before a write to its range starts, and is cleared some time after all members
/// have the data. Bits that were set when the array was opened after a crash are *doubtful* until a
/// resync has gone over them. Ranges are bytes of the members' data, for RAID 10, RAID 0 and linear
/// bytes of the array.
///
/// This type knows the bits and their encoding; the array knows where the copies lie and writes them.
final class WriteIntent: Sendable {
  /// Writes bytes of the bitmap (a range of whole pages, counted from its header) to every member, and
  /// returns when they are durable.
  typealias Store = (RawSpan, Range<Int>) throws(RaidError) -> Void

  private struct State {
    var header: MDBitmapHeader
    /// As the disks have it, or are about to.
    var stored: BitSet
    /// Some disks may have less than `stored`: all of it is to be written before anything else.
    var isBehind: Bool
    var doubtful: BitSet
    /// Writes under way, by bit.
    var active: [Int: Int] = [:]
    /// Writes under way whose marks are deferred, by bit.
    var deferring: [Int: Int] = [:]
    /// Written since the journal was last empty, which makes up for the bits, or being written: to be stored when a
    /// member is lost, which must be told what it missed.
    var deferred = Set<Int>()
  }

  /// How a write was announced.
  enum Mark { case none, stored, deferred }

  private let state: Mutex<State>
  /// In a region of ours, where md does not look.
  let isOurs: Bool
  /// Bytes that a bit stands for.
  let granularity: Int
  let bitCount: Int
  /// Bytes of the header and all bits, in whole pages.
  let byteCount: Int

  /// - Parameter isBehind: not every member has what is `stored`; the next `setEvents` sees to that.
  init(
    header: MDBitmapHeader, stored: BitSet, doubtful: BitSet, isOurs: Bool, isBehind: Bool = false
  ) {
    granularity = Int(header.chunkByteCount)
    bitCount = header.bitCount
    byteCount = (MDBitmapHeader.byteCount + (header.bitCount + 7) / 8 + 4095) / 4096 * 4096
    self.isOurs = isOurs
    state = Mutex(State(header: header, stored: stored, isBehind: isBehind, doubtful: doubtful))
  }

  /// A bitmap of ours of which nothing can be read any more: if the array is unclean, all of it is in
  /// doubt.
  ///
  /// - Parameters:
  ///   - byteCount: what the bits cover.
  ///   - room: bytes that the bitmap may take on a member.
  static func unknown(
    arrayID: Identifier, events: UInt64, byteCount: Int, room: Int, isUnclean: Bool
  ) -> WriteIntent {
    var header = MDBitmapHeader(
      arrayID: arrayID, syncSizeSectors: UInt64(byteCount / 512),
      chunkByteCount: UInt32(granularity(covering: byteCount, bitmapByteCount: room)),
      events: events)
    // Nobody who was away knows what they missed.
    header.eventsCleared = events &+ 1
    header.sectorsReserved = UInt32(room / 512)
    let bits = isUnclean ? BitSet(allBelow: header.bitCount) : BitSet(count: header.bitCount)
    return WriteIntent(
      header: header, stored: bits, doubtful: bits, isOurs: true, isBehind: true)
  }

  /// On large arrays a bit stands for no less than this: every fresh bit costs a flush on every member.
  private static let usualGranularity = 4 << 20
  /// How far ahead of writes that follow each other bits are set, so that they cost few flushes.
  private static let aheadByteCount = 64 << 20

  /// About 64 bits for a small array, more of the usual granularity for a large one, and as many as fit
  /// into a bitmap of so many bytes.
  static func granularity(covering byteCount: Int, bitmapByteCount: Int) -> Int {
    let bits = (bitmapByteCount - MDBitmapHeader.byteCount) * 8
    var granularity = 64 << 10
    while granularity < usualGranularity, byteCount / 64 > granularity { granularity <<= 1 }
    while (byteCount + granularity - 1) / granularity > bits { granularity <<= 1 }
    return granularity
  }

  /// Whether any byte of the range was being written when the array was last lost.
  func isDoubtful(_ range: Range<Int>) -> Bool {
    let bits = bits(of: range)
    return state.withLock { state in bits.contains { state.doubtful.contains($0) } }
  }

  /// The doubtful ranges, in order.
  var doubtfulRanges: [Range<Int>] { state.withLock { ranges(of: $0.doubtful) } }
  /// The ranges whose bits are set on the disks, in order.
  var markedRanges: [Range<Int>] { state.withLock { ranges(of: $0.stored) } }
  /// Members with at least so many events need only what is marked.
  var eventsCleared: UInt64 { state.withLock { $0.header.eventsCleared } }
  var hasDoubt: Bool { state.withLock { !$0.doubtful.isEmpty } }

  /// Marks the range before it is written.
  func begin(_ range: Range<Int>, store: Store) throws(RaidError) {
    let bits = bits(of: range)
    try state.withLock { (state) throws(RaidError) in
      var fresh: Range<Int>?
      for bit in bits {
        state.active[bit, default: 0] += 1
        if !state.stored.contains(bit) { fresh = (fresh?.lowerBound ?? bit)..<bit + 1 }
      }
      guard var fresh else { return }
      if fresh.lowerBound > 0, state.stored.contains(fresh.lowerBound - 1) {
        let ahead = fresh.lowerBound + min(16, Self.aheadByteCount / granularity)
        fresh = fresh.lowerBound..<max(fresh.upperBound, min(bitCount, ahead))
      }
      let before = state.stored
      for bit in fresh { state.stored.insert(bit) }
      do throws(RaidError) {
        try Self.write(state, bits: fresh, store)
      } catch {
        // The next write has to try again. The count stays, so that nothing is cleared.
        state.stored = before
        state.isBehind = true
        throw error
      }
    }
  }

  /// Announces a range that is written by way of a journal: its bits are stored only if `storeDeferredMarks` is
  /// called before the journal is empty.
  func beginDeferred(_ range: Range<Int>) {
    let bits = bits(of: range)
    state.withLock { state in
      for bit in bits {
        state.deferring[bit, default: 0] += 1
        state.deferred.insert(bit)
      }
    }
  }

  /// The journal is empty: everything is on all members, but for what is still being written.
  func dropDeferredMarks() { state.withLock { $0.deferred = Set($0.deferring.keys) } }

  /// A member is lost: what it may have missed is marked from now on.
  func storeDeferredMarks(on members: MemberSet) throws(RaidError) {
    try state.withLock { (state) throws(RaidError) in
      guard state.deferred.contains(where: { !state.stored.contains($0) }) else { return }
      let before = state.stored
      for bit in state.deferred { state.stored.insert(bit) }
      do throws(RaidError) {
        try Self.write(state, bits: 0..<bitCount) { (page, range) throws(RaidError) in
          try members.storeIntent(page, range, isOurs: isOurs)
        }
      } catch {
        state.stored = before
        throw error
      }
    }
  }

  /// The write that was announced has ended.
  func end(_ range: Range<Int>, _ mark: Mark) {
    let bits = bits(of: range)
    state.withLock { state in
      switch mark {
      case .none: break
      case .stored: Self.end(bits, &state.active)
      case .deferred: Self.end(bits, &state.deferring)
      }
    }
  }

  private static func end(_ bits: Range<Int>, _ counts: inout [Int: Int]) {
    for bit in bits {
      let count = counts[bit, default: 1] - 1
      counts[bit] = count > 0 ? count : nil
    }
  }

  /// Clears the bits of ranges that nobody is writing and nobody doubts. All members must have, durably,
  /// what was written; and none may be missing, or it would never learn what it missed.
  func clearIdle(events: UInt64, store: Store) throws(RaidError) {
    try state.withLock { (state) throws(RaidError) in
      let before = state.stored
      state.stored.formIntersection { bit in
        state.active[bit] != nil || state.doubtful.contains(bit)
      }
      state.header.eventsCleared = events
      if state.stored != before { try Self.write(state, bits: 0..<bitCount, store) }
    }
  }

  /// A resync has gone over the range: what it covers whole is no longer in doubt.
  func resolve(_ range: Range<Int>) {
    let first = (range.lowerBound + granularity - 1) / granularity
    let end = range.upperBound / granularity
    state.withLock { state in
      for bit in first..<max(first, min(end, bitCount)) { state.doubtful.remove(bit) }
      // The last bit may reach past the end of the data.
      if end < bitCount, range.upperBound >= Int(state.header.syncSizeSectors) * 512,
        end * granularity >= range.lowerBound
      {
        state.doubtful.remove(end)
      }
    }
  }

  /// A write to the range, whose bits are set, was cut off.
  func doubt(_ range: Range<Int>) {
    let bits = bits(of: range)
    state.withLock { state in
      for bit in bits { state.doubtful.insert(bit) }
    }
  }

  /// Everything is in doubt, because nothing is known.
  func doubtEverything() {
    state.withLock { state in
      for bit in 0..<bitCount {
        state.doubtful.insert(bit)
        state.stored.insert(bit)
      }
      state.isBehind = true
    }
  }

  /// The header's event count must never be behind the superblocks': it goes first.
  ///
  /// - Parameter isNewRecord: who left before this event does not learn from the bits what they missed.
  func setEvents(
    _ events: UInt64, isNewRecord: Bool = false, store: Store
  ) throws(RaidError) {
    try state.withLock { (state) throws(RaidError) in
      state.header.events = events
      if isNewRecord { state.header.eventsCleared = events }
      try Self.write(state, bits: 0..<(state.isBehind ? bitCount : 1), store)
      state.isBehind = false
    }
  }

  /// The whole bitmap, for a member that has none yet.
  func writeAll(store: Store) throws(RaidError) {
    try state.withLock { (state) throws(RaidError) in
      try Self.write(state, bits: 0..<bitCount, store)
    }
  }

  private func bits(of range: Range<Int>) -> Range<Int> {
    let first = min(range.lowerBound / granularity, bitCount)
    let end = min(bitCount, (range.upperBound + granularity - 1) / granularity)
    return first..<max(first, end)
  }

  private func ranges(of bits: BitSet) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for bit in 0..<bitCount where bits.contains(bit) {
      let start = bit * granularity
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<start + granularity
      } else {
        ranges.append(start..<start + granularity)
      }
    }
    return ranges
  }

  private static func write(
    _ state: borrowing State, bits: Range<Int>, _ store: Store
  ) throws(RaidError) {
    let head = MDBitmapHeader.byteCount
    let first = (head + bits.lowerBound / 8) / 4096 * 4096
    let end = (head + (bits.upperBound + 7) / 8 + 4095) / 4096 * 4096
    var buffer = AlignedBuffer(byteCount: min(end - first, pieceByteCount))
    for start in stride(from: first, to: end, by: pieceByteCount) {
      let count = min(end - start, pieceByteCount)
      var bytes = buffer.mutableBytes
      bytes.zero()
      if start == 0 { state.header.encode(into: &bytes) }
      state.stored.store(into: &bytes, bitmapStart: head - start)
      try store(bytes.bytes, start..<start + count)
    }
  }

  /// How much of a bitmap is written at once.
  private static let pieceByteCount = 1 << 20
}
