/// Finds the orders of the members that a layout's relations like best.
struct OrderSearch {
  struct Found {
    let order: [Int]
    /// Mean weight of a link, and how many links were looked at.
    let linkMean: Double
    let linkCount: Int
    /// What equality of copies and zeros of parity add.
    let other: Double
    /// The mean of few links, the best of many orders, is better than it should be.
    var carefulMean: Double {
      linkMean > 0 ? linkMean * Double(linkCount) / Double(linkCount + 20) : linkMean
    }
    var total: Double { linkMean * Double(linkCount) + other }
  }

  private struct Cell {
    let table: Int
    let from: Int
    let to: Int
  }

  private let memberCount: Int
  private let linkCells: [Cell]
  private let otherCells: [Cell]
  private let zeroCells: [(table: Int, slot: Int)]
  private let follows: [Float]
  private var equals: [Float]
  private let zeros: [Float]
  private let linkCount: Int
  /// Slots of a group hold copies of each other: their order among themselves makes no difference.
  private var groupSize = 1

  init(
    memberCount: Int, terms: LayoutTerms, follows: [Float], equals: [Float], zeros: [Float],
    rowCounts: [Int]
  ) {
    self.memberCount = memberCount
    self.follows = follows
    self.equals = equals
    self.zeros = zeros
    let n = memberCount
    let cells = LayoutTerms.rowDeltaCount * n * n
    var links: [Cell] = []
    var others: [Cell] = []
    var count = 0
    for relation in terms.relations {
      let cell = Cell(
        table: relation.rowClass * cells + relation.rowDelta * n * n, from: relation.from,
        to: relation.to)
      if relation.kind == .follows {
        links.append(cell)
        count += rowCounts[relation.rowClass]
      } else {
        others.append(cell)
      }
    }
    linkCells = links
    otherCells = others
    linkCount = count
    zeroCells = terms.paritySlots.map { ($0.rowClass * n, $0.slot) }
  }

  /// Adds what was seen of copies a stride apart: a table by pair.
  func addFar(_ table: [Float], _ pairs: [(from: Int, to: Int)]) -> OrderSearch {
    OrderSearch(self, table, pairs)
  }

  private init(_ other: OrderSearch, _ table: [Float], _ pairs: [(from: Int, to: Int)]) {
    memberCount = other.memberCount
    linkCells = other.linkCells
    otherCells =
      other.otherCells
      + pairs.map { Cell(table: other.equals.count, from: $0.from, to: $0.to) }
    zeroCells = other.zeroCells
    follows = other.follows
    equals = other.equals + table
    zeros = other.zeros
    linkCount = other.linkCount
  }

  mutating func setGroups(of size: Int) { groupSize = size }

  func evaluate(_ order: [Int]) -> Found {
    var link: Float = 0
    for cell in linkCells {
      link += follows[cell.table + order[cell.from] * memberCount + order[cell.to]]
    }
    var other: Float = 0
    for cell in otherCells {
      other += equals[cell.table + order[cell.from] * memberCount + order[cell.to]]
    }
    for cell in zeroCells { other += zeros[cell.table + order[cell.slot]] }
    return Found(
      order: order, linkMean: linkCount == 0 ? 0 : Double(link) / Double(linkCount),
      linkCount: linkCount, other: Double(other))
  }

  /// The best orders, the best first.
  ///
  /// - Parameter fixed: by slot: the member that is known to be there.
  func best(_ limit: Int, fixed: [Int?]) -> [Found] {
    let free = (0..<memberCount).filter { !fixed.contains($0) }
    let open = (0..<memberCount).filter { fixed[$0] == nil }
    var found: [Found] = []
    func keep(_ candidate: Found) {
      if found.count == limit, candidate.total <= found[limit - 1].total { return }
      if found.contains(where: { $0.order == candidate.order }) { return }
      let place = found.firstIndex { $0.total < candidate.total } ?? found.count
      found.insert(candidate, at: place)
      if found.count > limit { found.removeLast() }
    }
    if free.count <= 6 {
      var members = free
      permute(&members, 0) { members in
        var order = fixed.map { $0 ?? -1 }
        for (slot, member) in zip(open, members) { order[slot] = member }
        if isCanonical(order, fixed) { keep(evaluate(order)) }
      }
    } else {
      climb(open: open, free: free, fixed: fixed, keep)
    }
    return found
  }

  private func isCanonical(_ order: [Int], _ fixed: [Int?]) -> Bool {
    guard groupSize > 1, memberCount % groupSize == 0 else { return true }
    for slot in 1..<memberCount
    where slot % groupSize != 0 && fixed[slot] == nil && fixed[slot - 1] == nil {
      if order[slot] < order[slot - 1] { return false }
    }
    return true
  }

  private func permute(_ members: inout [Int], _ start: Int, _ body: ([Int]) -> Void) {
    if start >= members.count { return body(members) }
    for index in start..<members.count {
      members.swapAt(start, index)
      permute(&members, start + 1, body)
      members.swapAt(start, index)
    }
  }

  /// From several starts: swaps two members, or moves one, as long as that is an improvement.
  private func climb(
    open: [Int], free: [Int], fixed: [Int?], _ keep: (Found) -> Void
  ) {
    var state: UInt64 = 0x1234_5678
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    for _ in 0..<(memberCount <= 10 ? 16 : 8) {
      var members = free
      for index in members.indices.dropFirst().reversed() {
        members.swapAt(index, random(index + 1))
      }
      var order = fixed.map { $0 ?? -1 }
      for (slot, member) in zip(open, members) { order[slot] = member }
      var current = evaluate(order)
      var improves = true
      var rounds = 0
      while improves, rounds < 64 {
        improves = false
        rounds += 1
        for a in open.indices {
          for b in open.indices where b != a {
            var swapped = current.order
            swapped.swapAt(open[a], open[b])
            var moved = open.map { current.order[$0] }
            moved.insert(moved.remove(at: a), at: b)
            var shifted = current.order
            for (slot, member) in zip(open, moved) { shifted[slot] = member }
            for next in [swapped, shifted] {
              let trial = evaluate(next)
              if trial.total > current.total + 1e-6 {
                current = trial
                improves = true
              }
            }
          }
        }
      }
      keep(current)
    }
  }
}
