import BinaryCodec

/// The sectors of a member that are known to be unreadable or to hold old content.
///
/// On disk an area of 8-byte words, ended by a word of all ones or by the area's end; each is
/// (first sector << 10) | sectors, both in units of 2^shift sectors and counted from the **member's**
/// start, so that the data offset is included (Linux: `super_1_load` and `super_1_sync`; valid only
/// with the superblock's feature `badBlocks`).
package struct MDBadBlockLog: Equatable, Sendable {
  /// Ranges of member sectors, in the order of the log: sorted, when the kernel wrote it.
  package var ranges: [Range<Int>]

  /// The longest run that the kernel puts into one word, in units of 2^shift sectors.
  package static let entryLimit = 512

  /// Units of 512 GiB: more than any log has.
  private static let shiftLimit: UInt8 = 30

  /// A log of these ranges: member sectors, counted from the member's start.
  package init(ranges: [Range<Int>] = []) { self.ranges = ranges }

  /// Reads the log from all of `area`. Words of no length are left out.
  package init(decoding area: RawSpan, shift: UInt8 = 0) throws(MDBadBlockLogError) {
    guard shift <= Self.shiftLimit else { throw .unsupportedShift(shift) }
    ranges = []
    for index in 0..<area.byteCount / 8 {
      let word: UInt64 = area.integer(at: 8 * index)
      if word == .max { return }
      let end = (word >> 10) + (word & 0x3ff)
      guard end <= UInt64(Int.max) >> UInt64(shift) else { throw .invalid(entry: index) }
      let range = Int(word >> 10) << Int(shift)..<Int(end) << Int(shift)
      if !range.isEmpty { ranges.append(range) }
    }
  }

  /// Fills all of `area` with the log, long ranges cut into several words. With a shift, ranges grow
  /// to whole units. Nothing is written when it throws.
  package func encode(into area: inout MutableRawSpan, shift: UInt8 = 0) throws(MDBadBlockLogError)
  {
    let words = words(shift: Int(shift))
    guard words.count <= area.byteCount / 8 else { throw .full(capacity: area.byteCount / 8) }
    area.fill(0..<area.byteCount, with: 0xff)
    for (index, word) in words.enumerated() { area.store(word, at: 8 * index) }
  }

  private func words(shift: Int) -> [UInt64] {
    precondition(shift <= Self.shiftLimit)
    let unit = 1 << shift
    var words: [UInt64] = []
    for range in ranges where !range.isEmpty {
      precondition(range.lowerBound >= 0, "sectors count from 0")
      var first = range.lowerBound >> shift
      let end = range.upperBound >> shift + (range.upperBound & (unit - 1) == 0 ? 0 : 1)
      while first < end {
        let count = min(end - first, Self.entryLimit)
        words.append(UInt64(first) << 10 | UInt64(count))
        first += count
      }
    }
    return words
  }

  /// Whether one of `sectors`, member sectors, is listed.
  package func overlaps(_ sectors: Range<Int>) -> Bool {
    ranges.contains { $0.overlaps(sectors) }
  }
}
