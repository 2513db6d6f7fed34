import Testing

@testable import ErasureCoding

/// What a plan is asked to do in a test.
struct CodingCase: CustomTestStringConvertible {
  var coefficients: [[UInt8]]
  var byteCount: Int
  /// Between columns, and before the first: what makes them unaligned.
  var gap = 0
  var accumulating = false
  var seed: UInt64 = 1

  var testDescription: String {
    "\(coefficients.first?.count ?? 0)+\(coefficients.count), \(byteCount) bytes, gap \(gap), accumulating \(accumulating), seed \(seed)"
  }

  /// Runs the plan on random columns and compares every byte of the buffer, the untouched ones too.
  func check(_ level: KernelLevel) -> Bool {
    var random = SplitMix(seed: seed)
    let sourceCount = coefficients.first?.count ?? 0
    let stride = byteCount + gap
    var bytes = random.bytes(gap + stride * (sourceCount + coefficients.count) + 64)
    var order = Array(0..<sourceCount + coefficients.count)
    order.shuffle(using: &random)
    let sources = order.prefix(sourceCount).map { gap + stride * $0 }
    let outputs = order.dropFirst(sourceCount).map { gap + stride * $0 }
    var expected = bytes
    for (output, row) in zip(outputs, coefficients) {
      if !accumulating { for offset in 0..<byteCount { expected[output + offset] = 0 } }
      for (source, coefficient) in zip(sources, row) {
        let products = SlowField.products[Int(coefficient)]
        for offset in 0..<byteCount {
          expected[output + offset] ^= products[Int(bytes[source + offset])]
        }
      }
    }
    let plan = CodingPlan(coefficients: coefficients, level: level)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    plan.apply(
      in: &raw, sources: sources.span, outputs: outputs.span, byteCount: byteCount,
      accumulating: accumulating)
    return bytes == expected
  }
}

@Suite struct CodingPlanTests {
  static func pq(_ exponents: [Int]) -> [[UInt8]] {
    [exponents.map { _ in 1 }, exponents.map { SlowField.power(ofTwo: $0) }]
  }

  static func random(_ outputCount: Int, _ sourceCount: Int, seed: UInt64) -> [[UInt8]] {
    var random = SplitMix(seed: seed)
    return (0..<outputCount).map { _ in random.bytes(sourceCount) }
  }

  @Test(arguments: KernelLevel.available)
  func `sums any number of sources`(level: KernelLevel) {
    for count in Array(1...20) + [33, 255] {
      let ones = [[UInt8](repeating: 1, count: count)]
      #expect(CodingCase(coefficients: ones, byteCount: 200, gap: 3).check(level))
    }
  }

  @Test(arguments: KernelLevel.available)
  func `makes P and Q of any number of members`(level: KernelLevel) {
    for count in Array(1...20) + [33, 253] {
      let up = Self.pq(Array(0..<count))
      let down = Self.pq((0..<count).reversed())
      #expect(CodingCase(coefficients: up, byteCount: 200, gap: 5).check(level))
      #expect(CodingCase(coefficients: down, byteCount: 128, accumulating: true).check(level))
    }
  }

  @Test(arguments: KernelLevel.available)
  func `makes P and Q with gaps and in any order`(level: KernelLevel) {
    for exponents in [[3], [254], [0, 254], [7, 2, 5], [1, 1], [12, 0, 3, 9], [4, 5, 6, 7]] {
      for accumulating in [false, true] {
        #expect(
          CodingCase(
            coefficients: Self.pq(exponents), byteCount: 333, gap: 1, accumulating: accumulating
          ).check(level))
      }
    }
  }

  @Test(arguments: KernelLevel.available)
  func `takes any coefficients, sources and outputs`(level: KernelLevel) {
    for outputCount in 1...9 {
      for sourceCount in [1, 2, 3, 5, 8, 17] + (outputCount == 3 ? [64, 255] : []) {
        let seed = UInt64(outputCount * 1000 + sourceCount)
        for accumulating in [false, true] {
          var coefficients = Self.random(outputCount, sourceCount, seed: seed)
          let general = CodingCase(
            coefficients: coefficients, byteCount: 200, gap: 7, accumulating: accumulating,
            seed: seed)
          #expect(general.check(level))
          coefficients[0] = [UInt8](repeating: 1, count: sourceCount)
          let withSum = CodingCase(
            coefficients: coefficients, byteCount: 448, accumulating: accumulating, seed: seed)
          #expect(withSum.check(level))
        }
      }
    }
  }

  @Test(arguments: KernelLevel.available)
  func `takes any length and alignment`(level: KernelLevel) {
    for byteCount in Array(0...200) + [1000, 4095, 4097, 20_001] {
      for coefficients in [
        [[UInt8](repeating: 1, count: 4)], Self.pq([0, 1, 2, 3]),
        Self.random(3, 4, seed: UInt64(byteCount)),
      ] {
        let gap = byteCount % 64 + 1
        #expect(
          CodingCase(
            coefficients: coefficients, byteCount: byteCount, gap: gap,
            accumulating: byteCount % 3 == 0, seed: UInt64(byteCount)
          ).check(level))
      }
    }
  }

  @Test(arguments: KernelLevel.available)
  func `skips sources that no output needs`(level: KernelLevel) {
    let cases: [[[UInt8]]] = [
      [[0, 0, 0]], [[0, 1, 0, 1]], [[0, 1, 1], [0, 2, 1]], [[5, 0, 0, 7], [0, 0, 9, 0]],
    ]
    for coefficients in cases {
      for accumulating in [false, true] {
        #expect(
          CodingCase(
            coefficients: coefficients, byteCount: 150, gap: 2, accumulating: accumulating
          ).check(level))
      }
    }
  }

  @Test(arguments: KernelLevel.available)
  func `multiplies by every constant`(level: KernelLevel) {
    for constant in UInt8.min...UInt8.max {
      #expect(CodingCase(coefficients: [[constant]], byteCount: 130).check(level))
    }
  }

  @Test func `adds one range to another`() {
    var random = SplitMix(seed: 4)
    for byteCount in [0, 1, 63, 64, 65, 200, 4096, 5001] {
      var bytes = random.bytes(2 * byteCount + 10)
      var expected = bytes
      for offset in 0..<byteCount { expected[3 + offset] ^= bytes[3 + byteCount + 2 + offset] }
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      xor(in: &raw, at: 3, with: 3 + byteCount + 2, byteCount: byteCount)
      #expect(bytes == expected)
    }
  }

  @Test func `refuses columns outside the buffer`() async {
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 128)
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      xor(in: &raw, at: 0, with: 65, byteCount: 64)
    }
  }

  @Test func `refuses an output that overlaps a source`() async {
    await #expect(processExitsWith: .failure) {
      var bytes = [UInt8](repeating: 0, count: 256)
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      xor(in: &raw, at: 0, with: 63, byteCount: 64)
    }
  }
}
