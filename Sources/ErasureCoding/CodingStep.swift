/// One step of an output's sum, as `PortableKernel` explains it.
struct CodingStep: Sendable, Equatable {
  /// How often the sum so far is doubled.
  var doublings: UInt8
  /// Which source is added then; none at the end.
  var source: UInt8?

  /// The steps for one output: by exponents when that is quick, else by bits.
  static func list(for coefficients: [UInt8]) -> [CodingStep] {
    byExponents(of: coefficients) ?? byBits(of: coefficients)
  }

  /// Highest power of two first, doubling on the way down to the next. nil when a coefficient is 0 or there are so many doublings
  /// that going by bits is quicker.
  static func byExponents(of coefficients: [UInt8]) -> [CodingStep]? {
    guard !coefficients.isEmpty, !coefficients.contains(0) else { return nil }
    let exponents = coefficients.map { GaloisField.logarithm($0) }
    let order = exponents.indices.sorted { exponents[$0] > exponents[$1] }
    guard let highest = order.first, exponents[highest] <= 2 * coefficients.count + 6 else {
      return nil
    }
    var steps: [CodingStep] = []
    var exponent = exponents[highest]
    for source in order {
      steps.append(
        CodingStep(doublings: UInt8(exponent - exponents[source]), source: UInt8(source)))
      exponent = exponents[source]
    }
    return steps + [CodingStep(doublings: UInt8(exponent), source: nil)]
  }

  /// The sources that have a bit set, highest bit first, doubling from bit to bit.
  static func byBits(of coefficients: [UInt8]) -> [CodingStep] {
    var steps: [CodingStep] = []
    var doublings: UInt8 = 0
    for bit in (0..<8).reversed() {
      for (source, coefficient) in coefficients.enumerated() where coefficient >> bit & 1 == 1 {
        steps.append(CodingStep(doublings: doublings, source: UInt8(source)))
        doublings = 0
      }
      if bit > 0 && !steps.isEmpty { doublings += 1 }
    }
    return steps + [CodingStep(doublings: doublings, source: nil)]
  }
}
