import BinaryCodec

/// Pages that hold the same as others, which are stored; or pages that a process does not have though its
/// parent has.
///
/// | offset | size | content                               |
/// | -----: | ---: | ------------------------------------- |
/// |      0 |    4 | space of these pages                  |
/// |      4 |    4 | number of pages                       |
/// |      8 |    8 | address of the first                  |
/// |     16 |    4 | space of the pages that are stored; all ones for none |
/// |     20 |    4 | zero                                  |
/// |     24 |    8 | address of the first of those         |
package struct PageReference: Equatable, Sendable {
  package var place: PagePlace
  package var pageCount: Int
  /// Where the same bytes are: pages of blocks before, not of other references. Nil for pages that hold what
  /// the state says of the place, whatever the parent has there.
  package var source: PagePlace?

  package init(place: PagePlace, pageCount: Int, source: PagePlace?) {
    self.place = place
    self.pageCount = pageCount
    self.source = source
  }

  static let byteCount = 32
  /// How many fit into a frame.
  package static let frameLimit = FrameHead.rawByteLimit / byteCount
  /// The space that stands for none.
  private static let noSpace = UInt32.max

  func encode(into table: inout MutableRawSpan, at offset: Int) {
    table.store(place.space, at: offset)
    table.store(UInt32(pageCount), at: offset + 4)
    table.store(place.address, at: offset + 8)
    table.store(source?.space ?? Self.noSpace, at: offset + 16)
    table.store(UInt32(0), at: offset + 20)
    table.store(source?.address ?? 0, at: offset + 24)
  }

  init(decoding table: RawSpan, at offset: Int) {
    place = PagePlace(space: table.integer(at: offset), address: table.integer(at: offset + 8))
    pageCount = Int(table.integer(at: offset + 4, as: UInt32.self))
    let source = PagePlace(
      space: table.integer(at: offset + 16), address: table.integer(at: offset + 24))
    self.source = source == PagePlace(space: Self.noSpace, address: 0) ? nil : source
  }

  /// Whether both are whole pages inside an address space.
  func isPlausible(pageByteCount: Int) -> Bool {
    let page = UInt64(pageByteCount)
    let byteCount = UInt64(pageCount) * page
    return pageCount > 0 && source?.space != Self.noSpace
      && [place, source ?? place].allSatisfy {
        $0.address % page == 0 && !$0.address.addingReportingOverflow(byteCount).overflow
      }
  }
}

/// Where a page is: in which memory, and there.
package struct PagePlace: Hashable, Sendable {
  /// A process's address space or a shared object, as the state numbers them.
  package var space: UInt32
  package var address: UInt64

  package init(space: UInt32, address: UInt64) {
    self.space = space
    self.address = address
  }
}

/// The references of a frame.
package struct PageReferences: ~Escapable {
  private let table: RawSpan

  @_lifetime(copy table)
  init(_ table: RawSpan) { self.table = table }

  package var count: Int { table.byteCount / PageReference.byteCount }

  package subscript(index: Int) -> PageReference {
    PageReference(decoding: table, at: index * PageReference.byteCount)
  }

  func arePlausible(pageByteCount: Int) -> Bool {
    guard table.byteCount % PageReference.byteCount == 0 else { return false }
    for index in 0..<count {
      let reserved: UInt32 = table.integer(at: index * PageReference.byteCount + 20)
      guard reserved == 0, self[index].isPlausible(pageByteCount: pageByteCount) else {
        return false
      }
    }
    return true
  }
}
