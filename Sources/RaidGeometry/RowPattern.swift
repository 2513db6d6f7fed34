/// What the slots of one row hold. Rows repeat in a short period, so an array keeps one pattern for
/// each row of the period and looks it up.
///
/// Two orders matter. *Data order* is the order of the array's bytes: data column 0, 1, 2 and on.
/// *Code order* is the order of the exponents of Q: it starts at the slot behind Q and goes round
/// (md-format: drivers/md/raid5.c, `raid6_d0` and `raid6_idx_to_slot`); for the symmetric layouts
/// both are the same, for the others they are not.
package struct RowPattern: Sendable, Equatable {
  /// What a slot holds in this row.
  package enum Role: Sendable, Equatable {
    case data(column: Int)
    case parity(index: Int)
  }

  /// The slot of each data column.
  package let dataSlots: [Int]
  /// The slot of each parity: P, Q and on.
  package let paritySlots: [Int]
  /// The exponent of each data column.
  package let codePositions: [Int]
  /// What each slot holds.
  package let roles: [Role]

  init(dataSlots: [Int], paritySlots: [Int], rotation: ParityRotation) {
    self.dataSlots = dataSlots
    self.paritySlots = paritySlots
    let slotCount = dataSlots.count + paritySlots.count
    var roles = [Role](repeating: .parity(index: 0), count: slotCount)
    for (column, slot) in dataSlots.enumerated() { roles[slot] = .data(column: column) }
    for (index, slot) in paritySlots.enumerated() { roles[slot] = .parity(index: index) }
    self.roles = roles

    var codePositions = [Int](repeating: 0, count: dataSlots.count)
    var next = 0
    let first = rotation.countsEverySlot ? 0 : (paritySlots.last ?? -1) + 1
    for step in 0..<slotCount {
      let slot = (first + step) % slotCount
      if case .data(let column) = roles[slot] {
        codePositions[column] = rotation.countsEverySlot ? slot : next
        next += 1
      }
    }
    self.codePositions = codePositions
  }
}
