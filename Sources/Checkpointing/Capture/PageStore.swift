import BinaryCodec
import CheckpointFormat
import LinuxSystem

/// Puts the pages of a tree into an image: pages of zeros not at all, pages that are those of the parent not
/// either, and pages that were there before as references to them.
struct PageStore: ~Copyable {
  private let writer: ImageWriter
  private let known = KnownPages()
  private var references: [PageReference] = []
  /// What the parent has in the place of the pages of a piece.
  private var parents = AlignedBuffer(byteCount: PagePiece.byteLimit)
  private let pageByteCount = Machine.pageSize

  init(_ writer: ImageWriter) { self.writer = writer }

  /// Reads a piece of a space's plan and writes what of it has to be kept.
  mutating func store(_ piece: PagePiece, of space: MemorySpace) throws(CheckpointError) {
    for range in piece.dropped {
      for address in stride(from: range.lowerBound, to: range.upperBound, by: Self.rangeLimit) {
        let end = min(range.upperBound, address.advanced(by: Self.rangeLimit))
        add(
          PageReference(
            place: PagePlace(space: space.number, address: address),
            pageCount: Int(end - address) / pageByteCount, source: nil))
      }
    }
    if !piece.areas.isEmpty {
      var block = try imaging { () throws(ImageError) in try writer.borrow() }
      var bytes = block.bytes
      try space.source.read(into: &bytes, piece.areas)
      if !piece.parents.isEmpty, let source = space.inherited?.source {
        var bytes = parents.mutableBytes
        try source.read(into: &bytes, piece.parents)
      }
      select(from: piece, in: &block, space.number)
      do throws(ImageError) {
        try writer.write(block, space: space.number)
      } catch {
        throw .image(error)
      }
    }
    if references.count >= PageReference.frameLimit { try writeReferences() }
  }

  /// What one reference counts at most.
  private static let rangeLimit = 1 << 40

  /// Keeps those pages of the piece that nobody knows; they move to the front.
  private mutating func select(
    from piece: PagePiece, in block: inout BlockBuffer, _ space: UInt32
  ) {
    var offset = 0
    var (parent, parentOffset) = (0, 0)
    for (area, keepsZeros) in zip(piece.areas, piece.keepsZeros) {
      for address in stride(from: area.lowerBound, to: area.upperBound, by: pageByteCount) {
        let page = offset..<offset + pageByteCount
        offset = page.upperBound
        while parent < piece.parents.count && piece.parents[parent].upperBound <= address {
          parentOffset += piece.parents[parent].count
          parent += 1
        }
        let place = PagePlace(space: space, address: address)
        let isParents = parent < piece.parents.count && piece.parents[parent].contains(address)
        let theirs =
          isParents ? parentOffset + Int(address - piece.parents[parent].lowerBound) : nil
        let bytes = block.bytes
        switch find(bytes.bytes.sub(page), at: place, parentsAt: theirs, keepsZeros) {
        case .known: continue
        case .reference(let source):
          add(PageReference(place: place, pageCount: 1, source: source))
          continue
        case .new: break
        }
        let room = block.append(address: address, pageCount: 1)
        var kept = block.bytes
        if room != page { kept.copyWithin(from: page, to: room.lowerBound) }
      }
    }
  }

  private enum Finding {
    /// The image needs to say nothing of it.
    case known
    case reference(PagePlace?)
    case new
  }

  /// - Parameter offset: where the parent's page is that has the same address, if it has one.
  private func find(
    _ page: RawSpan, at place: PagePlace, parentsAt offset: Int?, _ keepsZeros: Bool
  ) -> Finding {
    if let offset, page.equals(parents.bytes.sub(offset..<offset + pageByteCount)) { return .known }
    if !keepsZeros, page.allZero { return offset == nil ? .known : .reference(nil) }
    return known.place(of: page, at: place).map { .reference($0) } ?? .new
  }

  /// Neighbours become one reference.
  private mutating func add(_ reference: PageReference) {
    if let last = references.last, last.isFollowed(by: reference, pageByteCount: pageByteCount) {
      references[references.count - 1].pageCount += reference.pageCount
    } else {
      references.append(reference)
    }
  }

  /// Writes what there is of references: after a memory that others may inherit, and after all pages.
  mutating func writeReferences() throws(CheckpointError) {
    let references = references
    let writer = writer
    try imaging { () throws(ImageError) in try writer.writeReferences(references) }
    self.references.removeAll(keepingCapacity: true)
  }
}

extension PageReference {
  fileprivate func isFollowed(by next: PageReference, pageByteCount: Int) -> Bool {
    let byteCount = UInt64(pageCount * pageByteCount)
    guard place.space == next.place.space, place.address + byteCount == next.place.address,
      pageCount + next.pageCount <= Int(Int32.max)
    else { return false }
    guard let source, let following = next.source else {
      return source == nil && next.source == nil
    }
    return source.space == following.space && source.address + byteCount == following.address
  }
}

/// Where pages were seen; a class, so that it can be changed while the pages are looked at.
private final class KnownPages {
  private var index = PageIndex()

  func place(of page: RawSpan, at place: PagePlace) -> PagePlace? {
    index.place(of: page, at: place)
  }
}
