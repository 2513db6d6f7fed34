import ErasureCoding
import Testing

/// A stripe with random data, whose parities are computed byte by byte from the code's coefficients.
struct Stripe {
  let code: ErasureCode
  let positions: [Int]
  let byteCount: Int
  /// Data in the order of the positions, then all parities.
  let columns: [[UInt8]]

  init(positions: [Int], parityCount: Int, byteCount: Int, random: inout SplitMix) {
    code = ErasureCode(parityCount: parityCount)
    self.positions = positions
    self.byteCount = byteCount
    let data = positions.map { _ in random.bytes(byteCount) }
    let parities = (0..<parityCount).map { parity in
      var sum = [UInt8](repeating: 0, count: byteCount)
      for (position, column) in zip(positions, data) {
        let coefficient = ErasureCode.coefficient(parity: parity, position: position)
        let products = SlowField.products[Int(coefficient)]
        for offset in 0..<byteCount { sum[offset] ^= products[Int(column[offset])] }
      }
      return sum
    }
    columns = data + parities
  }

  var shards: [Shard] {
    positions.map { .data(position: $0) }
      + (0..<columns.count - positions.count).map { .parity($0) }
  }

  func column(_ shard: Shard) -> [UInt8] {
    columns[shards.firstIndex(of: shard) ?? 0]
  }

  /// Whether the plan makes the wanted columns of the known ones; nil when there is no plan.
  func recovers(_ wanted: [Shard], from known: [Shard]) -> Bool? {
    guard let plan = code.recovery(positions: positions, known: known, wanted: wanted) else {
      return nil
    }
    return result(of: plan, sources: known.map(column)) == wanted.map(column)
  }

  func result(of plan: CodingPlan, sources: [[UInt8]]) -> [[UInt8]] {
    var buffer = sources.flatMap { $0 }
    buffer += [UInt8](repeating: 0xee, count: plan.outputCount * byteCount)
    let sourceOffsets = sources.indices.map { $0 * byteCount }
    let outputOffsets = (0..<plan.outputCount).map { (sources.count + $0) * byteCount }
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    plan.apply(
      in: &bytes, sources: sourceOffsets.span, outputs: outputOffsets.span, byteCount: byteCount)
    return outputOffsets.map { Array(buffer[$0..<$0 + byteCount]) }
  }
}

