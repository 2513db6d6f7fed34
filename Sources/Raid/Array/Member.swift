import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// One member while its array is open: the device, what its superblock says, and its sums.
///
/// Data offsets are bytes from where the member's data starts.
package final class Member: Sendable {
  /// What it is stored on. Device offsets are not data offsets: see `dataOffset`.
  package let device: any BlockDevice
  /// What the user calls it.
  package var name: String { device.name }
  /// Where the data starts on the device.
  let dataOffset: Int
  /// Data bytes that there is room for.
  let dataByteCount: Int
  /// What the superblock calls unreadable, and what a rebuild could not tell it.
  let badBlocks: BadBlockList
  let sums: BlockSums?
  /// The sums are the slot's, and it has them together with another who is in it.
  let sharesSums: Bool
  /// The array's members keep sums, and what said where this one has its own is gone: nothing shows that what it holds
  /// is right.
  let lacksSums: Bool
  let isWriteMostly: Bool
  /// What it shares with the member that the same device is of the array's other shape.
  let record: MemberRecord

  /// Data below this is in sync; all of it for a whole member.
  private let validEnd: Atomic<Int>
  /// The first block of which nothing says that it is lost, `Int.max` for none: data is never in sync
  /// beyond it.
  private let unmarkedLoss = Atomic<Int>(Int.max)
  private let sumsTrusted: Atomic<Bool>
  /// Reads under way, for balancing.
  let pendingReads = Atomic<Int>(0)

  init(
    device: any BlockDevice, superblock: MDSuperblock, header: RegionHeader?, dataOffset: Int,
    badBlocks: [Range<Int>], sums: BlockSums?, sumsAreTrusted: Bool, sharesSums: Bool = false,
    lacksSums: Bool = false, record: MemberRecord? = nil
  ) {
    self.device = device
    self.dataOffset = dataOffset
    dataByteCount = Int(superblock.dataSizeSectors) * 512
    self.badBlocks = BadBlockList(
      badBlocks, capacity: superblock.badBlockCapacity(memberByteCount: device.byteCount))
    self.sums = sums
    self.sharesSums = sharesSums
    self.lacksSums = lacksSums
    isWriteMostly = superblock.deviceFlags.contains(.writeMostly)
    validEnd = Atomic(
      superblock.features.contains(.recoveryOffset)
        ? min(Int(clamping: superblock.recoveryOffsetSectors), 1 << 53) * 512 : Int.max)
    sumsTrusted = Atomic((sums != nil || lacksSums) && sumsAreTrusted)
    self.record = record ?? MemberRecord(superblock, header)
  }

  /// A failed member is neither read nor written again.
  package var isFailed: Bool { record.failed.load(ordering: .acquiring) }
  func markFailed() { record.failed.store(true, ordering: .releasing) }

  /// Whether all of its data is valid, and not just the part that a rebuild has written.
  package var isInSync: Bool { validByteCount == Int.max }
  /// How much of the data is in sync, from its start; `Int.max` for all.
  package var validByteCount: Int { validEnd.load(ordering: .acquiring) }
  func setValid(upTo end: Int) {
    validEnd.store(min(end, unmarkedLoss.load(ordering: .acquiring)), ordering: .releasing)
  }

  /// Where the first loss is that could not be marked as one; `Int.max` for none.
  var unmarkedLossOffset: Int { unmarkedLoss.load(ordering: .acquiring) }

  /// Whether a sum that disagrees proves anything, and one that is not there leaves the block unproven.
  package var trustsSums: Bool { sumsTrusted.load(ordering: .acquiring) }
  /// Whether it has sums that are believed.
  var hasTrustedSums: Bool { sums != nil && trustsSums }
  func setTrustsSums(_ trusts: Bool) { sumsTrusted.store(trusts, ordering: .releasing) }

  /// The sums that another who comes into the slot has, too: those that lie in a file beside.
  var sharableSums: BlockSums? {
    guard !isFailed, let sums, sums.isBeside else { return nil }
    return sums
  }

  /// As it was last read or written.
  package var superblock: MDSuperblock { record.state.withLock { $0.superblock } }
  /// As it was last read or written; nil for a member without regions of ours.
  package var header: RegionHeader? { record.state.withLock { $0.header } }

  /// Whether the block at a data offset may be believed (not failed, in sync, and not listed as bad),
  /// and up to where, at most up to `limit`, that is so of all blocks: a multiple of 4096, or `limit`.
  func readability(at offset: Int, limit: Int) -> (isReadable: Bool, end: Int) {
    if isFailed { return (false, limit) }
    let valid = validByteCount / 4096 * 4096
    if offset >= valid { return (false, limit) }
    let limit = min(limit, valid)
    let (isListed, end) = badBlocks.standing(at: offset, limit: limit)
    return (!isListed, end)
  }

  /// Whether all of the range may be believed.
  func isReadable(_ range: Range<Int>) -> Bool {
    let (isReadable, end) = readability(at: range.lowerBound, limit: range.upperBound)
    return isReadable && end == range.upperBound
  }

  /// Whether all that keeps the block at a data offset from being read is that it is listed as bad.
  func isOnlyListed(_ block: Range<Int>) -> Bool {
    !isFailed && block.upperBound <= validByteCount && badBlocks.overlaps(block)
  }

  /// Sees to it that blocks are never taken for good, which others could not tell it: the bad-block log
  /// lists them, and their sums are such that nothing agrees with them. Sums in a file of their own are
  /// not enough, since the array may be used without it.
  ///
  /// - Parameter blocks: the data offsets at which they start.
  func markLost(_ blocks: [Int]) throws(DeviceError) {
    guard let first = blocks.min() else { return }
    var sumsTell = sums?.isBeside == false
    if let sums, !sharesSums {
      for offset in blocks where try !sums.poison(block: offset / 4096) { sumsTell = false }
    }
    if !badBlocks.insert(blocks), !sumsTell {
      unmarkedLoss.min(first, ordering: .acquiringAndReleasing)
    }
  }

  /// Data offsets of what its list of bad blocks has.
  package var listedBlocks: [Range<Int>] { badBlocks.ranges }

  /// A block that could not be read has been rewritten, and can be: md's own count of these.
  func countCorrectedRead() {
    record.state.withLock { $0.superblock.correctedReadErrors &+= 1 }
  }

  /// Whether its header on the device lags behind.
  var hasNews: Bool { record.state.withLock { $0.headerChanged } }

  /// Counts what reading found.
  func count(_ change: (inout IntegrityCounters) -> Void) {
    record.state.withLock { state in
      guard state.header != nil else { return }
      change(&state.header!.counters)
      state.headerChanged = true
    }
  }
}

