import RaidGeometry

// Levels whose chunks take turns: for each chunk size, start and layout the orders in which content goes on best
// from chunk to chunk.

extension RecoverySearch {
  mutating func addRows(
    _ level: RaidLevel, layouts: [UInt32], usesSum: Bool
  ) throws(RaidError) {
    for chunk in chunks {
      // Starts that differ by whole chunks cut the members alike.
      var byBase: [Int: [DataOffsets.Choice]] = [:]
      for choice in offsets.choices { byBase[choice.offset % chunk, default: []].append(choice) }
      for (base, choices) in byBase.sorted(by: { $0.key < $1.key }) {
        let tables = try RowTables(
          book, chunkByteCount: chunk, base: base, first: choices.map(\.offset).min() ?? 0,
          end: dataEnd, usesSum: usesSum, compares: level == .mirroredStripes)
        guard !tables.rows.isEmpty else { continue }
        for layout in layouts { try addRows(level, layout, tables, choices, usesSum: usesSum) }
      }
      trim()
    }
  }

  private mutating func addRows(
    _ level: RaidLevel, _ layout: UInt32, _ tables: RowTables, _ choices: [DataOffsets.Choice],
    usesSum: Bool
  ) throws(RaidError) {
    let chunk = tables.chunkByteCount
    guard
      let sample = try? ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: images.count,
        memberByteCounts: Array(repeating: 64 * chunk, count: images.count))
    else { return }
    let terms = LayoutTerms(sample)
    let isFar = !terms.farPairs.isEmpty
    let edges = try edgeLevels(usesSum: usesSum)
    var byPhase: [Int: [OrderSearch.Found]] = [:]
    for choice in choices {
      try images.checkStop()
      let firstRow = (choice.offset - tables.base) / chunk
      let phase = firstRow % terms.period
      let sizes = memberByteCounts(choice.offset, chunk)
      // Where far copies lie depends on the size; otherwise it moves no chunk.
      for sizes in isFar ? sizes[...] : sizes.prefix(1) {
        let founds: [OrderSearch.Found]
        if isFar {
          founds = farOrders(layout, tables, terms, choice, sizes)
        } else {
          founds = byPhase[phase] ?? orders(level, layout, tables, terms, firstRow: firstRow)
          byPhase[phase] = founds
        }
        let used = level.usesWholeMembers ? wholeByteCounts(choice.offset) : sizes
        for found in founds {
          guard var made = candidate(level, layout, chunk, found.order, choice, sizes: used) else {
            continue
          }
          noteContinuity(
            &made, found,
            edges.weight(
              chunkByteCount: chunk, dataOffset: choice.offset, linkMean: found.carefulMean))
          noteRedundancy(&made, found)
          candidates.append(made)
        }
      }
    }
  }

  private func orders(
    _ level: RaidLevel, _ layout: UInt32, _ tables: RowTables, _ terms: LayoutTerms, firstRow: Int
  ) -> [OrderSearch.Found] {
    var search = tables.sums(terms, firstRow: firstRow)
    if level == .mirroredStripes, layout & 0x1ff00 == 0x100 {
      search.setGroups(of: Int(layout & 0xff))
    }
    return search.best(4, fixed: fixed)
  }

  private func farOrders(
    _ layout: UInt32, _ tables: RowTables, _ terms: LayoutTerms, _ choice: DataOffsets.Choice,
    _ sizes: [Int]
  ) -> [OrderSearch.Found] {
    let copyCount = Int(layout >> 8 & 0xff)
    let rowCount = sizes[0] / tables.chunkByteCount / copyCount
    let firstRow = (choice.offset - tables.base) / tables.chunkByteCount
    return tables.sums(terms, firstRow: firstRow, rowCount: rowCount)
      .addFar(farTable(choice.offset, byteCount: rowCount * tables.chunkByteCount), terms.farPairs)
      .best(4, fixed: fixed)
  }

  /// By pair: whether the second copy of the first one's chunks is on the second one.
  ///
  /// - Parameter byteCount: how far the next copy is from the first one, on its member.
  private func farTable(_ offset: Int, byteCount: Int) -> [Float] {
    let n = images.count
    var table = [Float](repeating: 0, count: n * n)
    guard byteCount > 0 else { return table }
    let marks = book.landmarks.filter { $0 >= offset && $0 < offset + byteCount - 4096 }
    let step = max(1, marks.count / 24)
    for index in stride(from: 0, to: marks.count, by: step) {
      let mark = marks[index] - (marks[index] - offset) % 4096
      for i in 0..<n {
        guard let a = book.sketch(i, at: mark, usesSum: false) else { continue }
        for j in 0..<n {
          guard let b = book.sketch(j, at: mark + byteCount, usesSum: false) else { continue }
          table[i * n + j] += a.identity == b.identity ? (a.isZero ? 0 : 4) : -12
        }
      }
    }
    return table
  }

  private mutating func edgeLevels(usesSum: Bool) throws(RaidError) -> EdgeLevels {
    if let known = usesSum ? knownEdges.withSum : knownEdges.members { return known }
    let made = try EdgeLevels(
      book, dataOffsets: offsets.choices.map(\.offset),
      end: min(dataEnd, images.smallestByteCount - 65536), usesSum: usesSum)
    if usesSum { knownEdges.withSum = made } else { knownEdges.members = made }
    return made
  }
}
