import ErasureCoding
import Testing

@Suite struct ParitySuspectTests {
  /// Errors in some bytes of a block; the syndromes that they leave, P's and then Q's, behind a byte of alignment.
  static func locate(_ p: [UInt8], _ q: [UInt8]) -> ParitySuspect {
    let bytes = [0xaa] + p + [0xbb] + q + [0xcc]
    return locateError(
      in: bytes.span.bytes, pSyndrome: 1, qSyndrome: p.count + 2, byteCount: p.count)
  }

  /// A block of zeros with `count` random bytes that are not zero at random places.
  static func errors(_ count: Int, of byteCount: Int, random: inout SplitMix) -> [UInt8] {
    var errors = [UInt8](repeating: 0, count: byteCount)
    for index in errors.indices.shuffled(using: &random).prefix(count) {
      errors[index] = UInt8.random(in: 1...255, using: &random)
    }
    return errors
  }

  static let zeros = [UInt8](repeating: 0, count: 300)

  @Test func `says that nothing is wrong`() {
    #expect(Self.locate(Self.zeros, Self.zeros) == .none)
    #expect(Self.locate([], []) == .none)
  }

  @Test(arguments: 0..<UInt64(10))
  func `blames the parity that alone differs`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let errors = Self.errors(Int.random(in: 1...300, using: &random), of: 300, random: &random)
    #expect(Self.locate(errors, Self.zeros) == .p)
    #expect(Self.locate(Self.zeros, errors) == .q)
  }

  @Test(arguments: 0..<UInt64(10))
  func `finds the one wrong column`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    for position in 0..<255 {
      let count = Int.random(in: 1...100, using: &random)
      let p = Self.errors(count, of: 100 + Int(seed), random: &random)
      let factor = SlowField.products[Int(SlowField.power(ofTwo: position % 255))]
      let q = p.map { factor[Int($0)] }
      #expect(Self.locate(p, q) == .data(position: position))
    }
  }

  @Test(arguments: 0..<UInt64(30))
  func `does not blame one column for the errors of two`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let positions = (0..<255).shuffled(using: &random)
    let first = SlowField.products[Int(SlowField.power(ofTwo: positions[0]))]
    let second = SlowField.products[Int(SlowField.power(ofTwo: positions[1]))]
    // Two columns wrong at the same bytes, at other bytes, or one column and one parity.
    let a = Self.errors(40, of: 300, random: &random)
    let b = Self.errors(40, of: 300, random: &random)
    let both = zip(a, b).map { $0 ^ $1 }
    let qOfBoth = zip(a, b).map { first[Int($0)] ^ second[Int($1)] }
    #expect(Self.locate(both, qOfBoth) == .several)
    #expect(Self.locate(both, a.map { first[Int($0)] }) == .several)
    #expect(Self.locate(a, qOfBoth) == .several)
    #expect(Self.locate(a, b) == .several)
  }
}