extension Member {
  /// Reads data without looking at sums.
  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    pendingReads.wrappingAdd(1, ordering: .relaxed)
    defer { pendingReads.wrappingSubtract(1, ordering: .relaxed) }
    try device.read(into: &buffer, range: range, at: dataOffset + offset)
  }

  /// What a checked read found.
  enum ReadFinding: Equatable {
    /// Right, as far as anyone can know.
    case good
    /// The block at this data offset can't be read, or its sum is wrong.
    case unreadable(at: Int)
    case mismatch(at: Int)
    /// The sum of the block at this data offset is damaged or gone. What was read lies in the buffer.
    case unproven(at: Int)
    /// The block at this data offset is all zeros, and so is the block of sums that has its sum, although that was
    /// written: nothing of it is left.
    case vanished(at: Int)
  }

  /// Reads data and checks it against its sums, a piece at a time while it is in the cache.
  ///
  /// - Parameters:
  ///   - offset: a multiple of 4096, as is the range's length but at the member's end.
  ///   - sums: scratch for as many sums as there are blocks.
  /// - Throws: what is no matter of single blocks: the member is gone.
  func readChecked(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int, sums: SumScratch
  ) throws(DeviceError) -> ReadFinding {
    let piece = 128 << 10
    var done = 0
    while done < range.count {
      let count = min(piece, range.count - done)
      let part = range.lowerBound + done..<range.lowerBound + done + count
      do {
        try read(into: &buffer, range: part, at: offset + done)
      } catch .unreadable {
        return .unreadable(at: offset + done)
      }
      let finding = try check(buffer.bytes, range: part, at: offset + done, sums: sums)
      if finding != .good { return finding }
      done += count
    }
    return .good
  }

  /// The first block that disagrees with its sum, or whose sum is damaged, if sums are kept and believed.
  func check(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) -> ReadFinding {
    guard trustsSums else { return .good }
    guard let sums else { return .unproven(at: offset) }
    let first = offset / BlockSums.blockByteCount
    let count = (range.count + BlockSums.blockByteCount - 1) / BlockSums.blockByteCount
    return try scratch.with(count: count) { (found) throws(DeviceError) -> ReadFinding in
      var span = found.mutableSpan
      blockSums(
        of: buffer, range: range, firstBlock: UInt64(first), prefixRegister: sums.prefixRegister,
        into: &span, at: 0)
      switch try sums.compare(found, from: 0, count: count, firstBlock: first) {
      case .match: return .good
      case .mismatch(let block): return .mismatch(at: (first + block) * BlockSums.blockByteCount)
      case .unknown(let block): return .unproven(at: (first + block) * BlockSums.blockByteCount)
      case .vanished(let block): return .vanished(at: (first + block) * BlockSums.blockByteCount)
      }
    }
  }

  /// Writes data, and remembers its sums.
  func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) {
    try device.write(buffer, range: range, at: dataOffset + offset)
    try recordSums(of: buffer, range: range, at: offset, sums: scratch)
    badBlocks.remove(offset..<offset + range.count)
  }

  /// Remembers the sums of data that is on the device, or is about to be.
  func recordSums(
    of buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) {
    guard let sums else { return }
    let first = offset / BlockSums.blockByteCount
    let count = (range.count + BlockSums.blockByteCount - 1) / BlockSums.blockByteCount
    try scratch.with(count: count) { (fresh) throws(DeviceError) in
      var span = fresh.mutableSpan
      blockSums(
        of: buffer, range: range, firstBlock: UInt64(first), prefixRegister: sums.prefixRegister,
        into: &span, at: 0)
      try sums.record(fresh, from: 0, count: count, firstBlock: first)
    }
  }

  /// Puts data and sums on stable storage.
  func flush() throws(DeviceError) {
    // What is called good from now on has been written before.
    let ranges = badBlocks.takeChange()
    do throws(DeviceError) {
      try sums?.noteFlushed()
      let written = try sums?.flush()
      try device.flush()
      if let written { sums?.wereFlushed(written) }
      if let ranges { try storeBadBlocks(ranges) }
    } catch {
      if ranges != nil { badBlocks.keepChange() }
      throw error
    }
  }
}
