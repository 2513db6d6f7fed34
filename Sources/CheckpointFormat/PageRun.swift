import BinaryCodec

/// Pages that follow one another.
///
/// | offset | size | content            |
/// | -----: | ---: | ------------------ |
/// |      0 |    8 | address            |
/// |      8 |    4 | number of pages    |
/// |     12 |    4 | zero               |
package struct PageRun: Equatable, Sendable {
  /// Of the first page: an address in a process's memory, or an offset in a shared object.
  package let address: UInt64
  package let pageCount: Int

  package init(address: UInt64, pageCount: Int) {
    self.address = address
    self.pageCount = pageCount
  }

  static let byteCount = 16

  func encode(into table: inout MutableRawSpan, at offset: Int) {
    table.store(address, at: offset)
    table.store(UInt32(pageCount), at: offset + 8)
    table.store(UInt32(0), at: offset + 12)
  }

  init(decoding table: RawSpan, at offset: Int) {
    address = table.integer(at: offset)
    pageCount = Int(table.integer(at: offset + 8, as: UInt32.self))
  }
}

/// The runs of a block in the order of their addresses; they do not overlap.
package struct PageRuns: ~Escapable {
  private let table: RawSpan

  @_lifetime(copy table)
  init(_ table: RawSpan) { self.table = table }

  package var count: Int { table.byteCount / PageRun.byteCount }

  package subscript(index: Int) -> PageRun {
    PageRun(decoding: table, at: index * PageRun.byteCount)
  }

  /// Where the first begins, and the last ends; only if the table is plausible.
  func addresses(pageByteCount: Int) -> (first: UInt64, end: UInt64) {
    guard count > 0 else { return (0, 0) }
    let last = self[count - 1]
    return (
      self[0].address, last.address &+ UInt64(last.pageCount) &* UInt64(pageByteCount)
    )
  }

  /// Whether they are whole pages in ascending order that make up just so many bytes.
  func make(up byteCount: Int, pageByteCount: Int) -> Bool {
    guard table.byteCount % PageRun.byteCount == 0 else { return false }
    let page = UInt64(pageByteCount)
    var total: UInt64 = 0
    var end: UInt64 = 0
    for index in 0..<count {
      let run = self[index]
      let reserved: UInt32 = table.integer(at: index * PageRun.byteCount + 12)
      guard reserved == 0, run.pageCount > 0, run.address % page == 0, run.address >= end else {
        return false
      }
      // At most 2^32 pages of 64 KiB: no overflow but in the addition.
      let count = UInt64(run.pageCount) * page
      let (next, overflow) = run.address.addingReportingOverflow(count)
      if overflow { return false }
      end = next
      total += count
    }
    return total == UInt64(byteCount)
  }
}
