import CheckpointFormat

/// Puts the pages of a tree into an image: pages of zeros not at all, pages that are those of the parent not
/// either, and pages that were there before as references to them. The writer's threads read and choose.
struct PageStore: ~Copyable {
  private let writer: ImageWriter
  private let selection: PageSelection

  /// For so many bytes of pages, or about.
  init(_ writer: ImageWriter, expectedByteCount: Int) {
    self.writer = writer
    selection = PageSelection(expectedByteCount: expectedByteCount)
  }

  /// Has a piece of a space's plan read, and written what of it has to be kept: some time until `finish`.
  func store(_ piece: PagePiece, of space: MemorySpace) throws(CheckpointError) {
    for range in piece.dropped { selection.drop(range, of: space.number) }
    if !piece.areas.isEmpty {
      let (selection, inherited) = (selection, space.inherited?.source)
      let (number, source) = (space.number, space.source)
      try imaging { () throws(ImageError) in
        try writer.writeBlock(space: number) { block in
          selection.fill(&block, with: piece, from: source, number, inherited)
        }
      }
    }
    try selection.check()
    if selection.hasManyReferences { try writeReferences() }
  }

  /// To be called after all pieces of a memory, which others may inherit.
  func finish(_ space: MemorySpace) throws(CheckpointError) {
    try imaging { () throws(ImageError) in try writer.waitUntilFilled() }
    try selection.check()
    try space.confirm()
    try writeReferences()
  }

  /// Writes what there is of references: all are to pages of blocks that have their places before this.
  private func writeReferences() throws(CheckpointError) {
    let references = selection.takeReferences()
    try imaging { () throws(ImageError) in try writer.writeReferences(references) }
  }
}
