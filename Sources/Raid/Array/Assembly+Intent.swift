import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

/// Finding the bitmap: md's where there is one, else ours, from all members in use.
///
/// A bit is on every member before a write to its range begins, so any copy that is current has all of
/// them. Their union is taken all the same: a set bit counts wherever it is, and a page that one member
/// can't give is another's. What no current copy can say is in doubt.
extension Assembly {
  /// - Parameter hasForeignWrite: someone who does not keep our bitmap wrote to the array since we did.
  /// - Returns: nil when the members keep none, or one that is not of this shape or not known here.
  func writeIntent(_ shape: ArrayShape, hasForeignWrite: Bool) -> WriteIntent? {
    let isOurs = !reference.features.contains(.bitmap)
    let isRedundant = shape.redundancy > 0
    // Levels without copies carry no dirty mark; there only the bits speak.
    let isUnclean = !isRedundant || !reference.isClean
    var copies: [IntentCopy] = []
    var room = Int.max
    var hasDamage = false
    var hasOther = false
    for index in holders.flatMap({ [$0.member, $0.replacement].compactMap(\.self) }) {
      guard let place = IntentCopy.place(on: members[index], isOurs: isOurs) else { continue }
      room = min(room, place.count)
      switch IntentCopy.find(members[index].device, place, reference, shape) {
      case .copy(let copy): copies.append(copy)
      case .damaged: hasDamage = true
      case .other: hasOther = true
      }
    }
    guard let newest = copies.max(by: { $0.header.events < $1.header.events })?.header else {
      guard isOurs, hasDamage, !hasOther else { return nil }
      return .unknown(
        arrayID: reference.bitmapArrayID, events: reference.events,
        byteCount: shape.intentByteCount, room: room, isUnclean: isUnclean)
    }
    let current = copies.filter { copy in
      guard copy.header.hasShape(of: newest) else { return false }
      guard isOurs, hasForeignWrite else {
        return copy.header.isTrustworthy(superblockEvents: reference.events)
      }
      // Without copies of the data, what others write makes none of our bits less true.
      return !isRedundant && copy.header.events == newest.events
    }
    var header = newest
    guard !current.isEmpty else {
      // Writes that it knows nothing of were made without it: who was away then has missed more than it marks.
      header.eventsCleared = max(header.eventsCleared, reference.events)
      let all = BitSet(allBelow: header.bitCount)
      return WriteIntent(
        header: header, stored: all, doubtful: isUnclean ? all : BitSet(count: header.bitCount),
        isOurs: isOurs, isBehind: true)
    }
    header.eventsCleared = current.reduce(0) { max($0, $1.header.eventsCleared) }
    let (stored, agree) = IntentCopy.union(of: current, header)
    return WriteIntent(
      header: header, stored: stored,
      doubtful: isUnclean ? stored : BitSet(count: header.bitCount), isOurs: isOurs,
      isBehind: !agree || hasDamage || current.count < copies.count)
  }
}

/// One member's copy of the bitmap.
private struct IntentCopy {
  enum Finding {
    case copy(IntentCopy)
    /// It can't be read, or is no bitmap of this array.
    case damaged
    /// A bitmap that is not of this shape of the array, or of a kind that is not known here.
    case other
  }

  let device: any BlockDevice
  /// Where the header is on the device.
  let start: Int
  let header: MDBitmapHeader

  /// The most that is held of a bitmap.
  private static let byteLimit = 64 << 20
  private static let pageByteCount = 4096

  /// The bytes of the device that a bitmap may take; nil when the member keeps none.
  static func place(on probe: MemberProbe, isOurs: Bool) -> Range<Int>? {
    if isOurs { return probe.header?.range(of: .intent) }
    guard let sector = probe.superblock.bitmapSector else { return nil }
    let room = probe.superblock.freeSectors(
      from: sector, memberSectors: probe.device.byteCount / 512)
    return sector * 512..<(sector + room) * 512
  }

  static func find(
    _ device: any BlockDevice, _ place: Range<Int>, _ reference: MDSuperblock, _ shape: ArrayShape
  ) -> Finding {
    guard place.count >= pageByteCount else { return .damaged }
    var buffer = AlignedBuffer(byteCount: pageByteCount)
    var bytes = buffer.mutableBytes
    guard (try? device.read(into: &bytes, range: 0..<pageByteCount, at: place.lowerBound)) != nil
    else { return .damaged }
    let header: MDBitmapHeader
    do throws(MDBitmapError) {
      header = try MDBitmapHeader(decoding: bytes.bytes)
    } catch {
      switch error {
      case .absent, .truncated, .invalid: return .damaged
      case .clustered, .lockless, .unsupportedVersion: return .other
      }
    }
    guard header.arrayID == reference.bitmapArrayID else { return .damaged }
    // One that covers less than the array, or much more, is of another shape of it.
    guard header.syncSizeSectors <= 1 << 50, header.chunkByteCount >= 4096,
      Int(header.syncSizeSectors) * 512 >= shape.intentByteCount
    else { return .other }
    guard header.byteCountOnDisk <= min(place.count, byteLimit) else { return .damaged }
    return .copy(IntentCopy(device: device, start: place.lowerBound, header: header))
  }

  /// The bits that are set in any of the copies, which are of one shape, and those of pages that none
  /// of them can give.
  ///
  /// - Returns: also whether all copies can be read and have the same bits.
  static func union(
    of copies: [IntentCopy], _ header: MDBitmapHeader
  ) -> (bits: BitSet, agree: Bool) {
    let step = 64 << 10
    var union = BitSet(count: header.bitCount)
    var agree = true
    var buffer = AlignedBuffer(byteCount: step)
    for start in stride(from: 0, to: header.byteCountOnDisk, by: step) {
      let end = min(start + step, header.byteCountOnDisk)
      var pages = stride(from: start, to: end, by: pageByteCount).map { _ in 0 }
      for copy in copies {
        var bytes = buffer.mutableBytes
        let whole = copy.read(start..<end, into: &bytes)
        for page in pages.indices {
          let at = start + page * pageByteCount
          let range = at..<at + pageByteCount
          guard whole || copy.read(range, into: &bytes, at: range.lowerBound - start) else {
            agree = false
            continue
          }
          let isSame = union.formUnion(header.bits(in: range), of: bytes.bytes) {
            MDBitmapHeader.byteOffset(ofBit: $0) - start
          }
          if !isSame, pages[page] > 0 { agree = false }
          pages[page] += 1
        }
      }
      for page in pages.indices where pages[page] == 0 {
        let at = start + page * pageByteCount
        for bit in header.bits(in: at..<at + pageByteCount) { union.insert(bit) }
      }
    }
    return (union, agree)
  }

  /// Reads bytes of the bitmap, counted from its header; false when they can't be.
  private func read(
    _ range: Range<Int>, into bytes: inout MutableRawSpan, at place: Int = 0
  ) -> Bool {
    (try? device.read(
      into: &bytes, range: place..<place + range.count, at: start + range.lowerBound)) != nil
  }
}

extension MDBitmapHeader {
  fileprivate func hasShape(of other: MDBitmapHeader) -> Bool {
    chunkByteCount == other.chunkByteCount && syncSizeSectors == other.syncSizeSectors
  }

  /// The bits in these bytes of the area, which begin and end at multiples of 4096.
  fileprivate func bits(in bytes: Range<Int>) -> Range<Int> {
    let first = min(max(0, bytes.lowerBound - Self.byteCount) * 8, bitCount)
    return first..<max(first, min((bytes.upperBound - Self.byteCount) * 8, bitCount))
  }
}
