import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage

/// What an array's journal holds for its members: an index of where each block's newest content is, 16
/// bytes for each.
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
    /// Slot and block of the member's data.
    let key: UInt64
    /// Block of the ring; `none` for parity to compute.
    var newest: UInt32
    /// Of a stripe with newer data: what was logged with its parity before; `none` for nothing.
    var before: UInt32

    static let none = UInt32.max

    init(slot: Int, block: Int, newest: Int?, before: Int? = nil) {
      key = Self.key(slot, block)
      self.newest = newest.map { UInt32($0 / MDJournal.blockSectors) } ?? Self.none
      self.before = before.map { UInt32($0 / MDJournal.blockSectors) } ?? Self.none
    }

    static func key(_ slot: Int, _ block: Int) -> UInt64 { UInt64(slot) << 48 | UInt64(block) }

    var slot: Int { Int(key >> 48) }
    var block: Int { Int(key & (1 << 48 - 1)) }
    /// Sectors of the ring.
    var newestSector: Int? { Self.sector(newest) }
    var sectorBefore: Int? { Self.sector(before) }

    private static func sector(_ position: UInt32) -> Int? {
      position == none ? nil : Int(position) * MDJournal.blockSectors
    }
  }

  private static let blockByteCount = MDJournal.blockByteCount

  private let journal: any BlockDevice
  private let ringOffset: Int
  private let sources: [SlotSource]
  private let recovery: RowRecovery
  private var placement: ParityPlacement { recovery.placement }
  /// Sorted by slot and block.
  private let patches: [Patch]
  /// The log does not begin where the journal's superblock says.
  let beginning: MDJournalError?

  /// Follows the log of the member with this index.
  ///
  /// - Parameter limit: how many blocks to keep track of, in the log and on the members.
  /// - Throws: `notStartable` when the journal can't be read, or holds too much.
  init(
    _ assembly: Assembly, journal index: Int, _ placement: ParityPlacement,
    limit: Int = MDJournalReplay.usualLimit
  ) throws(RaidError) {
    let probe = assembly.members[index]
    let ringOffset = Int(probe.superblock.dataOffsetSectors) * 512
    let log = MDJournal(
      arrayID: assembly.reference.arrayID, areaSectors: Int(probe.superblock.dataSizeSectors))
    var replay = MDJournalReplay(limit: limit)
    let end = try log.walk(from: probe.superblock.journalTailSectors) {
      (sector, bytes) throws(RaidError) in
      do throws(DeviceError) {
        try probe.device.read(
          into: &bytes, range: 0..<bytes.byteCount, at: ringOffset + sector * 512)
      } catch {
        throw .notStartable(.device(member: probe.name, error))
      }
    } body: { (meta) throws(RaidError) in
      do throws(MDJournalReplay.TooLarge) {
        try replay.add(meta) { Self.place(of: $0, placement) }
      } catch {
        throw .notStartable(.journalTooLarge(member: probe.name))
      }
    }
    replay.finish()
    beginning = end.sequence == nil ? end.reason : nil
    journal = probe.device
    self.ringOffset = ringOffset
    recovery = RowRecovery(placement)
    guard let patches = Self.index(replay, placement, limit: limit) else {
      throw .notStartable(.journalTooLarge(member: probe.name))
    }
    self.patches = patches
    var sources: [SlotSource] = []
    for slot in 0..<placement.slotCount { sources.append(try SlotSource(assembly, slot: slot)) }
    self.sources = sources
  }

  /// The overlay of a slot's member; nil when the log holds nothing for it.
  func overlay(ofSlot slot: Int, dataOffset: Int) -> JournalOverlay? {
    firstPatch(of: slot, endingBehind: 0) == nil
      ? nil : JournalOverlay(replay: self, slot: slot, dataOffset: dataOffset)
  }

  // MARK: The index

  /// Where in the members' data the stripe of an array sector is, and its column; nil when the array has
  /// no such block.
  private static func place(
    of sector: UInt64, _ placement: ParityPlacement
  ) -> (stripeSector: UInt64, column: Int)? {
    let end = placement.rowCount * placement.rowByteCount / 512
    guard sector % 8 == 0, sector < UInt64(end) else { return nil }
    let (row, rest) = Int(sector * 512).quotientAndRemainder(dividingBy: placement.rowByteCount)
    let offset = row * placement.chunkByteCount + rest % placement.chunkByteCount
    return (UInt64(offset / 512), rest / placement.chunkByteCount)
  }

  /// nil when there would be more than so many.
  private static func index(
    _ replay: MDJournalReplay, _ placement: ParityPlacement, limit: Int
  ) -> [Patch]? {
    var count = 0
    replay.forEachStripe { stripe in
      count += stripe.settledData.count + stripe.data.count + placement.parityCount
    }
    guard count <= limit else { return nil }
    var patches: [Patch] = []
    patches.reserveCapacity(count)
    replay.forEachStripe { append($0, placement, to: &patches) }
    patches.sort { $0.key < $1.key }
    return patches
  }

  private static func append(
    _ stripe: MDJournalReplay.Stripe, _ placement: ParityPlacement, to patches: inout [Patch]
  ) {
    let block = Int(stripe.sector) / MDJournal.blockSectors
    let pattern = placement.pattern(ofRow: block * blockByteCount / placement.chunkByteCount)
    let isSettled =
      stripe.data.isEmpty && stripe.settledParity.count == placement.parityCount
    for place in stripe.settledData {
      let newer = stripe.data.first { $0.column == place.column }
      patches.append(
        Patch(
          slot: pattern.dataSlots[place.column], block: block,
          newest: (newer ?? place).sector, before: isSettled ? nil : place.sector))
    }
    for place in stripe.data
    where !stripe.settledData.contains(where: { $0.column == place.column }) {
      patches.append(
        Patch(slot: pattern.dataSlots[place.column], block: block, newest: place.sector))
    }
    for (index, slot) in pattern.paritySlots.enumerated() {
      let logged =
        stripe.settledParity.indices.contains(index) ? stripe.settledParity[index] : nil
      patches.append(
        Patch(
          slot: slot, block: block, newest: isSettled ? logged : nil,
          before: isSettled ? nil : logged))
    }
  }

  /// The first patch of a slot whose block ends behind `offset`, a data byte.
  private func firstPatch(of slot: Int, endingBehind offset: Int) -> Patch? {
    let wanted = Patch.key(slot, offset < 0 ? 0 : offset / Self.blockByteCount)
    var (low, high) = (0, patches.count)
    while low < high {
      let middle = (low + high) / 2
      if patches[middle].key < wanted { low = middle + 1 } else { high = middle }
    }
    return low < patches.count && patches[low].slot == slot ? patches[low] : nil
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
    if let sector = patch.newestSector {
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
    if let sector = patch(of: slot, block: offset / Self.blockByteCount)?.newestSector {
      try readRing(sector, into: &columns, range: range, at: offset)
      return true
    }
    return (try? sources[slot].read(into: &columns, range: range, at: offset)) != nil
  }

  /// Fills the columns of the slots `wanted` with what the stripe held before the newer data came.
  private func readBefore(
    _ wanted: [Int], row: Int, into columns: inout MutableRawSpan, byteCount: Int, at offset: Int
  ) throws(DeviceError) {
    let block = offset / Self.blockByteCount
    let pattern = placement.pattern(ofRow: row)
    var known: [Int] = []
    for slot in pattern.dataSlots + pattern.paritySlots where !wanted.contains(slot) {
      let range = slot * byteCount..<(slot + 1) * byteCount
      if let sector = patch(of: slot, block: block)?.sectorBefore {
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
