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
    let bytes = block.bytes
    var pages = candidates(of: piece, bytes.bytes, space, parents: parents)
    // All at once: the threads do not wait for each other at every page.
    let unsettled = pages.indices.filter { pages[$0].digest != nil }
    let places = known.places(of: unsettled.map { (pages[$0].digest!, pages[$0].place) })
    for (index, source) in zip(unsettled, places) { pages[index].source = source }
    var references: [PageReference] = []
    for page in pages {
      if page.digest == nil || page.source != nil {
        references.add(
          PageReference(place: page.place, pageCount: 1, source: page.source),
          pageByteCount: pageByteCount)
        continue
      }
      let room = block.append(address: page.place.address, pageCount: 1)
      var kept = block.bytes
      if room.lowerBound != page.offset {
        kept.copyWithin(from: page.offset..<page.offset + pageByteCount, to: room.lowerBound)
      }
    }
    if references.isEmpty { return }
    outcome.withLock { outcome in
      for reference in references {
        outcome.references.add(reference, pageByteCount: pageByteCount)
      }
    }
  }

  /// A page of which the image has to say something.
  private struct Candidate {
    let place: PagePlace
    /// Where its bytes are.
    let offset: Int
    /// nil for one of zeros, which is nowhere else.
    let digest: PageDigest?
    /// Where there is another with the same bytes.
    var source: PagePlace?
  }

  /// All but those that are the parent's, and those of zeros that the parent does not have.
  private func candidates(
    of piece: PagePiece, _ bytes: RawSpan, _ space: UInt32, parents: RawSpan
  ) -> [Candidate] {
    var candidates: [Candidate] = []
    candidates.reserveCapacity(piece.byteCount / pageByteCount)
    var offset = 0
    var (parent, parentOffset) = (0, 0)
    for (area, keepsZeros) in zip(piece.areas, piece.keepsZeros) {
      for address in stride(from: area.lowerBound, to: area.upperBound, by: pageByteCount) {
        let page = bytes.sub(offset..<offset + pageByteCount)
        defer { offset += pageByteCount }
        while parent < piece.parents.count && piece.parents[parent].upperBound <= address {
          parentOffset += piece.parents[parent].count
          parent += 1
        }
        var isParents = false
        if parent < piece.parents.count && piece.parents[parent].contains(address) {
          isParents = true
          let theirs = parentOffset + Int(address - piece.parents[parent].lowerBound)
          if page.equals(parents.sub(theirs..<theirs + pageByteCount)) { continue }
        }
        let isZero = !keepsZeros && page.allZero
        if isZero && !isParents { continue }
        candidates.append(
          Candidate(
            place: PagePlace(space: space, address: address), offset: offset,
            digest: isZero ? nil : known.digest(of: page)))
      }
    }
    return candidates
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
