/// Which bytes of an array have been rescued: GNU ddrescue's map, one status for every byte.
///
/// Pieces follow each other without a gap from byte 0 on, and neighbours have different statuses. One
/// takes eight bytes of memory, so that arrays with a loss in every row can be described, too.
package struct RescueMap: Equatable, Sendable {
  /// What is known of a byte; the raw value is its letter in the file.
  package enum Status: UInt8, Sendable, CaseIterable {
    /// Nobody has tried it yet.
    case untried = 0x3f  // ?
    /// Read, but in pieces that are too large: ddrescue would trim it.
    case untrimmed = 0x2a  // *
    /// Not whole. `read --salvage --force` marks like this what it wrote although it may be old or wrong.
    case unscraped = 0x2f  // /
    /// Tried, and not to be had.
    case lost = 0x2d  // -
    /// In its place, and right.
    case rescued = 0x2b  // +
  }

  /// Bytes that follow each other and have one status.
  package struct Piece: Equatable, Sendable {
    /// Array bytes.
    package var range: Range<Int>
    /// What is known of all of them.
    package var status: Status
  }

  /// For each piece its end, and below it the index of its status.
  private var words: [UInt64] = []

  private static let order = Status.allCases
  private static let statusBits: UInt64 = 3

  /// A map of nothing, to which pieces are appended.
  package init() {}

  /// A map of so many bytes, none of which has been tried.
  package init(byteCount: Int) { append(byteCount, .untried) }

  /// How many bytes it tells of: from 0 up to here.
  package var byteCount: Int { words.last.map(Self.end) ?? 0 }
  /// How many pieces there are.
  package var count: Int { words.count }

  /// The piece of an index below `count`.
  package subscript(index: Int) -> Piece {
    let start = index == 0 ? 0 : Self.end(words[index - 1])
    return Piece(range: start..<Self.end(words[index]), status: Self.status(words[index]))
  }

  /// Gives the bytes from the map's end on a status.
  ///
  /// - Precondition: `end` is not in front of the map's end, and below 2^60.
  package mutating func append(_ end: Int, _ status: Status) {
    precondition(end >= byteCount && end < 1 << 60, "a map goes on where it ends")
    guard end > byteCount else { return }
    let word = UInt64(end) << Self.statusBits | UInt64(Self.order.firstIndex(of: status)!)
    if let last = words.last, Self.status(last) == status {
      words[words.count - 1] = word
    } else {
      words.append(word)
    }
  }

  /// The index of the piece that holds a byte of the map.
  package func index(of offset: Int) -> Int {
    precondition(offset >= 0 && offset < byteCount)
    var (low, high) = (0, words.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if Self.end(words[middle]) <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The first bytes at or behind `offset`, up to `limit`, that have one of these statuses; nil when there
  /// are none.
  package func next(
    _ wanted: Set<Status>, from offset: Int, limit: Int
  ) -> Range<Int>? {
    let limit = min(limit, byteCount)
    guard offset < limit else { return nil }
    for index in index(of: offset)..<count {
      let piece = self[index]
      if piece.range.lowerBound >= limit { return nil }
      if wanted.contains(piece.status) { return piece.range.clamped(to: offset..<limit) }
    }
    return nil
  }

  /// How many bytes of a range have a status.
  package func byteCount(of status: Status, in range: Range<Int>) -> Int {
    var sum = 0
    forEach(in: range) { if $0.status == status { sum += $0.range.count } }
    return sum
  }

  /// Calls `body` with the pieces of a range, cut at its ends, in order.
  package func forEach<Failure: Error>(
    in range: Range<Int>, _ body: (Piece) throws(Failure) -> Void
  ) throws(Failure) {
    let range = range.clamped(to: 0..<byteCount)
    guard !range.isEmpty else { return }
    for index in index(of: range.lowerBound)..<count {
      var piece = self[index]
      if piece.range.lowerBound >= range.upperBound { return }
      piece.range = piece.range.clamped(to: range)
      try body(piece)
    }
  }

  private static func end(_ word: UInt64) -> Int { Int(word >> statusBits) }
  private static func status(_ word: UInt64) -> Status { order[Int(word & 7)] }
}
