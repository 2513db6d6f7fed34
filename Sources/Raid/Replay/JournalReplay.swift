import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage

/// What an array's journal holds for its members: an index of where each block's newest content is.
///
/// The log is followed once, every checksum checked; afterwards blocks are read from the journal's
/// device when somebody asks. Three kinds of blocks are laid over the members:
///
/// - data, newest first;
/// - parity that was logged behind all the stripe's data: the stripe was on its way to the members;
/// - parity of stripes with newer data than that (write-back): the kernel computes it when it replays
///   the log, from the stripe's data as it then is, and so does this, when it is asked for. Where a
///   data block is on no member that is there, it is first computed from the stripe as it was before
///   the newer data, of which the members have nothing yet.
final class JournalReplay: Sendable {
  /// A block of a member that is not as it should be, and where its content is.
  private struct Patch {
    /// In blocks of the member's data.
    let block: Int
    /// The ring's sector; nil for parity to compute.
    let sector: Int?
  }

  /// Of a stripe with newer data: what was logged with its parity before.
  private struct Settled {
    var sectors: [Int: Int] = [:]  // ring sectors by slot, parities among them
  }

  private static let blockByteCount = MDJournal.blockByteCount

  private let journal: any BlockDevice
  private let ringOffset: Int
  private let sources: [SlotSource]
  private let recovery: RowRecovery
  private var placement: ParityPlacement { recovery.placement }
  /// By slot, sorted by block.
  private let patches: [[Patch]]
  /// By block, only of stripes that have newer data too.
  private let settled: [Int: Settled]
  /// The log does not begin where the journal's superblock says.
  let beginning: MDJournalError?

  /// Follows the log of the member with this index.
  ///
  /// - Throws: `notStartable` when the journal can't be read.
  init(_ assembly: Assembly, journal index: Int, _ placement: ParityPlacement) throws(RaidError) {
    let probe = assembly.members[index]
    let ringOffset = Int(probe.superblock.dataOffsetSectors) * 512
    let log = MDJournal(
      arrayID: assembly.reference.arrayID, areaSectors: Int(probe.superblock.dataSizeSectors))
    var replay = MDJournalReplay()
    let end: MDJournal.End
    do throws(DeviceError) {
      end = try log.walk(from: probe.superblock.journalTailSectors) {
        (sector, bytes) throws(DeviceError) in
        try probe.device.read(
          into: &bytes, range: 0..<bytes.byteCount, at: ringOffset + sector * 512)
      } body: { (meta) throws(DeviceError) in
        replay.add(meta) { Self.stripeSector($0, placement) }
      }
    } catch {
      throw .notStartable(.device(member: probe.name, error))
    }
    replay.finish()
    beginning = end.sequence == nil ? end.reason : nil
    journal = probe.device
    self.ringOffset = ringOffset
    recovery = RowRecovery(placement)
    (patches, settled) = Self.index(replay, placement)
    var sources: [SlotSource] = []
    for slot in 0..<placement.slotCount { sources.append(try SlotSource(assembly, slot: slot)) }
    self.sources = sources
  }

  /// The overlay of a slot's member; nil when the log holds nothing for it.
  func overlay(ofSlot slot: Int, dataOffset: Int) -> JournalOverlay? {
    patches[slot].isEmpty
      ? nil : JournalOverlay(replay: self, slot: slot, dataOffset: dataOffset)
  }

  // MARK: The index

  /// Where in the members' data the stripe of an array sector is; nil when the array has no such block.
  private static func stripeSector(_ sector: UInt64, _ placement: ParityPlacement) -> UInt64? {
    let end = placement.rowCount * placement.rowByteCount / 512
    guard sector % 8 == 0, sector < UInt64(end) else { return nil }
    let (row, rest) = Int(sector * 512).quotientAndRemainder(dividingBy: placement.rowByteCount)
    let offset = row * placement.chunkByteCount + rest % placement.chunkByteCount
    return UInt64(offset / 512)
  }

  private static func index(
    _ replay: MDJournalReplay, _ placement: ParityPlacement
  ) -> (patches: [[Patch]], settled: [Int: Settled]) {
    var patches = [[Patch]](repeating: [], count: placement.slotCount)
    var settled: [Int: Settled] = [:]
    for (sector, stripe) in replay.stripes {
      let block = Int(sector) / MDJournal.blockSectors
      let row = block * blockByteCount / placement.chunkByteCount
      let pattern = placement.pattern(ofRow: row)
      func slot(_ arraySector: UInt64) -> Int {
        let rest = Int(arraySector) * 512 % placement.rowByteCount
        return pattern.dataSlots[rest / placement.chunkByteCount]
      }
      let old = stripe.settledData.map { (slot($0.key), $0.value) }
      let isSettled =
        stripe.data.isEmpty && stripe.settledParity.count == placement.parityCount
      var newest = Dictionary(uniqueKeysWithValues: old)
      for (arraySector, ring) in stripe.data { newest[slot(arraySector)] = ring }
      for (slot, ring) in newest { patches[slot].append(Patch(block: block, sector: ring)) }
      let parity = Array(zip(pattern.paritySlots, stripe.settledParity))
      if isSettled {
        for (slot, ring) in parity { patches[slot].append(Patch(block: block, sector: ring)) }
      } else {
        for slot in pattern.paritySlots {
          patches[slot].append(Patch(block: block, sector: nil))
        }
        if !old.isEmpty {
          settled[block] = Settled(sectors: Dictionary(uniqueKeysWithValues: old + parity))
        }
      }
    }
    for slot in patches.indices { patches[slot].sort { $0.block < $1.block } }
    return (patches, settled)
  }

