import BinaryCodec

/// What holds between the members at equal offsets, whatever their order: all are equal (RAID 1), pairs
/// are equal (RAID 10), their sum is zero (one parity).
struct RedundancyCensus {
  /// Places where some member was not zero.
  private(set) var placeCount = 0
  private(set) var equalCount = 0
  private(set) var zeroSumCount = 0
  /// By pair of members, first < second: places where both are equal, and where either is not zero.
  private(set) var pairs: [[(equal: Int, seen: Int)]]
  /// By member: places where the sum of all others is zero.
  private(set) var zeroSumWithout: [Int]

  /// - Parameter range: member offsets that are data for any of the data offsets in question.
  init(_ book: SketchBook, in range: Range<Int>) throws(RaidError) {
    let images = book.images
    let n = images.count
    pairs = Array(repeating: Array(repeating: (0, 0), count: n), count: n)
    zeroSumWithout = [Int](repeating: 0, count: n)
    let marks = book.landmarks.filter {
      $0 >= range.lowerBound && $0 + MemberImages.blockByteCount <= range.upperBound
    }
    let step = max(1, marks.count / 200)
    for index in stride(from: 0, to: marks.count, by: step) {
      try images.checkStop()
      count(images, at: marks[index])
    }
  }

  private mutating func count(_ images: MemberImages, at offset: Int) {
    let present = images.present
    var blocks: [[UInt8]] = []
    for member in present {
      guard let block = images.block(member, at: offset) else { return }
      blocks.append(block)
    }
    guard let first = blocks.first, blocks.contains(where: { !$0.isAllZero }) else { return }
    placeCount += 1
    if blocks.allSatisfy({ $0 == first }) { equalCount += 1 }
    var sum = [UInt8](repeating: 0, count: first.count)
    for block in blocks { sum.add(block) }
    if sum.isAllZero { zeroSumCount += 1 }
    for (a, block) in blocks.enumerated() {
      if block == sum { zeroSumWithout[present[a]] += 1 }
      for b in blocks.indices where b > a {
        if block.isAllZero && blocks[b].isAllZero { continue }
        pairs[present[a]][present[b]].seen += 1
        if block == blocks[b] { pairs[present[a]][present[b]].equal += 1 }
      }
    }
  }

  /// Whether nearly all places have a property.
  private func isRule(_ count: Int, of total: Int) -> Bool { total >= 3 && count * 10 >= total * 9 }

  var allEqual: Bool { isRule(equalCount, of: placeCount) }
  var sumsToZero: Bool { isRule(zeroSumCount, of: placeCount) }

  /// As after a rebuild that did not end, or with a member that missed something.
  var sumsToZeroOften: Bool { placeCount >= 8 && zeroSumCount * 10 >= placeCount * 3 }

  /// In more places than not. Sparse rows of two parities and of copies have sums of zero, too.
  var sumsToZeroMostly: Bool { zeroSumCount * 2 > placeCount }

  /// As of mirrors of which one missed something.
  var areEqualOften: Bool { placeCount >= 8 && equalCount * 10 >= placeCount * 3 }

  func areEqual(_ a: Int, _ b: Int) -> Bool {
    let pair = pairs[min(a, b)][max(a, b)]
    return isRule(pair.equal, of: pair.seen)
  }

  /// Whether each of these members equals another one of them.
  func formsGroups(_ members: [Int]) -> Bool {
    members.allSatisfy { a in members.contains { $0 != a && areEqual(a, $0) } }
  }

  /// The one member without which the sum of the others is always zero.
  var outsider: Int? {
    let outsiders = zeroSumWithout.indices.filter { isRule(zeroSumWithout[$0], of: placeCount) }
    return outsiders.count == 1 && !sumsToZero ? outsiders[0] : nil
  }
}
