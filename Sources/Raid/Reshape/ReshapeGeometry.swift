import RaidGeometry

/// What moving the data has to know of a shape: how far into the members the array reaches up to one of its bytes, in
/// a shape in which the one grows with the other.
///
/// All levels of which that can be said have *bands*: the same bytes of every member, which hold so many chunks of the
/// array. With parity a band is a row; with copies in the next rows, as many rows as there are copies. Where copies lie
/// side by side and members are no multiple of them, a band holds a fraction of a chunk, which goes on in the next one.
/// Copies in another half of the members have no bands, and neither have members one after the other.
struct ReshapeGeometry: Sendable {
  /// Size of the array.
  let byteCount: Int
  let chunkByteCount: Int
  /// What one member has of a band.
  let bandByteCount: Int
  /// What is written at once is a whole number of these: a row that is to have a parity, or a block.
  let pieceByteCount: Int
  /// Whether a band may be written in parts, so that a reshape may stand at any chunk.
  let standsAnywhere: Bool
  /// Chunks, copies of which side by side count for themselves, that a band holds.
  private let columnCount: Int
  /// Copies side by side.
  private let nearCount: Int

  /// nil where there are no bands.
  init?(_ shape: ArrayShape) {
    byteCount = shape.byteCount
    switch shape.placement {
    case .parity(let rows):
      chunkByteCount = rows.chunkByteCount
      bandByteCount = rows.chunkByteCount
      pieceByteCount = rows.rowByteCount
      standsAnywhere = false
      columnCount = rows.dataColumnCount
      nearCount = 1
    case .copies(let copies):
      guard let stripes = copies.stripes, stripes.farCount == 1 || stripes.usesOffset,
        // md lets copies side by side, each with further ones below, run into each other at the end of a row.
        stripes.farCount == 1 || stripes.slotCount % stripes.nearCount == 0
      else { return nil }
      chunkByteCount = stripes.chunkByteCount
      bandByteCount = stripes.chunkByteCount * stripes.farCount
      pieceByteCount = 4096
      standsAnywhere = true
      columnCount = stripes.slotCount
      nearCount = stripes.nearCount
    }
  }

  /// Where the band begins, on every member, that the array has from this byte on.
  func memberStart(_ arrayOffset: Int) -> Int {
    arrayOffset / chunkByteCount * nearCount / columnCount * bandByteCount
  }

  /// Where the last of the bands ends, on every member, that have the array bytes before this one.
  func memberEnd(_ arrayOffset: Int) -> Int {
    let places = arrayOffset.dividedUp(by: chunkByteCount) * nearCount
    return places.dividedUp(by: columnCount) * bandByteCount
  }

  /// The blocks of 4096 bytes of every member's data that some array bytes are on; nil where those are not whole bands,
  /// or do not go on to the end of the array.
  func blocks(of part: Range<Int>) -> Range<Int>? {
    guard part.upperBound <= byteCount, arrayEnd(memberStart(part.lowerBound)) == part.lowerBound,
      part.upperBound == byteCount || arrayStart(memberEnd(part.upperBound)) == part.upperBound
    else { return nil }
    return memberStart(part.lowerBound) / 4096..<memberEnd(part.upperBound) / 4096
  }

  /// The chunks before this array byte are those of which nothing is on a member from the byte `memberOffset` on.
  func arrayEnd(_ memberOffset: Int) -> Int {
    memberOffset / bandByteCount * columnCount / nearCount * chunkByteCount
  }

  /// The chunks from this array byte on are those of which nothing is on a member before the byte `memberOffset`.
  func arrayStart(_ memberOffset: Int) -> Int {
    (memberOffset.dividedUp(by: bandByteCount) * columnCount).dividedUp(by: nearCount)
      * chunkByteCount
  }

  /// How much of the array, and of each member, lies between two places at which both shapes are at the start of a
  /// chunk, and this one of a band. At such a place no member has more of it in this shape than it had in an old one of
  /// no more members: so that it has what is said of the blocks of both, each under its number.
  func step(from old: ReshapeGeometry) -> Step {
    let places = columnCount.leastMultiple(with: nearCount)
    let array = places / nearCount * chunkByteCount
    let member = places / columnCount * bandByteCount
    let times =
      (member.leastMultiple(with: old.bandByteCount) / member)
      .leastMultiple(with: array.leastMultiple(with: old.chunkByteCount) / array)
    return Step(array: array * times, member: member * times)
  }

  /// Bytes of the array, and of each member.
  struct Step: Equatable, Sendable {
    let array: Int
    let member: Int
  }
}

extension Int {
  fileprivate func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }

  func leastMultiple(with other: Int) -> Int {
    var (a, b) = (self, other)
    while b != 0 { (a, b) = (b, a % b) }
    return self / a * other
  }
}
