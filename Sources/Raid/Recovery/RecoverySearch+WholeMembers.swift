import RaidGeometry

// Levels whose members hold the array in one piece: copies of it, or one part after the other.

extension RecoverySearch {
  mutating func addMirrored() {
    for choice in offsets.choices {
      guard let sizes = memberByteCounts(choice.offset, 0).first,
        var made = candidate(.mirrored, 0, 0, defaultOrder, choice, sizes: sizes)
      else { continue }
      if census.areEqualOften || census.allEqual, images.present.count > 1 {
        // Sparse parity equals its only data, too: copies that differ in most places are none.
        let share = Double(census.equalCount) / Double(max(1, census.placeCount))
        made.note(
          .copies, census.allEqual ? 60 : 60 * (share - 0.5),
          "all members are equal at \(census.equalCount) of \(census.placeCount) places")
      }
      made.equivalentCount = 1
      candidates.append(made)
    }
  }

  mutating func addLinear() {
    let n = images.count
    var terms = LayoutTerms(chain: n)
    if n == 1 { terms.relations = [] }
    for choice in offsets.choices.prefix(10) {
      let sizes = wholeByteCounts(choice.offset)
      let search = OrderSearch(
        memberCount: n, terms: terms,
        follows: chainTable(choice, sizes)
          + [Float](repeating: 0, count: (LayoutTerms.rowDeltaCount - 1) * n * n),
        equals: [], zeros: [], rowCounts: [1])
      for found in search.best(n <= 5 ? 120 : 24, fixed: fixed) {
        guard
          var made = candidate(
            .linear, 0, request.chunkByteCount ?? 0, found.order, choice, sizes: sizes)
        else { continue }
        noteContinuity(&made, found, found.total)
        candidates.append(made)
      }
    }
  }

  /// By pair: how well the second member's start goes on from the first one's end.
  private func chainTable(_ choice: DataOffsets.Choice, _ sizes: [Int]) -> [Float] {
    let n = images.count
    var table = [Float](repeating: 0, count: n * n)
    for i in 0..<n {
      let last = (memberOffsets?[i] ?? choice.offset) + sizes[i] - MemberImages.blockByteCount
      guard let tail = book.sketch(i, at: last / 4096 * 4096, usesSum: false) else { continue }
      for j in 0..<n where j != i {
        if let head = book.sketch(j, at: memberOffsets?[j] ?? choice.offset, usesSum: false) {
          table[i * n + j] = Float(book.continuity.weight(tail.tail, head.head))
        }
      }
    }
    return table
  }
}
