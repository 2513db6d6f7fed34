import ErasureCoding
import RaidGeometry

// With two parities any n - 1 of the n members of a row obey one linear relation over GF(2^8), and in general only one:
// if P is left out, Q = sum of 2^e D; if Q is left out, P = sum of D; if a data column x is left out, both together
// without it: sum of (2^x + 2^e) D + 2^x P + Q = 0. The relation is found from the bytes alone, by elimination, whatever
// the order of the members. Its coefficients tell which member has which exponent in that row, and so the order.

/// The relation between members at one offset.
struct LinearRelation {
  let offset: Int
  /// By device; 0 for the one that was left out, and for those that are zero there, whose coefficients
  /// cannot be known. Only their ratios mean anything.
  let coefficients: [UInt8]
  /// The devices that are zero there.
  let silent: [Int]

  /// What a place says.
  enum Finding {
    case relation(LinearRelation)
    /// There is no relation: this is not a row with two parities.
    case none
    /// Too little is not zero, or too alike, to tell.
    case unclear
  }

  /// The only relation between these members' bytes.
  static func find(_ images: MemberImages, at offset: Int, leavingOut absent: Int) -> Finding {
    var isFree = false
    if let found = LinearRelation(images, at: offset, leavingOut: absent, isFree: &isFree) {
      return .relation(found)
    }
    return isFree ? .none : .unclear
  }

  private init?(_ images: MemberImages, at offset: Int, leavingOut absent: Int, isFree: inout Bool)
  {
    var members: [Int] = []
    var silent: [Int] = []
    var blocks: [[UInt8]] = []
    for member in images.present where member != absent {
      guard let block = images.block(member, at: offset) else { return nil }
      if block.isAllZero {
        silent.append(member)
      } else {
        members.append(member)
        blocks.append(block)
      }
    }
    guard members.count >= 3, silent.count <= 3, let relation = Self.solve(blocks, &isFree)
    else {
      return nil
    }
    var coefficients = [UInt8](repeating: 0, count: images.count)
    for (member, coefficient) in zip(members, relation) { coefficients[member] = coefficient }
    self.coefficients = coefficients
    self.silent = silent
    self.offset = offset
  }

  /// Whether all known coefficients are the same: then they tell no slot from another.
  var isUniform: Bool { Set(coefficients.filter { $0 != 0 }).count == 1 }

  private static func solve(_ blocks: [[UInt8]], _ isFree: inout Bool) -> [UInt8]? {
    let n = blocks.count
    // Rows of the echelon form, by the column of their leading 1.
    var echelon = [[UInt8]?](repeating: nil, count: n)
    var rank = 0
    var tried = 0
    var position = 0
    while position < 4096, tried < 512 {
      let place = (position &* 1_677) & 4095  // odd, so every position once
      position += 1
      var row = blocks.map { $0[place] }
      if row.allSatisfy({ $0 == 0 }) { continue }
      tried += 1
      for column in 0..<n where row[column] != 0 {
        if let pivot = echelon[column] {
          let factor = row[column]
          for index in column..<n { row[index] ^= GaloisField.multiply(factor, pivot[index]) }
        } else {
          let factor = GaloisField.inverse(row[column])
          echelon[column] = row.map { GaloisField.multiply(factor, $0) }
          rank += 1
          break
        }
      }
      if rank == n {
        isFree = true
        return nil
      }
    }
    guard rank == n - 1, let free = echelon.firstIndex(where: { $0 == nil }) else { return nil }
    // The free unknown is 1; the others follow from below.
    var solution = [UInt8](repeating: 0, count: n)
    solution[free] = 1
    for column in stride(from: n - 1, through: 0, by: -1) where column != free {
      guard let row = echelon[column] else { continue }
      var sum: UInt8 = 0
      for index in column + 1..<n { sum ^= GaloisField.multiply(row[index], solution[index]) }
      solution[column] = sum
    }
    guard solution.allSatisfy({ $0 != 0 }) else { return nil }
    // On all bytes it must hold.
    for place in stride(from: 0, to: 4096, by: 7) {
      var sum: UInt8 = 0
      for index in 0..<n { sum ^= GaloisField.multiply(solution[index], blocks[index][place]) }
      if sum != 0 { return nil }
    }
    return solution
  }