@Suite struct ErasureCodeTests {
  @Test func `has the P and Q of Linux md`() {
    for position in 0..<255 {
      #expect(ErasureCode.coefficient(parity: 0, position: position) == 1)
      #expect(
        ErasureCode.coefficient(parity: 1, position: position)
          == SlowField.power(ofTwo: position))
    }
  }

  @Test func `has further parities of Cauchy's form that begin with one`() {
    for parity in 2..<6 {
      #expect(ErasureCode.coefficient(parity: parity, position: 0) == 1)
      // (x + 1) / (x + y), where 2^255 = 1
      let x = SlowField.power(ofTwo: parity - 1)
      for position in 0..<250 {
        let y = SlowField.power(ofTwo: (255 - position) % 255)
        let coefficient = ErasureCode.coefficient(parity: parity, position: position)
        #expect(SlowField.multiply(coefficient, x ^ y) == x ^ 1)
      }
    }
  }

  @Test(arguments: 1...6)
  func `encodes any number of members`(parityCount: Int) {
    var random = SplitMix(seed: UInt64(parityCount))
    for count in Array(1...12) + [40, 255 - parityCount] {
      let stripe = Stripe(
        positions: Array(0..<count), parityCount: parityCount, byteCount: 70, random: &random)
      let plan = stripe.code.encoding(
        positions: stripe.positions, parities: Array(0..<parityCount))
      let data = Array(stripe.columns.prefix(count))
      #expect(stripe.result(of: plan, sources: data) == Array(stripe.columns.dropFirst(count)))
      let last = stripe.code.encoding(positions: stripe.positions, parities: [parityCount - 1])
      #expect(stripe.result(of: last, sources: data) == [stripe.columns[count + parityCount - 1]])
    }
  }

  /// Every set of up to M lost columns among K + M, for K up to 5 (3 beyond three parities).
  @Test(arguments: 1...6)
  func `recovers every loss of a small stripe`(parityCount: Int) {
    var random = SplitMix(seed: 7)
    for count in 1...(parityCount > 3 ? 3 : 5) {
      // Positions as md gives them: not always from 0, not always in order.
      let positions = Array((0..<count + 2).shuffled(using: &random).prefix(count))
      let stripe = Stripe(
        positions: positions, parityCount: parityCount, byteCount: 9, random: &random)
      let shards = stripe.shards
      for mask in 0..<1 << shards.count {
        let lost = shards.indices.filter { mask >> $0 & 1 == 1 }.map { shards[$0] }
        let known = shards.filter { !lost.contains($0) }.shuffled(using: &random)
        if lost.count <= parityCount {
          #expect(stripe.recovers(lost, from: known) == true, "\(positions) lost \(lost)")
          #expect(stripe.recovers(shards, from: known) == true, "\(positions) lost \(lost)")
        } else {
          let isLost = lost.contains { if case .data = $0 { true } else { false } }
          #expect(stripe.recovers(lost, from: known) == (isLost ? nil : true))
        }
      }
    }
  }

  @Test(arguments: 1...6, 0..<UInt64(6))
  func `recovers random losses of large stripes`(parityCount: Int, seed: UInt64) {
    var random = SplitMix(seed: seed << 8 | UInt64(parityCount))
    let count =
      seed == 0 ? 255 - parityCount : Int.random(in: 1...255 - parityCount, using: &random)
    let stripe = Stripe(
      positions: Array(0..<count), parityCount: parityCount, byteCount: 13, random: &random)
    for _ in 0..<4 {
      let lost = Array(stripe.shards.shuffled(using: &random).prefix(parityCount))
      let known = stripe.shards.filter { !lost.contains($0) }
      #expect(stripe.recovers(lost, from: known) == true, "\(count)+\(parityCount), lost \(lost)")
    }
  }

  @Test(arguments: 0..<UInt64(20))
  func `recovers from just enough columns`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let parityCount = Int.random(in: 1...6, using: &random)
    let stripe = Stripe(
      positions: Array(3..<3 + Int.random(in: 1...20, using: &random)), parityCount: parityCount,
      byteCount: 20, random: &random)
    let shuffled = stripe.shards.shuffled(using: &random)
    let known = Array(shuffled.prefix(stripe.positions.count))
    #expect(stripe.recovers(stripe.shards, from: known) == true)
    let short = Array(known.dropLast())
    let dataIsKnown = stripe.positions.allSatisfy { short.contains(.data(position: $0)) }
    #expect(stripe.recovers(stripe.shards, from: short) == (dataIsKnown ? true : nil))
    #expect(stripe.recovers(short, from: short) == true)
  }

  /// The square parts of the parity rows at any positions are invertible: any lost columns can be found again.
  @Test(arguments: 0..<UInt64(16))
  func `has no singular square part`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    for _ in 0..<200 {
      let parities = (0..<6).shuffled(using: &random).prefix(Int.random(in: 1...6, using: &random))
      let positions = (0..<249).shuffled(using: &random).prefix(parities.count)
      let part = parities.map { parity in
        positions.map { ErasureCode.coefficient(parity: parity, position: $0) }
      }
      #expect(SlowField.isInvertible(part), "parities \(parities), positions \(positions)")
    }
  }

  @Test func `has no singular part of two rows and two columns`() {
    let rows = (0..<6).map { parity in
      (0..<249).map { ErasureCode.coefficient(parity: parity, position: $0) }
    }
    var singular = 0
    for first in 0..<6 {
      for second in first + 1..<6 {
        for a in 0..<249 {
          for b in a + 1..<249
          where SlowField.products[Int(rows[first][a])][Int(rows[second][b])]
            == SlowField.products[Int(rows[first][b])][Int(rows[second][a])]
          { singular += 1 }
        }
      }
    }
    #expect(singular == 0)
  }

  @Test func `keeps its parities when members of zeros are added`() {
    var random = SplitMix(seed: 3)
    let small = Stripe(positions: [0, 1, 2], parityCount: 6, byteCount: 40, random: &random)
    let plan = small.code.encoding(positions: Array(0..<9), parities: Array(0..<6))
    let zeros = [[UInt8]](repeating: [UInt8](repeating: 0, count: 40), count: 6)
    let sources = Array(small.columns.prefix(3)) + zeros
    #expect(small.result(of: plan, sources: sources) == Array(small.columns.dropFirst(3)))
  }
}