  /// The first patch of a slot whose block ends behind `offset`, a data byte.
  private func firstPatch(of slot: Int, endingBehind offset: Int) -> Patch? {
    let patches = patches[slot]
    let wanted = offset < 0 ? 0 : offset / Self.blockByteCount
    var (low, high) = (0, patches.count)
    while low < high {
      let middle = (low + high) / 2
      if patches[middle].block < wanted { low = middle + 1 } else { high = middle }
    }
    return low < patches.count ? patches[low] : nil
  }

  private func patch(of slot: Int, block: Int) -> Patch? {
    guard let patch = firstPatch(of: slot, endingBehind: block * Self.blockByteCount) else {
      return nil
    }
    return patch.block == block ? patch : nil
  }

  // MARK: Content

  /// The data bytes of the first patched block that ends behind `offset`.
  func nextBlock(of slot: Int, from offset: Int) -> Range<Int>? {
    firstPatch(of: slot, endingBehind: offset).map {
      $0.block * Self.blockByteCount..<($0.block + 1) * Self.blockByteCount
    }
  }

  /// Fills a range of the buffer with what a patched block holds from data byte `offset` on.
  func read(
    slot: Int, into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    let block = offset / Self.blockByteCount
    guard let patch = patch(of: slot, block: block) else {
      preconditionFailure("the log holds nothing here")
    }
    if let sector = patch.sector {
      try readRing(sector, into: &buffer, range: range, at: offset)
    } else {
      try computeParity(slot: slot, into: &buffer, range: range, at: offset)
    }
  }

  /// Fills the range with the part of a block of the ring that belongs at data byte `offset`.
  private func readRing(
    _ sector: Int, into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    do {
      try journal.read(
        into: &buffer, range: range,
        at: ringOffset + sector * 512 + offset % Self.blockByteCount)
    } catch {
      // To whoever reads the member, these bytes of it can't be had.
      throw .unreadable(offset: offset, errno: error.errno ?? .ioError)
    }
  }

  /// Computes a part of a parity block of a stripe that has data without parity.
  private func computeParity(
    slot: Int, into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    let count = range.count
    let row = offset / placement.chunkByteCount
    let pattern = placement.pattern(ofRow: row)
    var scratch = AlignedBuffer(byteCount: placement.slotCount * count)
    var columns = scratch.mutableBytes
    var unknown: [Int] = []
    for data in pattern.dataSlots {
      let isThere = try readNewest(data, into: &columns, byteCount: count, at: offset)
      if !isThere { unknown.append(data) }
    }
    if !unknown.isEmpty {
      var before = AlignedBuffer(byteCount: placement.slotCount * count)
      var old = before.mutableBytes
      try readBefore(unknown, row: row, into: &old, byteCount: count, at: offset)
      for data in unknown {
        columns.copy(old.bytes.sub(data * count..<(data + 1) * count), at: data * count)
      }
    }
    let isComputed = recovery.compute(
      [slot], row: row, known: pattern.dataSlots, byteCount: count, in: &columns)
    precondition(isComputed, "parity can be computed from all data")
    buffer.copy(columns.bytes.sub(slot * count..<(slot + 1) * count), at: range.lowerBound)
  }

  /// Reads the newest content of a data slot into its column; false when it is neither logged nor on a
  /// member that is there.
  private func readNewest(
    _ slot: Int, into columns: inout MutableRawSpan, byteCount: Int, at offset: Int
  ) throws(DeviceError) -> Bool {
    let range = slot * byteCount..<(slot + 1) * byteCount
    if let sector = patch(of: slot, block: offset / Self.blockByteCount)?.sector {
      try readRing(sector, into: &columns, range: range, at: offset)
      return true
    }
    return (try? sources[slot].read(into: &columns, range: range, at: offset)) != nil
  }

  /// Fills the columns of the slots `wanted` with what the stripe held before the newer data came.
  private func readBefore(
    _ wanted: [Int], row: Int, into columns: inout MutableRawSpan, byteCount: Int, at offset: Int
  ) throws(DeviceError) {
    let before = settled[offset / Self.blockByteCount] ?? Settled()
    let pattern = placement.pattern(ofRow: row)
    var known: [Int] = []
    for slot in pattern.dataSlots + pattern.paritySlots where !wanted.contains(slot) {
      let range = slot * byteCount..<(slot + 1) * byteCount
      if let sector = before.sectors[slot] {
        try readRing(sector, into: &columns, range: range, at: offset)
        known.append(slot)
      } else if (try? sources[slot].read(into: &columns, range: range, at: offset)) != nil {
        known.append(slot)
      }
    }
    let isComputed = recovery.compute(
      wanted, row: row, known: known, byteCount: byteCount, in: &columns)
    guard isComputed else { throw .unreadable(offset: offset, errno: .ioError) }
  }
}

/// What the journal holds for one member.
struct JournalOverlay: Overlay {
  let replay: JournalReplay
  let slot: Int
  let dataOffset: Int

  func next(from offset: Int) -> Range<Int>? {
    replay.nextBlock(of: slot, from: offset - dataOffset).map {
      $0.lowerBound + dataOffset..<$0.upperBound + dataOffset
    }
  }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    do {
      try replay.read(slot: slot, into: &buffer, range: range, at: offset - dataOffset)
    } catch .unreadable(let at, let errno) {
      throw .unreadable(offset: at + dataOffset, errno: errno)
    }
  }
}
