import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// The blocks of one member that md's log calls bad: nobody reads them there. Data offsets of whole
/// blocks of 4 KiB.
///
/// A block that is written is bad no more; a rebuild lists what nobody could tell it. The log on the
/// device follows when the member is flushed, after what was written.
final class BadBlockList: Sendable {
  private struct State {
    /// In order, with good blocks between them.
    var ranges: [Range<Int>]
    /// The log says something else.
    var isDirty = false
    /// The log says anything.
    var isLogUsed: Bool
  }

  private let state: Mutex<State>
  /// What is asked before each read and write needs no lock as long as nothing is listed.
  private let isUsed: Atomic<Bool>
  private let capacity: Int

  /// - Parameters:
  ///   - ranges: data offsets, in any order.
  ///   - capacity: how many entries the log has room for; with 0 the list never changes.
  init(_ ranges: [Range<Int>], capacity: Int) {
    let whole = ranges.inWholeBlocks
    state = Mutex(State(ranges: whole, isLogUsed: !whole.isEmpty))
    isUsed = Atomic(!whole.isEmpty)
    self.capacity = capacity
  }

  var isEmpty: Bool { !isUsed.load(ordering: .acquiring) }
  var ranges: [Range<Int>] { state.withLock { $0.ranges } }

  /// Whether the block at a data offset is listed, and up to where, at most up to `limit`, that is so of
  /// all blocks.
  func standing(at offset: Int, limit: Int) -> (isListed: Bool, end: Int) {
    if isEmpty { return (false, limit) }
    return state.withLock { state in
      let next = state.ranges[Self.firstIndex(after: offset, in: state.ranges)...].first
      guard let next else { return (false, limit) }
      return next.lowerBound <= offset
        ? (true, min(limit, next.upperBound)) : (false, min(limit, next.lowerBound))
    }
  }

  /// Whether a part of the range is listed.
  func overlaps(_ range: Range<Int>) -> Bool {
    let (isListed, end) = standing(at: range.lowerBound, limit: range.upperBound)
    return isListed || end < range.upperBound
  }

  /// Lists blocks, by the data offsets at which they start.
  ///
  /// - Returns: false when the log has no room for all of them: then it is as it was.
  func insert(_ blocks: [Int]) -> Bool {
    if blocks.isEmpty { return true }
    return state.withLock { state in
      let new = (state.ranges + blocks.map { $0..<$0 + 4096 }).inWholeBlocks
      return replace(&state, with: new)
    }
  }

  /// What was written is good. Where the log has no room for a list with a hole in it, it stays as it is.
  ///
  /// - Parameter range: data offsets; blocks that it does not fill stay.
  func remove(_ range: Range<Int>) {
    if isEmpty { return }
    let start = (range.lowerBound + 4095) / 4096 * 4096
    let whole = start..<max(start, range.upperBound / 4096 * 4096)
    state.withLock { state in
      guard state.ranges.contains(where: { $0.overlaps(whole) }) else { return }
      let rest = state.ranges.flatMap { listed in
        let common = listed.clamped(to: whole)
        return common.isEmpty
          ? [listed]
          : [
            listed.lowerBound..<common.lowerBound, common.upperBound..<listed.upperBound,
          ].filter { !$0.isEmpty }
      }
      _ = replace(&state, with: rest)
    }
  }

  private func replace(_ state: inout State, with ranges: [Range<Int>]) -> Bool {
    let words = ranges.reduce(0) {
      $0 + ($1.count / 512 + MDBadBlockLog.entryLimit - 1) / MDBadBlockLog.entryLimit
    }
    guard words <= capacity else { return false }
    state.ranges = ranges
    state.isDirty = true
    isUsed.store(!ranges.isEmpty, ordering: .releasing)
    return true
  }

  /// Whether the log on the device lists anything, so that the superblock has to mention it.
  var isLogUsed: Bool { state.withLock { $0.isLogUsed } }

  /// What the log should say, if it does not yet; from now on it counts as written.
  func takeChange() -> [Range<Int>]? {
    state.withLock { state in
      guard state.isDirty else { return nil }
      state.isDirty = false
      return state.ranges
    }
  }

  /// The log says this now.
  func didStore(_ ranges: [Range<Int>]) {
    state.withLock { $0.isLogUsed = !ranges.isEmpty }
  }

  /// The change was not written.
  func keepChange() { state.withLock { $0.isDirty = true } }

  private static func firstIndex(after offset: Int, in ranges: [Range<Int>]) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Member {
  /// Writes md's log of bad blocks, durably.
  func storeBadBlocks(_ ranges: [Range<Int>]) throws(DeviceError) {
    let superblock = self.superblock
    let place = superblock.badBlockLog
    let log = MDBadBlockLog(
      ranges: ranges.map { ($0.lowerBound + dataOffset) / 512..<($0.upperBound + dataOffset) / 512 }
    )
    let count = Int(place.sizeSectors) * 512
    var area = AlignedBuffer(byteCount: count)
    var bytes = area.mutableBytes
    do throws(MDBadBlockLogError) {
      try log.encode(into: &bytes, shift: place.shift)
    } catch {
      preconditionFailure("a list of bad blocks outgrew its log")
    }
    try device.write(
      bytes.bytes, range: 0..<count,
      at: (Int(superblock.superOffsetSectors) + Int(place.offsetSectors)) * 512)
    try device.flush()
    badBlocks.didStore(ranges)
  }
}

extension MDSuperblock {
  /// How many entries a log of bad blocks may have that is kept in units of a sector; 0 where there is
  /// no such log.
  func badBlockCapacity(memberByteCount: Int) -> Int {
    // Without its feature nobody has looked at where the log is yet.
    var superblock = self
    superblock.features.insert(.badBlocks)
    let isValid = (try? superblock.validate(memberSectors: memberByteCount / 512)) != nil
    return isValid && badBlockLog.shift == 0 ? Int(badBlockLog.sizeSectors) * 512 / 8 : 0
  }
}
