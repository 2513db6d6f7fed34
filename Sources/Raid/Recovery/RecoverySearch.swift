import RaidGeometry

/// One search: the devices, what was learned of them, and the candidates so far.
///
/// Its stages, each in a file of its own: which levels are plausible (`+Levels`), the hypotheses of each level
/// and the candidates made of them (`+Hypotheses`, and by kind of level `+WholeMembers`, `+Rows`,
/// `+DoubleParity`; `+Superblocks` where nothing needs to be guessed), what a found order says for its
/// candidate (`+Scoring`), the choice of those that stand (`+Choice`, with `CandidateJudge`) and what is told
/// of it (`+Report`).
struct RecoverySearch {
  let images: MemberImages
  let request: RecoveryRequest
  let book: SketchBook
  let anchors: ContentAnchors
  let offsets: DataOffsets
  let census: RedundancyCensus
  /// By slot: the device that is known to be there.
  var fixed: [Int?]
  /// By device: its own data offset, where superblocks say one.
  var memberOffsets: [Int]?
  /// By device: its index among those that the caller gave.
  var givenIndexes: [Int?]
  var known: SuperblockFindings?

  var candidates: [RecoveryCandidate] = []
  /// What was seen of the members as a whole, in words.
  var notes: [String] = []
  /// Made when first asked for: of the members, and with the sum of all in place of the missing one.
  var knownEdges: (members: EdgeLevels?, withSum: EdgeLevels?)

  init(_ images: MemberImages, _ request: RecoveryRequest) throws(RaidError) {
    self.images = images
    self.request = request
    anchors = try ContentAnchors(images, byteLimit: request.scanByteLimit / 2)
    book = SketchBook(images)
    try book.learn()
    offsets = DataOffsets(images, request, anchors, book)
    fixed = Array(repeating: nil, count: images.count)
    givenIndexes = images.devices.indices.map { images.devices[$0] == nil ? nil : $0 }
    census = try Self.census(images, request, book, offsets)
  }

  /// Of what is data wherever the data starts; of all there is when that is next to nothing.
  private static func census(
    _ images: MemberImages, _ request: RecoveryRequest, _ book: SketchBook, _ offsets: DataOffsets
  ) throws(RaidError) -> RedundancyCensus {
    let size = images.smallestByteCount
    let end =
      if let limit = request.memberByteCount, let offset = request.dataOffset {
        min(size, offset.clampedAdding(limit))
      } else {
        max(size / 2, size - (256 << 10))
      }
    let last = min(offsets.choices.map(\.offset).max() ?? 0, size / 4)
    let first = max(last, offsets.choices.first?.offset ?? 0)
    let census = try RedundancyCensus(book, in: first..<max(first, end))
    return census.placeCount >= 4 ? census : try RedundancyCensus(book, in: 0..<max(0, end))
  }

  mutating func run() throws(RaidError) {
    if let known, let reference = known.reference, fixed.allSatisfy({ $0 != nil }) {
      addStated(reference, known)
    } else {
      for level in try plausibleLevels() { try addCandidates(of: level) }
    }
    try choose()
  }
}
