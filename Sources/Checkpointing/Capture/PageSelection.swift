import BinaryCodec
import CheckpointFormat
import LinuxSystem

/// Which pages of a tree an image keeps. Several threads choose at once, each of another piece.
final class PageSelection: Sendable {
  private let known: PageIndex
  private let outcome = Monitor(Outcome())
  private let pageByteCount = Machine.pageSize
  /// For what the parent has in the place of the pages of a piece.
  private let buffers = BufferPool(byteCount: PagePiece.byteLimit, limit: .max)

  init(expectedByteCount: Int) { known = PageIndex(expectedByteCount: expectedByteCount) }

  private struct Outcome: Sendable {
    var references: [PageReference] = []
    /// The first that could not be read.
    var failure: CheckpointError?
  }

  /// What one reference counts at most.
  private static let rangeLimit = 1 << 40

  /// Throws when a piece could not be read.
  func check() throws(CheckpointError) {
    if let failure = outcome.withLock({ $0.failure }) { throw failure }
  }

  var hasManyReferences: Bool {
    outcome.withLock { $0.references.count >= PageReference.frameLimit }
  }

  /// All references so far, once.
  func takeReferences() -> [PageReference] {
    outcome.withLock { outcome in
      let references = outcome.references
      outcome.references = []
      return references
    }
  }

  /// Pages of the parent that the process does not have.
  func drop(_ range: Range<UInt64>, of space: UInt32) {
    for address in stride(from: range.lowerBound, to: range.upperBound, by: Self.rangeLimit) {
      let end = min(range.upperBound, address.advanced(by: Self.rangeLimit))
      let reference = PageReference(
        place: PagePlace(space: space, address: address),
        pageCount: Int(end - address) / pageByteCount, source: nil)
      outcome.withLock { $0.references.add(reference, pageByteCount: pageByteCount) }
    }
  }

  /// Reads a piece into a block, and leaves in it those pages that nobody knows.
  func fill(
    _ block: inout BlockBuffer, with piece: PagePiece, from source: any MemorySource,
    _ space: UInt32, _ inherited: (any MemorySource)?
  ) {
    if outcome.withLock({ $0.failure != nil }) { return }
    do throws(CheckpointError) {
      var bytes = block.bytes
      try source.read(into: &bytes, piece.areas)
      guard !piece.parents.isEmpty, let inherited else {
        return select(from: piece, in: &block, space, parents: RawSpan())
      }
      var buffer = buffers.take()
      var parents = buffer.mutableBytes
      try inherited.read(into: &parents, piece.parents)
      select(from: piece, in: &block, space, parents: parents.bytes)
    } catch {
      outcome.withLock { $0.failure = $0.failure ?? error }
    }
  }

  /// Keeps those pages of the piece that nobody knows; they move to the front.
  private func select(
    from piece: PagePiece, in block: inout BlockBuffer, _ space: UInt32, parents: RawSpan
  ) {
    var references: [PageReference] = []
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
          isParents ? parentOffset + Int(address - piece.parents[parent].lowerBound) : 0
        let theirPage =
          isParents ? parents.sub(theirs..<theirs + pageByteCount) : RawSpan()
        let bytes = block.bytes
        switch find(bytes.bytes.sub(page), at: place, parents: theirPage, keepsZeros) {
        case .known: continue
        case .reference(let source):
          references.add(
            PageReference(place: place, pageCount: 1, source: source), pageByteCount: pageByteCount)
          continue
        case .new: break
        }
        let room = block.append(address: address, pageCount: 1)
        var kept = block.bytes
        if room != page { kept.copyWithin(from: page, to: room.lowerBound) }
      }
    }
    if references.isEmpty { return }
    outcome.withLock { outcome in
      for reference in references {
        outcome.references.add(reference, pageByteCount: pageByteCount)
      }
    }
  }

  private enum Finding {
    /// The image needs to say nothing of it.
    case known
    case reference(PagePlace?)
    case new
  }

  /// - Parameter parents: the parent's page at the same address; empty if it has none.
  private func find(
    _ page: RawSpan, at place: PagePlace, parents: RawSpan, _ keepsZeros: Bool
  ) -> Finding {
    let isParents = parents.byteCount > 0
    if isParents, page.equals(parents) { return .known }
    if !keepsZeros, page.allZero { return isParents ? .reference(nil) : .known }
    return known.place(of: page, at: place).map { .reference($0) } ?? .new
  }
}

extension [PageReference] {
  /// Neighbours become one reference.
  fileprivate mutating func add(_ reference: PageReference, pageByteCount: Int) {
    if let last, last.isFollowed(by: reference, pageByteCount: pageByteCount) {
      self[count - 1].pageCount += reference.pageCount
    } else {
      append(reference)
    }
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
