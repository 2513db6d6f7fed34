import BinaryCodec
import CheckpointFormat
import LinuxSystem

/// Puts the pages of a tree into an image: pages of zeros not at all, and pages that were there before as
/// references to them.
struct PageStore: ~Copyable {
  private let writer: ImageWriter
  private let known = KnownPages()
  private var references: [PageReference] = []
  /// A piece as it is read.
  private var piece = AlignedBuffer(byteCount: Int(PagePlan.pieceByteCount))
  private let pageByteCount = Machine.pageSize
  private(set) var zeroPageCount = 0

  init(_ writer: ImageWriter) { self.writer = writer }

  /// Reads a piece of a plan and writes what of it has to be kept.
  mutating func store(
    _ areas: [Range<UInt64>], of source: some MemorySource, space: UInt32
  ) throws(CheckpointError) {
    do throws(SystemCallError) {
      var bytes = piece.mutableBytes
      try source.read(into: &bytes, areas)
    } catch {
      throw .system(error, process: nil)
    }
    do throws(ImageError) {
      var block = try writer.borrow()
      select(from: areas, into: &block, space)
      try writer.write(block, space: space)
    } catch {
      throw .image(error)
    }
  }

  /// Copies those pages of the piece that nobody knows.
  private mutating func select(
    from areas: [Range<UInt64>], into block: inout BlockBuffer, _ space: UInt32
  ) {
    var offset = 0
    for area in areas {
      for address in stride(from: area.lowerBound, to: area.upperBound, by: pageByteCount) {
        let page = offset..<offset + pageByteCount
        offset = page.upperBound
        if piece.bytes.allZero(page) {
          zeroPageCount += 1
          continue
        }
        let place = PagePlace(space: space, address: address)
        if let earlier = known.place(of: piece.bytes.sub(page), at: place) {
          refer(from: place, to: earlier)
          continue
        }
        let room = block.append(address: address, pageCount: 1)
        var bytes = block.bytes
        bytes.copy(piece.bytes.sub(page), at: room.lowerBound)
      }
    }
  }

  /// Neighbours become one reference.
  private mutating func refer(from place: PagePlace, to source: PagePlace) {
    if let last = references.last, last.place.space == place.space,
      last.source.space == source.space,
      last.place.address + UInt64(last.pageCount * pageByteCount) == place.address,
      last.source.address + UInt64(last.pageCount * pageByteCount) == source.address
    {
      references[references.count - 1] = PageReference(
        place: last.place, pageCount: last.pageCount + 1, source: last.source)
    } else {
      references.append(PageReference(place: place, pageCount: 1, source: source))
    }
  }

  /// Writes the references: after all pages.
  consuming func finish() throws(CheckpointError) {
    let references = references
    let writer = writer
    try imaging { () throws(ImageError) in try writer.writeReferences(references) }
  }
}

/// Where pages were seen; a class, so that it can be changed while the pages are looked at.
private final class KnownPages {
  private var index = PageIndex()

  func place(of page: RawSpan, at place: PagePlace) -> PagePlace? {
    index.place(of: page, at: place)
  }
}
