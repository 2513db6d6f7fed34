import BinaryCodec
import BlockStorage
import ErasureCoding
import LinuxSystem
import MDFormat
import RaidGeometry
import SystemPackage

/// What a member's partial parity log says about its parity: the strips to mend after a crash.
///
/// Of a log only the newest header counts, and of that the entries whose partial parity agrees with
/// its checksum: what is torn was still being written, and the stripe it is about not yet begun. A
/// strip is left as it is where one of the data members that the write changed is not there, for then
/// nobody knows how much of the write arrived. All as Linux does it (drivers/md/raid5-ppl.c,
/// `ppl_recover` and `ppl_recover_entry`).
///
/// Parity is computed when it is read, so that nothing but places is held.
struct PartialParityReplay: Overlay {
  /// Parity that is the sum of these slots' data and the log's partial parity.
  private struct Strip {
    /// In bytes of the member's data, and the same for all slots.
    var range: Range<Int>
    let slots: [Int]
    /// Where on the device the partial parity begins; nil for a write of whole stripes.
    var partialParity: Int?

    /// The part of it that lies in `part`.
    func clamped(to part: Range<Int>) -> Strip {
      var strip = self
      strip.range = range.clamped(to: part)
      strip.partialParity = partialParity.map { $0 + strip.range.lowerBound - range.lowerBound }
      return strip
    }
  }

  private let device: any BlockDevice
  private let dataOffset: Int
  private let sources: [SlotSource]
  /// In order, without overlaps.
  private var strips: [Strip] = []
  /// Entries that count.
  private(set) var entryCount = 0
  /// The log has no header, or an entry that does not count: it may not tell all that is torn.
  private(set) var isIncomplete = false

