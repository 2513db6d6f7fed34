import RaidGeometry

// Two parities: the relation over GF(2^8) that the members of each row obey tells order, chunk and layout at once.

extension RecoverySearch {
  /// An order of the members in which relations are as a layout wants them.
  private struct Match {
    let order: [Int]
    /// How many of the places where relations were found agree with it.
    let count: Int
    let total: Int
  }

  /// - Returns: at how many places the members obey a relation that only two parities make.
  @discardableResult
  mutating func addDoubleParity() throws(RaidError) -> Int {
    let n = images.count
    guard n >= 4, images.present.count >= n - 1 else { return 0 }
    let (relations, absentMember) = try relations()
    let relationCount = relations.count { !$0.isUniform }
    guard relations.count >= 3 else { return relationCount }
    var tables: [[Int]: RowTables] = [:]
    let all = ParityRotation.allCases.map(\.rawValue).filter { request.level != nil || $0 != 4 }
    for layout in asked(or: all) {
      guard let rotation = ParityRotation(rawValue: layout) else { continue }
      let pattern = ParityPlacement(
        slotCount: n, parityCount: 2, chunkByteCount: 4096, rowCount: 1, rotation: rotation)
      for absentSlot in 0..<n {
        if let slot = fixed.firstIndex(of: absentMember), slot != absentSlot { continue }
        let expected = (0..<pattern.patternCount).map {
          LinearRelation.expected(pattern.pattern(ofRow: $0), leavingOut: absentSlot)
        }
        for chunk in chunks {
          var byPhase: [[Int]: [Match]] = [:]
          for choice in offsets.choices {
            let phase = [choice.offset % chunk, choice.offset / chunk % pattern.patternCount]
            let matches =
              byPhase[phase]
              ?? matches(relations, expected, chunk, choice.offset, absentSlot, absentMember)
            byPhase[phase] = matches
            for match in matches { try add(match, layout, chunk, choice, &tables) }
          }
        }
      }
    }
    return relationCount
  }

  /// - Returns: the relations found, and which member was left out.
  private func relations() throws(RaidError) -> ([LinearRelation], absent: Int) {
    let marks = book.landmarks
    // Some everywhere, and some one after the other, where edges of small chunks show.
    var places = Set(
      stride(from: 0, to: marks.count, by: max(1, marks.count / 160)).map { marks[$0] })
    if let first = marks.first(where: { $0 >= 1 << 20 }) {
      for step in 0..<96 { places.insert(first + step * 4096) }
    }
    let absents = images.missing.map { [$0] } ?? [images.count - 1, 0]
    var found: [LinearRelation] = []
    for absent in absents {
      found = []
      var freeCount = 0
      for place in places.sorted() {
        try images.checkStop()
        switch LinearRelation.find(images, at: place, leavingOut: absent) {
        case .relation(let relation): found.append(relation)
        case .none: freeCount += 1
        case .unclear: break
        }
      }
      // Sparse rows of one parity have relations, too; but with two parities all rows have one.
      if freeCount * 5 > found.count { found = [] }
      // Without a Q that is always on one member nothing but sums are left.
      if found.contains(where: { !$0.isUniform }) { return (found, absent) }
    }
    return (found, absents[0])
  }

  /// - Parameter expected: the coefficients by slot, by class of row.
  private func matches(
    _ relations: [LinearRelation], _ expected: [[UInt8]], _ chunk: Int, _ offset: Int,
    _ absentSlot: Int, _ absentMember: Int
  ) -> [Match] {
    func rowClass(_ relation: LinearRelation) -> Int {
      let distance = relation.offset - offset
      let row = distance >= 0 ? distance / chunk : -((chunk - 1 - distance) / chunk)
      return ((row % expected.count) + expected.count) % expected.count
    }
    var tried: Set<[Int]> = []
    var matches: [Match] = []
    let step = max(1, relations.count / 12)
    for index in stride(from: 0, to: relations.count, by: step) {
      let seed = relations[index]
      let orders = seed.orders(
        expected[rowClass(seed)], absentSlot: absentSlot, absentMember: absentMember)
      for order in orders where tried.insert(order).inserted {
        if fixed.enumerated().contains(where: { $1 != nil && order[$0] != $1 }) { continue }
        var count = 0
        var total = 0
        for relation in relations where relation.offset >= offset {
          total += 1
          if relation.matches(expected[rowClass(relation)], order: order) { count += 1 }
          if total == 8, count < 4 { break }
        }
        if total >= 3, count * 10 >= total * 8 {
          matches.append(Match(order: order, count: count, total: total))
        }
      }
    }
    return matches
  }

  private mutating func add(
    _ match: Match, _ layout: UInt32, _ chunk: Int, _ choice: DataOffsets.Choice,
    _ tables: inout [[Int]: RowTables]
  ) throws(RaidError) {
    let place = [chunk, choice.offset % chunk]
    let rows =
      if let known = tables[place] {
        known
      } else {
        try RowTables(
          book, chunkByteCount: chunk, base: choice.offset % chunk, first: choice.offset,
          end: dataEnd, usesSum: false, compares: false)
      }
    tables[place] = rows
    guard let sizes = memberByteCounts(choice.offset, chunk).first,
      var made = candidate(.doubleParity, layout, chunk, match.order, choice, sizes: sizes)
    else { return }
    // Parity tells all but the order of data within a row: of that, and nothing else, this is a sign.
    let links = rows.sums(
      LayoutTerms(made.shape), firstRow: (choice.offset - rows.base) / chunk
    ).evaluate(match.order)
    noteContinuity(
      &made, links, max(-160, min(160, links.linkMean * Double(links.linkCount) / 2)))
    made.note(
      .parity, min(150, 4 * Double(match.count)) - 12 * Double(match.total - match.count),
      "P and Q agree at \(match.count) of \(match.total) places")
    candidates.append(made)
  }

  /// Levels with Q on the last slot: all others are like a RAID 5.
  mutating func addFixedSecondParity(_ member: Int) throws(RaidError) {
    guard fixed.allSatisfy({ $0 == nil }) else { return }
    fixed[images.count - 1] = member
    let first = candidates.count
    try addRows(.doubleParity, layouts: [18, 16, 17, 19, 5], usesSum: false)
    for index in candidates.indices.dropFirst(first) {
      candidates[index].note(
        .parity, 40, "the sum of all members but the last is zero nearly everywhere")
    }
    fixed[images.count - 1] = nil
  }
}
