import BinaryCodec
import LinuxSystem

/// Remembers where pages were seen, to find those that are there twice. Its memory has a limit: of what does
/// not fit, the older is forgotten, and stored twice. Any thread may ask.
package final class PageIndex: Sendable {
  private let hash: PageHash
  private let table: Monitor<PageTable>

  /// For so many bytes of pages, or about.
  package convenience init(expectedByteCount: Int) {
    var random = RandomBytes()
    // An entry takes a 128th of its page; with as many again, few sets are full.
    let wanted = expectedByteCount / (Machine.pageSize / PageTable.entryByteCount) * 2
    self.init(
      memoryByteCount: min(max(wanted, Self.memoryRange.lowerBound), Self.memoryRange.upperBound),
      pageByteCount: Machine.pageSize, using: &random)
  }

  private static let memoryRange = 1 << 20...16 << 20

  /// `memoryByteCount` is for the table: a 128th of the pages that it can hold. The keys have to be such as nobody
  /// can guess.
  package init(
    memoryByteCount: Int, pageByteCount: Int, using random: inout some RandomNumberGenerator
  ) {
    hash = PageHash(pageByteCount: pageByteCount, using: &random)
    table = Monitor(PageTable(memoryByteCount: memoryByteCount))
  }

  /// By what a page is found.
  package func digest(of page: RawSpan) -> PageDigest { hash.digest(of: page) }

  /// For each of the pages, where one with the same bytes was seen before; if none is known, this one is remembered.
  package func places(of pages: [(digest: PageDigest, place: PagePlace)]) -> [PagePlace?] {
    table.withLock { table in pages.map { table.place(of: $0.digest, at: $0.place) } }
  }
}

/// Pages by their hashes.
private struct PageTable: ~Copyable, Sendable {
  private var table: AlignedBuffer
  private let setCount: Int
  /// Which entry of a full set goes next.
  private var victim = 0

  /// A set of the table holds so many pages; a page is only ever looked for in its own.
  private static let waysPerSet = 4

  /// | offset | size | content                            |
  /// | -----: | ---: | ---------------------------------- |
  /// |      0 |   16 | hash                               |
  /// |     16 |    8 | address                            |
  /// |     24 |    4 | space                              |
  /// |     28 |    4 | 1, once it was used                |
  static let entryByteCount = 32

  /// From here on so much of the table is used that huge pages for it are no waste.
  private static let hugeByteCount = 4 << 20

  init(memoryByteCount: Int) {
    setCount = max(1, memoryByteCount / (Self.entryByteCount * Self.waysPerSet))
    // Untouched memory of it costs nothing.
    table = AlignedBuffer(byteCount: setCount * Self.waysPerSet * Self.entryByteCount)
    if table.byteCount >= Self.hugeByteCount { table.preferHugePages() }
  }

  /// Where a page with this hash was seen before; if none is known, this one is remembered.
  mutating func place(of digest: PageDigest, at place: PagePlace) -> PagePlace? {
    let set = Int(digest.first % UInt64(setCount)) * Self.waysPerSet
    let victim = set + victim % Self.waysPerSet
    var bytes = table.mutableBytes
    var free: Int?
    for entry in set..<set + Self.waysPerSet {
      let offset = entry * Self.entryByteCount
      if bytes.bytes.integer(at: offset + 28, as: UInt32.self) == 0 {
        free = entry
        break  // entries are used in their order
      }
      if bytes.bytes.integer(at: offset) == digest.first
        && bytes.bytes.integer(at: offset + 8) == digest.second
      {
        return PagePlace(
          space: bytes.bytes.integer(at: offset + 24), address: bytes.bytes.integer(at: offset + 16)
        )
      }
    }
    let offset = (free ?? victim) * Self.entryByteCount
    bytes.store(digest.first, at: offset)
    bytes.store(digest.second, at: offset + 8)
    bytes.store(place.address, at: offset + 16)
    bytes.store(place.space, at: offset + 24)
    bytes.store(UInt32(1), at: offset + 28)
    if free == nil { self.victim &+= 1 }
    return nil
  }
}
