/// What was seen at the edges of chunks of one size, row by row and for every pair of members: does the
/// start of one's chunk go on where the other's ends, are their chunks equal, is one zero where it would
/// have to be parity.
struct RowTables {
  let memberCount: Int
  let chunkByteCount: Int
  /// Where row 0 starts on the members.
  let base: Int
  private(set) var rows: [Int] = []
  /// By row, delta of rows, and pair.
  private var follows: [[Float]] = []
  private var equals: [[Float]] = []
  /// By row and member.
  private var zeros: [[Float]] = []

  init(
    _ book: SketchBook, chunkByteCount: Int, base: Int, first: Int, end: Int, usesSum: Bool,
    compares: Bool
  ) throws(RaidError) {
    memberCount = book.images.count
    self.chunkByteCount = chunkByteCount
    self.base = base
    rows = Self.chooseRows(
      book, chunkByteCount, base: base, first: first, end: end, memberCount: memberCount)
    for row in rows {
      try book.images.checkStop()
      measure(row, book, usesSum: usesSum, compares: compares)
    }
  }

  /// Rows around landmarks, in runs, so that all classes of rows are among them.
  private static func chooseRows(
    _ book: SketchBook, _ chunk: Int, base: Int, first: Int, end: Int, memberCount: Int
  ) -> [Int] {
    let firstRow = max(0, (first - base + chunk - 1) / chunk)
    let endRow = (end - base) / chunk
    guard endRow > firstRow else { return [] }
    let limit = max(24, min(96, 1024 / memberCount))
    if endRow - firstRow <= limit { return Array(firstRow..<endRow) }
    let run = max(4, min(2 * memberCount, limit / 4))
    let marks = book.landmarks.map { ($0 - base) / chunk }.filter { $0 >= firstRow && $0 < endRow }
    var chosen: Set<Int> = []
    let runs = limit / run
    for index in 0..<runs where !marks.isEmpty {
      let mark = marks[index * marks.count / runs]
      let start = max(firstRow, min(mark - 1, endRow - run))
      chosen.formUnion(start..<start + run)
    }
    return chosen.sorted()
  }

  private mutating func measure(_ row: Int, _ book: SketchBook, usesSum: Bool, compares: Bool) {
    let n = memberCount
    let start = base + row * chunkByteCount
    let last = start + chunkByteCount - MemberImages.blockByteCount
    let deltas = LayoutTerms.rowDeltaCount
    // What was learned of neighbours was learned across the edges of such small chunks.
    let continuity =
      chunkByteCount > MemberImages.blockByteCount ? book.continuity : Continuity.unlearned
    var follows = [Float](repeating: 0, count: deltas * n * n)
    var equals = [Float](repeating: 0, count: compares ? deltas * n * n : 0)
    let tails = (0..<n).map { book.sketch($0, at: last, usesSum: usesSum) }
    let heads = (0..<deltas).map { delta in
      (0..<n).map { member -> BlockSketch? in
        if delta > 1, !compares { return nil }
        return book.sketch(member, at: start + delta * chunkByteCount, usesSum: usesSum)
      }
    }
    for i in 0..<n {
      for delta in 0..<deltas {
        for j in 0..<n {
          let place = (delta * n + i) * n + j
          if let tail = tails[i], let head = heads[delta][j] {
            follows[place] = Float(continuity.weight(tail.tail, head.head))
          }
          if compares, let a = heads[0][i], let b = heads[delta][j], !(i == j && delta == 0) {
            equals[place] = a.identity == b.identity ? (a.isZero ? 0 : 4) : -12
          }
        }
      }
    }
    if chunkByteCount <= MemberImages.blockByteCount {
      // Without what was learned only the differences between pairs mean anything.
      let known = follows.filter { $0 != 0 }
      let mean = known.reduce(0, +) / Float(max(1, known.count))
      for place in follows.indices where follows[place] != 0 { follows[place] -= mean }
    }
    self.follows.append(follows)
    self.equals.append(equals)
    // Parity is zero only where the sum of all data is: hardly ever where something is not zero.
    var zeros = [Float](repeating: 0, count: n)
    for blocks in [heads[0], tails] where blocks.contains(where: { $0?.isZero == false }) {
      for member in 0..<n where blocks[member]?.isZero == true { zeros[member] -= 4 }
    }
    self.zeros.append(zeros)
  }

  /// The tables of a layout whose row 0 is row `firstRow` of these, summed over the rows of each class.
  ///
  /// - Parameter rowCount: only so many rows from `firstRow` on, where more are laid out otherwise.
  func sums(_ terms: LayoutTerms, firstRow: Int, rowCount: Int = .max) -> OrderSearch {
    let n = memberCount
    let cells = LayoutTerms.rowDeltaCount * n * n
    var follows = [Float](repeating: 0, count: terms.period * cells)
    var equals = follows
    var zeros = [Float](repeating: 0, count: terms.period * n)
    var rowCounts = [Int](repeating: 0, count: terms.period)
    for (index, row) in rows.enumerated() where rowCount == .max || row - firstRow < rowCount {
      let rowClass = ((row - firstRow) % terms.period + terms.period) % terms.period
      rowCounts[rowClass] += 1
      for cell in 0..<cells { follows[rowClass * cells + cell] += self.follows[index][cell] }
      if !self.equals[index].isEmpty {
        for cell in 0..<cells { equals[rowClass * cells + cell] += self.equals[index][cell] }
      }
      for member in 0..<n { zeros[rowClass * n + member] += self.zeros[index][member] }
    }
    return OrderSearch(
      memberCount: n, terms: terms, follows: follows, equals: equals, zeros: zeros,
      rowCounts: rowCounts)
  }
}
