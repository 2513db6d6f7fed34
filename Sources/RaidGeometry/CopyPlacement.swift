/// Chunks in one or more copies: linear, RAID 0, RAID 1 and RAID 10.
///
/// All offsets are bytes; a member offset counts from where the member's data starts.
package struct CopyPlacement: Sendable, Equatable {
  /// Where one copy lies.
  package struct Place: Sendable, Equatable {
    /// On which member.
    package var slot: Int
    /// Where in its data, in bytes.
    package var offset: Int

    package init(slot: Int, offset: Int) {
      self.slot = slot
      self.offset = offset
    }
  }

  private enum Scheme: Sendable, Equatable {
    case concatenated(starts: [Int])
    case zones([StripeZone])
    case mirrored
    case copiedStripes(CopiedStripes)
  }

  private let scheme: Scheme
  /// Members, of which some bytes may be on one only.
  package let slotCount: Int
  /// Size of the array.
  package let byteCount: Int
  /// The most copies that any byte has.
  package let copyCount: Int
  /// On how many members each byte is at the least.
  package let distinctCopyCount: Int

  /// Members one after the other.
  package init(concatenating memberByteCounts: [Int]) {
    var starts = [0]
    for count in memberByteCounts { starts.append(starts.last! + count) }
    scheme = .concatenated(starts: starts)
    slotCount = memberByteCounts.count
    byteCount = starts.last!
    copyCount = 1
    distinctCopyCount = 1
  }

  init(zones: [StripeZone], slotCount: Int, byteCount: Int) {
    scheme = .zones(zones)
    self.slotCount = slotCount
    self.byteCount = byteCount
    copyCount = 1
    distinctCopyCount = 1
  }

  /// The same bytes on every member.
  package init(mirroring byteCount: Int, slotCount: Int) {
    scheme = .mirrored
    self.slotCount = slotCount
    self.byteCount = byteCount
    copyCount = slotCount
    distinctCopyCount = slotCount
  }

  /// The copies of RAID 10.
  package init(_ stripes: CopiedStripes) {
    scheme = .copiedStripes(stripes)
    slotCount = stripes.slotCount
    byteCount = stripes.byteCount
    copyCount = stripes.copyCount
    distinctCopyCount = stripes.distinctCopyCount
  }

  /// The copies of RAID 10; nil for other levels.
  package var stripes: CopiedStripes? {
    if case .copiedStripes(let stripes) = scheme { stripes } else { nil }
  }

  /// Finds the copies of the array byte at `offset`, puts their places into `places` in place of what
  /// was there, and returns for how many bytes all of them go on without a break.
  package func locate(_ offset: Int, into places: inout [Place]) -> Int {
    precondition(offset >= 0 && offset < byteCount)
    places.removeAll(keepingCapacity: true)
    switch scheme {
    case .concatenated(let starts):
      var low = 0
      var high = starts.count - 1
      while high - low > 1 {
        let middle = (low + high) / 2
        if starts[middle] <= offset { low = middle } else { high = middle }
      }
      // Empty members share a start: the last of them is the one that holds the byte.
      places.append(Place(slot: low, offset: offset - starts[low]))
      return starts[low + 1] - offset
    case .zones(let zones):
      let zone = zones.last { $0.arrayStart <= offset }!
      // A chunk that is no power of two leaves an end that belongs to nobody.
      return min(zone.locate(offset, into: &places), byteCount - offset)
    case .mirrored:
      for slot in 0..<slotCount { places.append(Place(slot: slot, offset: offset)) }
      return byteCount - offset
    case .copiedStripes(let stripes):
      return stripes.locate(offset, into: &places)
    }
  }

  /// The array byte that lies at a place, and for how many bytes the two go on together; nil where the
  /// member holds nothing of the array.
  package func arrayRange(at place: Place, limit: Int) -> (offset: Int, byteCount: Int)? {
    precondition(limit > 0)
    switch scheme {
    case .concatenated(let starts):
      let offset = starts[place.slot] + place.offset
      guard offset < starts[place.slot + 1] else { return nil }
      return (offset, min(limit, starts[place.slot + 1] - offset))
    case .zones(let zones):
      guard
        let zone = zones.first(where: {
          place.offset >= $0.memberStart && place.offset < $0.memberEnd
            && $0.slots.contains(place.slot)
        })
      else { return nil }
      guard let range = zone.arrayRange(at: place, limit: limit), range.offset < byteCount else {
        return nil
      }
      return (range.offset, min(range.byteCount, byteCount - range.offset))
    case .mirrored:
      guard place.offset < byteCount else { return nil }
      return (place.offset, min(limit, byteCount - place.offset))
    case .copiedStripes(let stripes):
      return stripes.arrayRange(at: place, limit: limit)
    }
  }
}
