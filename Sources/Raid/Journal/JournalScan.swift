import BinaryCodec
import BlockStorage
import LinuxSystem
import RaidGeometry

/// What the members' journals say together, after whoever wrote the array did not come to its end.
struct JournalScan {
  /// A record, and where its blocks lie.
  struct Entry {
    var record: JournalRecord
    /// By block: which of `places` has it right, and where; empty for records without blocks.
    var sources: [Source] = []
    /// Where it lies, whole or not.
    var copies: [Copy] = []
  }

  /// A block in a journal.
  struct Source {
    var place: Int
    /// Device bytes.
    var offset: Int
  }

  /// Where the blocks of a record begin in one of `places`: device bytes.
  struct Copy {
    var place: Int
    var contentOffset: Int
  }

  /// The journals that were read.
  let places: [JournalPlace]
  let epoch: UInt64
  /// By place of this run, where another record may follow: device bytes.
  private(set) var rooms: [Int: Range<Int>] = [:]
  /// All that counts, in the order in which it was written.
  private(set) var entries: [Entry] = []
  /// The run came to its end: all is in its place.
  private(set) var isOver = false
  /// Something was in doubt before, of which the journal knows nothing.
  private(set) var hasDoubt = false
  /// Records that were on stable storage once and can't be had any more.
  private(set) var isIncomplete = false

  /// The first byte of what is to be looked at in place: of the members' data, or of the array where that has
  /// no parity; `Int.max` for none.
  var firstLooseByte: Int {
    entries.reduce(Int.max) { least, entry in
      if entry.record.kind == .content { return least }
      return entry.record.extents.reduce(least) { min($0, $1.blocks.lowerBound * 4096) }
    }
  }

  /// Reads the journals of these members.
  ///
  /// - Returns: nil when none of them has a header that can be read.
  init?(_ places: [JournalPlace], shape: ArrayShape) throws(DeviceError) {
    self.places = places
    var headers: [JournalHeader?] = []
    for place in places { headers.append(try place.header()) }
    guard let epoch = headers.compactMap({ $0?.epoch }).max() else { return nil }
    self.epoch = epoch
    let current = headers.compactMap { $0?.epoch == epoch ? $0 : nil }
    // Whoever ends a run says so when all is in its place.
    hasDoubt = current.contains(where: \.hasDoubt)
    isOver = !current.allSatisfy(\.isLive)
    if isOver { return }
    let tail = current.reduce(0) { max($0, $1.tail) }
    var found: [UInt64: (record: JournalRecord, copies: [Copy])] = [:]
    // What lies behind a record that can't be read is not put in place, but tells whether that was durable.
    var committed: UInt64 = 0
    for (index, place) in places.enumerated() where headers[index]?.epoch == epoch {
      rooms[index] = try Self.eachRecord(of: place, epoch, from: tail, shape) {
        record, contentOffset, isBehindGap in
        committed = max(committed, record.committed)
        if isBehindGap { return }
        let copy = Copy(place: index, contentOffset: contentOffset)
        if found[record.sequence]?.record == record {
          found[record.sequence]?.copies.append(copy)
        } else if found[record.sequence] == nil {
          found[record.sequence] = (record, [copy])
        }
      }
    }
    var sequence = tail
    while let (record, copies) = found[sequence] {
      guard let sources = try Self.sources(of: record, copies, places) else { break }
      entries.append(Entry(record: record, sources: sources, copies: copies))
      // It comes from a disk, and may be any number.
      if sequence == .max { break }
      sequence += 1
    }
    isIncomplete = committed >= sequence
  }

  /// Calls the body with each record of this run in a journal that counts, where its blocks begin, and whether
  /// something lies before it that is none.
  ///
  /// - Parameter tail: the first record that counts; what is behind it in the run may come in any order.
  /// - Returns: the first gap, or what is behind the last record.
  private static func eachRecord(
    of place: JournalPlace, _ epoch: UInt64, from tail: UInt64, _ shape: ArrayShape,
    _ body: (JournalRecord, Int, Bool) -> Void
  ) throws(DeviceError) -> Range<Int> {
    var at = place.records.lowerBound
    var gap: Int?
    var gapEnd: Int?
    while at + 4096 <= place.records.upperBound {
      guard let (record, length) = try record(at: at, of: place), record.epoch == epoch,
        record.sequence >= tail, record.fits(shape),
        record.contentByteCount <= place.records.upperBound - at - length
      else {
        gap = gap ?? at
        at += 4096
        continue
      }
      if gap != nil { gapEnd = gapEnd ?? at }
      body(record, at + length, gap != nil)
      at += length + record.contentByteCount
    }
    return (gap ?? at)..<(gapEnd ?? place.records.upperBound)
  }

