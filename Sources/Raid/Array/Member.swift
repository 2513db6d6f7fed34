import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Synchronization

/// One member while its array is open: the device, what its superblock says, and its sums.
///
/// Data offsets are bytes from where the member's data starts.
package final class Member: Sendable {
  struct State {
    var superblock: MDSuperblock
    /// nil where the member has no regions of ours.
    var header: RegionHeader?
    var headerChanged = false
  }

  /// What it is stored on. Device offsets are not data offsets: see `dataOffset`.
  package let device: any BlockDevice
  /// What the user calls it.
  package var name: String { device.name }
  /// Where the data starts on the device.
  let dataOffset: Int
  /// Data bytes that there is room for.
  let dataByteCount: Int
  /// What the superblock calls unreadable; data offsets, in order.
  let badBlocks: [Range<Int>]
  let sums: BlockSums?
  let isWriteMostly: Bool
  let state: Mutex<State>

  /// Data below this is in sync; all of it for a whole member.
  private let validEnd: Atomic<Int>
  private let failed = Atomic<Bool>(false)
  private let sumsTrusted: Atomic<Bool>
  /// Reads under way, for balancing.
  let pendingReads = Atomic<Int>(0)

  init(
    device: any BlockDevice, superblock: MDSuperblock, header: RegionHeader?, dataOffset: Int,
    badBlocks: [Range<Int>], sums: BlockSums?, sumsAreTrusted: Bool
  ) {
    self.device = device
    self.dataOffset = dataOffset
    dataByteCount = Int(superblock.dataSizeSectors) * 512
    self.badBlocks = badBlocks
    self.sums = sums
    isWriteMostly = superblock.deviceFlags.contains(.writeMostly)
    validEnd = Atomic(
      superblock.features.contains(.recoveryOffset)
        ? min(Int(clamping: superblock.recoveryOffsetSectors), 1 << 53) * 512 : Int.max)
    sumsTrusted = Atomic(sums != nil && sumsAreTrusted)
    state = Mutex(State(superblock: superblock, header: header))
  }

  /// A failed member is neither read nor written again.
  package var isFailed: Bool { failed.load(ordering: .acquiring) }
  func markFailed() { failed.store(true, ordering: .releasing) }

  /// Whether all of its data is valid, and not just the part that a rebuild has written.
  package var isInSync: Bool { validByteCount == Int.max }
  /// How much of the data is in sync, from its start; `Int.max` for all.
  package var validByteCount: Int { validEnd.load(ordering: .acquiring) }
  func setValid(upTo end: Int) { validEnd.store(end, ordering: .releasing) }

  /// Whether a sum that disagrees proves anything.
  package var trustsSums: Bool { sumsTrusted.load(ordering: .acquiring) }
  func setTrustsSums(_ trusts: Bool) { sumsTrusted.store(trusts, ordering: .releasing) }

  /// As it was last read or written.
  package var superblock: MDSuperblock { state.withLock { $0.superblock } }
  /// As it was last read or written; nil for a member without regions of ours.
  package var header: RegionHeader? { state.withLock { $0.header } }

  /// Whether the range may be believed: not failed, in sync, and not listed as bad.
  func isReadable(_ range: Range<Int>) -> Bool {
    !isFailed && range.upperBound <= validByteCount && !isListedBad(range)
  }

  func isListedBad(_ range: Range<Int>) -> Bool {
    !badBlocks.isEmpty && badBlocks.contains { $0.overlaps(range) }
  }

  /// A block that could not be read has been rewritten, and can be: md's own count of these.
  func countCorrectedRead() {
    state.withLock { $0.superblock.correctedReadErrors &+= 1 }
  }

  /// Whether its header on the device lags behind.
  var hasNews: Bool { state.withLock { $0.headerChanged } }

  /// Counts what reading found.
  func count(_ change: (inout IntegrityCounters) -> Void) {
    state.withLock { state in
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
      if let bad = try firstMismatch(in: buffer.bytes, range: part, at: offset + done, sums: sums) {
        return .mismatch(at: bad)
      }
      done += count
    }
    return .good
  }

  /// The data offset of the first block that disagrees with its sum, if sums are kept and believed.
  func firstMismatch(
    in buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) -> Int? {
    guard let sums, trustsSums else { return nil }
    let first = offset / BlockSums.blockByteCount
    let count = (range.count + BlockSums.blockByteCount - 1) / BlockSums.blockByteCount
    return try scratch.with(count: count) { (found) throws(DeviceError) -> Int? in
      var span = found.mutableSpan
      blockSums(
        of: buffer, range: range, firstBlock: UInt64(first), prefixRegister: sums.prefixRegister,
        into: &span, at: 0)
      var start = 0
      while start < count {
        switch try sums.compare(
          found, from: start, count: count - start, firstBlock: first + start)
        {
        case .match: return nil
        case .mismatch(let block): return (first + start + block) * BlockSums.blockByteCount
        case .unknown(let block):
          // The sums of this block are damaged: it is taken as it is, and a scrub renews them.
          start += block + 1
        }
      }
      return nil
    }
  }

  /// Writes data, and remembers its sums.
  func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int, sums scratch: SumScratch
  ) throws(DeviceError) {
    try device.write(buffer, range: range, at: dataOffset + offset)
    try recordSums(of: buffer, range: range, at: offset, sums: scratch)
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
    try sums?.flush()
    try device.flush()
  }
}
