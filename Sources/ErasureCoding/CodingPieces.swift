/// The columns cut into pieces of some sources and some bytes, in the order in which they are worked on. The processor
/// follows only some streams from memory at a time, and columns far apart by powers of two share a few lines of each
/// cache: of many sources only a few are read at once, and the outputs meanwhile stay in the nearest cache.
struct CodingPieces: Sequence, IteratorProtocol {
  struct Piece {
    var sources: Range<Int>
    var offset: Int
    var byteCount: Int
  }

  /// So many sources are read at once without harm.
  static let streamLimit = 12

  private let sourceCount: Int
  private let total: Int
  private let sourceStep: Int
  private let byteStep: Int
  private var source = 0
  private var offset = 0

  init(sourceCount: Int, byteCount: Int) {
    self.sourceCount = sourceCount
    total = byteCount
    if sourceCount <= Self.streamLimit {
      // Without any source there is still one piece, of zeros.
      sourceStep = Self.streamLimit
      byteStep = byteCount
    } else {
      let groupCount = (sourceCount + 7) / 8
      sourceStep = (sourceCount + groupCount - 1) / groupCount
      byteStep = 4096
    }
  }

  mutating func next() -> Piece? {
    guard offset < total else { return nil }
    let piece = Piece(
      sources: source..<Swift.min(source + sourceStep, sourceCount), offset: offset,
      byteCount: Swift.min(byteStep, total - offset))
    source += sourceStep
    if source >= sourceCount {
      source = 0
      offset += byteStep
    }
    return piece
  }
}