  /// The coefficients by slot that a row must have when one slot is left out.
  static func expected(_ pattern: RowPattern, leavingOut absent: Int) -> [UInt8] {
    let out: UInt8?
    let lacksQ = pattern.paritySlots[1] == absent
    if case .data(let column) = pattern.roles[absent] {
      out = GaloisField.power(ofTwo: pattern.codePositions[column])
    } else {
      out = nil
    }
    return pattern.roles.enumerated().map { slot, role in
      if slot == absent { return 0 }
      switch role {
      case .parity(let index): return index == 1 ? 1 : lacksQ ? 1 : out ?? 0
      case .data(let column):
        if lacksQ { return 1 }
        return GaloisField.power(ofTwo: pattern.codePositions[column]) ^ (out ?? 0)
      }
    }
  }

  /// Whether this is the relation of these slots, up to a factor.
  func matches(_ expected: [UInt8], order: [Int]) -> Bool {
    var factor: UInt8?
    for (slot, member) in order.enumerated() {
      let (want, have) = (expected[slot], coefficients[member])
      if have == 0, want == 0 || silent.contains(member) { continue }
      guard want != 0, have != 0 else { return false }
      let ratio = GaloisField.multiply(want, GaloisField.inverse(have))
      if factor == nil { factor = ratio }
      if factor != ratio { return false }
    }
    return true
  }

  /// The orders of the members for which this is the relation of these slots; none when there are too many
  /// of them because it says too little.
  func orders(_ expected: [UInt8], absentSlot: Int, absentMember: Int) -> [[Int]] {
    let slots = expected.indices.filter { $0 != absentSlot }
    let members = coefficients.indices.filter { coefficients[$0] != 0 }
    guard slots.allSatisfy({ expected[$0] != 0 }), members.count + silent.count == slots.count,
      let known = members.first
    else { return [] }
    var orders: [[Int]] = []
    for value in Set(slots.map { expected[$0] }).sorted() {
      let factor = GaloisField.multiply(value, GaloisField.inverse(coefficients[known]))
      var order = [Int?](repeating: nil, count: expected.count)
      order[absentSlot] = absentMember
      let wanted = members.map { ($0, GaloisField.multiply(coefficients[$0], factor)) }
      Self.place(wanted[...], expected, silent, &order, into: &orders)
      if orders.count > Self.orderLimit { return [] }
    }
    return orders
  }

  private static let orderLimit = 48

  /// All ways to put members into slots of their coefficients, and the silent ones into what is left.
  private static func place(
    _ wanted: ArraySlice<(Int, UInt8)>, _ expected: [UInt8], _ silent: [Int],
    _ order: inout [Int?], into orders: inout [[Int]]
  ) {
    if orders.count > orderLimit { return }
    guard let (member, value) = wanted.first else {
      return fill(&order, with: silent, into: &orders)
    }
    for slot in order.indices where order[slot] == nil && expected[slot] == value {
      order[slot] = member
      place(wanted.dropFirst(), expected, silent, &order, into: &orders)
      order[slot] = nil
    }
  }

  private static func fill(
    _ order: inout [Int?], with others: [Int], into orders: inout [[Int]]
  ) {
    guard let slot = order.firstIndex(of: nil) else {
      orders.append(order.compactMap(\.self))
      return
    }
    for (index, member) in others.enumerated() {
      order[slot] = member
      var left = others
      left.remove(at: index)
      fill(&order, with: left, into: &orders)
      order[slot] = nil
    }
  }
}
