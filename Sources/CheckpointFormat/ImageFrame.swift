import BinaryCodec

/// A frame as it is delivered: verified and decompressed.
package struct ImageFrame: ~Escapable {
  /// One of `block`, `content` and `references`.
  package let kind: FrameKind
  /// Which memory the pages are of, or which file the bytes are of.
  package let space: UInt32
  /// Where in its file the content belongs.
  package let offset: UInt64
  /// The block's pages, whose bytes follow one another in `bytes`.
  package let runs: PageRuns
  /// The references of a frame of them.
  package let references: PageReferences
  /// Pages or content; valid until the body returns.
  package let bytes: RawSpan

  @_lifetime(copy table, copy data)
  init(_ head: FrameHead, _ kind: FrameKind, table: RawSpan, data: RawSpan) {
    self.kind = kind
    space = head.space
    offset = head.position
    runs = PageRuns(table)
    references = PageReferences(kind == .references ? data : data.sub(0..<0))
    bytes = data
  }
}