  /// Reads the log of a member.
  ///
  /// - Throws: `notStartable` when the log can't be read: then nobody knows what to mend.
  init(
    _ probe: MemberProbe, slot: Int, _ placement: ParityPlacement, _ sources: [SlotSource]
  ) throws(RaidError) {
    device = probe.device
    dataOffset = Int(probe.superblock.dataOffsetSectors) * 512
    self.sources = sources
    guard let area = probe.superblock.partialParityArea else { return }
    let start = area.lowerBound * 512
    do throws(DeviceError) {
      let log = MDPartialParityLog(
        arrayID: probe.superblock.arrayID, areaByteCount: area.count * 512)
      let finding = try log.findNewest { (offset, bytes) throws(DeviceError) in
        try probe.device.read(into: &bytes, range: 0..<bytes.byteCount, at: start + offset)
      }
      guard case .newest(let header, let offset) = finding else {
        isIncomplete = true
        return
      }
      for (index, entry) in header.entries.enumerated() where entry.paritySlot == slot {
        let range = header.partialParityRange(ofEntry: index)
        let place = start + offset + range.lowerBound
        guard try checksum(place..<place + range.count) == entry.checksum else {
          isIncomplete = true
          continue
        }
        entryCount += 1
        add(entry, partialParity: range.isEmpty ? nil : place, slot: slot, placement)
      }
    } catch {
      throw .notStartable(.device(member: probe.name, error))
    }
    strips.sort { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// Whether there is nothing to mend.
  var isEmpty: Bool { strips.isEmpty }

  private func checksum(_ range: Range<Int>) throws(DeviceError) -> UInt32 {
    var sum = CRC32C()
    var buffer = AlignedBuffer(byteCount: min(range.count, Self.pieceByteCount))
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
      let count = min(Self.pieceByteCount, range.upperBound - start)
      var bytes = buffer.mutableBytes
      try device.read(into: &bytes, range: 0..<count, at: start)
      sum.update(bytes.bytes.sub(0..<count))
    }
    return sum.value
  }

  // MARK: From entries to strips

  private mutating func add(
    _ entry: MDPartialParityHeader.Entry, partialParity: Int?, slot: Int,
    _ placement: ParityPlacement
  ) {
    let chunk = placement.chunkByteCount / 512
    let arraySectors = placement.rowCount * placement.rowByteCount / 512
    guard
      let work = entry.recovery(chunkSectors: chunk, slotCount: placement.slotCount),
      work.endSector <= arraySectors
    else { return }
    for rows in Self.alike(work) {
      let data = work.dataSectors(atRow: rows.lowerBound)
      guard let first = data.first else { continue }
      let row = first / (chunk * placement.dataColumnCount)
      let pattern = placement.pattern(ofRow: row)
      let columns = data.map { $0 / chunk - row * placement.dataColumnCount }
      // An entry about another member's parity, or about two rows, is none that Linux writes.
      guard pattern.paritySlots == [slot], columns.allSatisfy(pattern.dataSlots.indices.contains)
      else { continue }
      let start = (row * chunk + first % chunk) * 512
      insert(
        Strip(
          range: start..<start + rows.count * 512, slots: columns.map { pattern.dataSlots[$0] },
          partialParity: partialParity.map { $0 + rows.lowerBound * 512 }))
    }
  }

  /// The rows of an entry in runs whose data lies on the same members and in one piece.
  private static func alike(
    _ work: MDPartialParityHeader.Entry.Recovery
  ) -> [Range<Int>] {
    let chunk = work.chunkSectors
    let cuts = [
      0, chunk - work.firstSector % chunk, (work.endSector - work.firstSector) % chunk,
      work.stripSectors,
    ].filter { $0 <= work.stripSectors }.sorted()
    return zip(cuts, cuts.dropFirst()).filter { $0 < $1 }.map { $0..<$1 }
  }

  /// Takes in those parts of a strip whose data members are all there; it goes before earlier ones.
  private mutating func insert(_ strip: Strip) {
    strips = strips.flatMap { old in
      guard old.range.overlaps(strip.range) else { return [old] }
      return [
        old.clamped(to: old.range.lowerBound..<max(old.range.lowerBound, strip.range.lowerBound)),
        old.clamped(to: min(old.range.upperBound, strip.range.upperBound)..<old.range.upperBound),
      ].filter { !$0.range.isEmpty }
    }
    let cuts = Set(
      strip.slots.flatMap { sources[$0].limits }.filter(strip.range.contains)
        + [strip.range.lowerBound, strip.range.upperBound]
    ).sorted()
    for (start, end) in zip(cuts, cuts.dropFirst())
    where strip.slots.allSatisfy({ sources[$0].has(start..<end) }) {
      strips.append(strip.clamped(to: start..<end))
    }
  }

  // MARK: Content

  private static let pieceByteCount = 64 << 10

  private func firstStrip(endingBehind offset: Int) -> Strip? {
    strips.first { $0.range.upperBound > offset }
  }

  func next(from offset: Int) -> Range<Int>? {
    firstStrip(endingBehind: offset - dataOffset).map {
      $0.range.lowerBound + dataOffset..<$0.range.upperBound + dataOffset
    }
  }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    guard let strip = firstStrip(endingBehind: offset - dataOffset) else {
      preconditionFailure("the log holds nothing here")
    }
    var scratch = AlignedBuffer(byteCount: 2 * min(range.count, Self.pieceByteCount))
    for start in stride(from: 0, to: range.count, by: Self.pieceByteCount) {
      let count = min(Self.pieceByteCount, range.count - start)
      let at = offset - dataOffset + start
      var bytes = scratch.mutableBytes
      bytes.zero()
      do {
        if let partialParity = strip.partialParity {
          let place = partialParity + at - strip.range.lowerBound
          try device.read(into: &bytes, range: 0..<count, at: place)
        }
        for slot in strip.slots {
          try sources[slot].read(into: &bytes, range: count..<2 * count, at: at)
          xor(in: &bytes, at: 0, with: count, byteCount: count)
        }
      } catch {
        // Another member failed; of this one only these bytes can't be had.
        throw .unreadable(offset: offset + start, errno: error.errno ?? .ioError)
      }
      buffer.copy(bytes.bytes.sub(0..<count), at: range.lowerBound + start)
    }
  }
}