  /// The record whose head begins at a device offset, and the head's length; nil where there is none.
  private static func record(
    at offset: Int, of place: JournalPlace
  ) throws(DeviceError) -> (JournalRecord, Int)? {
    do throws(DeviceError) {
      var first = AlignedBuffer(byteCount: 4096)
      var bytes = first.mutableBytes
      try place.device.read(into: &bytes, range: 0..<4096, at: offset)
      guard let length = JournalRecord.headByteCount(beginning: bytes.bytes),
        length <= place.records.upperBound - offset
      else { return nil }
      var head = AlignedBuffer(byteCount: length)
      var all = head.mutableBytes
      try place.device.read(into: &all, range: 0..<length, at: offset)
      return JournalRecord(decoding: all.bytes, arrayID: place.arrayID).map { ($0, length) }
    } catch {
      guard case .unreadable = error else { throw error }
      return nil
    }
  }

  /// For each block of a record a copy that agrees with its sum; nil when one has none: the record was cut
  /// off.
  private static func sources(
    of record: JournalRecord, _ copies: [Copy], _ places: [JournalPlace]
  ) throws(DeviceError) -> [Source]? {
    guard record.kind == .content, let arrayID = places.first?.arrayID else { return [] }
    var sources: [Source] = []
    sources.reserveCapacity(record.blockCount)
    var buffer = AlignedBuffer(byteCount: 4096)
    for extent in record.extents {
      let prefix = BlockSums.prefixRegister(arrayID: arrayID, slot: UInt32(extent.slot))
      for block in extent.blocks {
        let index = sources.count
        let source = try firstGood(
          copies, index, block, record.sums[index], prefix, places, &buffer)
        guard let source else { return nil }
        sources.append(source)
      }
    }
    return sources
  }

  private static func firstGood(
    _ copies: [Copy], _ index: Int, _ block: Int, _ sum: UInt32, _ prefix: UInt32,
    _ places: [JournalPlace], _ buffer: inout AlignedBuffer
  ) throws(DeviceError) -> Source? {
    for copy in copies {
      let offset = copy.contentOffset + index * 4096
      do throws(DeviceError) {
        var bytes = buffer.mutableBytes
        try places[copy.place].device.read(into: &bytes, range: 0..<4096, at: offset)
        if blockSum(of: bytes.bytes, at: 0, block: block, prefixRegister: prefix) == sum {
          return Source(place: copy.place, offset: offset)
        }
      } catch {
        guard case .unreadable = error else { throw error }
      }
    }
    return nil
  }
}

/// The sum of one whole block.
func blockSum(of bytes: RawSpan, at start: Int, block: Int, prefixRegister: UInt32) -> UInt32 {
  blockSum(
    of: bytes, range: start..<start + 4096, block: block, prefixRegister: prefixRegister)
}

/// The same of one that may be cut short by the end of its member.
func blockSum(
  of bytes: RawSpan, range: Range<Int>, block: Int, prefixRegister: UInt32
) -> UInt32 {
  var sum = [1 of UInt32](repeating: 0)
  var span = sum.mutableSpan
  blockSums(
    of: bytes, range: range, firstBlock: UInt64(block), prefixRegister: prefixRegister,
    into: &span, at: 0)
  return sum[0]
}

extension JournalRecord {
  /// Whether all that it speaks of is the array's. What comes from a disk may say anything.
  fileprivate func fits(_ shape: ArrayShape) -> Bool {
    extents.allSatisfy { extent in
      if kind == .touch {
        return extent.slot == Extent.wholeArray
          && extent.blocks.upperBound <= (shape.byteCount + 4095) / 4096
      }
      return extent.slot < shape.slotCount
        && extent.blocks.upperBound <= (shape.memberByteCounts[extent.slot] + 4095) / 4096
    }
  }
}
