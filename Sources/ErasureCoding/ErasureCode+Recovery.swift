extension ErasureCode {
  /// The plan that computes the columns `wanted` from the columns `known`, its sources, in that order, in a stripe whose
  /// data lies at `positions`. What is neither known nor wanted may be lost or not; wanted ones may be known.
  ///
  /// nil when the known ones are too few. When they are more than needed, data comes before parities and P before Q, and
  /// the others get the coefficient 0 and are not read.
  package func recovery(positions: [Int], known: [Shard], wanted: [Shard]) -> CodingPlan? {
    checkPositions(positions)
    precondition(Set(known).count == known.count, "a column is known twice")
    guard let lost = lostRows(positions: positions, known: known) else {
      return copies(of: wanted, from: known)
    }
    let rows = wanted.map { shard in
      if let index = known.firstIndex(of: shard) { return unitRow(index, count: known.count) }
      switch shard {
      case .data(let position):
        guard let row = lost[position] else { preconditionFailure("no data at \(position)") }
        return row
      case .parity(let parity):
        return parityRow(parity, positions: positions, known: known, lost: lost)
      }
    }
    return CodingPlan(coefficients: rows, sourceCount: known.count)
  }

  /// Each lost data column as a combination of the known columns; nil when it cannot be had.
  private func lostRows(positions: [Int], known: [Shard]) -> [Int: [UInt8]]? {
    let lost = positions.filter { !known.contains(.data(position: $0)) }
    var parities: [(parity: Int, index: Int)] = []
    for (index, shard) in known.enumerated() {
      switch shard {
      case .parity(let parity):
        precondition((0..<parityCount).contains(parity))
        parities.append((parity, index))
      case .data(let position):
        precondition(positions.contains(position), "no data at \(position)")
      }
    }
    guard parities.count >= lost.count else { return nil }
    parities.sort { $0.parity < $1.parity }
    parities.removeLast(parities.count - lost.count)
    // Each parity, less what the known data adds to it, is a combination of the lost columns only: solve for them.
    let equations = parities.map { parity in
      lost.map { Self.coefficient(parity: parity.parity, position: $0) }
    }
    guard let solution = CodingMatrix.inverse(of: equations) else {
      preconditionFailure("a square part of the code is singular")
    }
    let sides = parities.map { parity in
      known.enumerated().map { index, shard -> UInt8 in
        switch shard {
        case .parity: index == parity.index ? 1 : 0
        case .data(let position): Self.coefficient(parity: parity.parity, position: position)
        }
      }
    }
    let rows = solution.map { CodingMatrix.combination($0, of: sides, count: known.count) }
    return Dictionary(uniqueKeysWithValues: zip(lost, rows))
  }

  private func parityRow(
    _ parity: Int, positions: [Int], known: [Shard], lost: [Int: [UInt8]]
  ) -> [UInt8] {
    precondition((0..<parityCount).contains(parity))
    let coefficients = positions.map { Self.coefficient(parity: parity, position: $0) }
    let data = positions.map { position in
      if let row = lost[position] { return row }
      let index = known.firstIndex(of: .data(position: position))
      return unitRow(index ?? 0, count: known.count)
    }
    return CodingMatrix.combination(coefficients, of: data, count: known.count)
  }

  /// With too few columns known, only these themselves can be had.
  private func copies(of wanted: [Shard], from known: [Shard]) -> CodingPlan? {
    let rows = wanted.compactMap { shard in
      known.firstIndex(of: shard).map { unitRow($0, count: known.count) }
    }
    guard rows.count == wanted.count else { return nil }
    return CodingPlan(coefficients: rows, sourceCount: known.count)
  }

  private func unitRow(_ index: Int, count: Int) -> [UInt8] {
    var row = [UInt8](repeating: 0, count: count)
    row[index] = 1
    return row
  }
}
