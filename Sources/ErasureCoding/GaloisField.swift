// The field of 256 elements. A byte is a polynomial over the two-element field, its bit i the coefficient of x^i; sums are
// exclusive or, so every element is its own negative; products are taken modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the
// polynomial of Linux md. Its x, the element 2, generates all 255 others: every one of them is 2^e for one e in 0..<255.

/// Arithmetic in GF(2^8) modulo 0x11d. For coefficients and single bytes; columns of bytes go through a `CodingPlan`.
package enum GaloisField {
  /// The product of two elements.
  package static func multiply(_ a: UInt8, _ b: UInt8) -> UInt8 {
    guard a != 0, b != 0 else { return 0 }
    return power(ofTwo: Int(logarithms[Int(a)]) + Int(logarithms[Int(b)]))
  }

  /// The element whose product with `a` is 1; `a` is not 0.
  package static func inverse(_ a: UInt8) -> UInt8 {
    power(ofTwo: -logarithm(a))
  }

  /// 2 to the power of any exponent, also a negative one.
  package static func power(ofTwo exponent: Int) -> UInt8 {
    let residue = exponent % 255
    return powers[residue < 0 ? residue + 255 : residue]
  }

  /// The exponent in 0..<255 for which 2 to that power is `a`; `a` is not 0.
  package static func logarithm(_ a: UInt8) -> Int {
    precondition(a != 0, "zero is no power of two")
    return Int(logarithms[Int(a)])
  }

  private static func doubled(_ a: UInt8) -> UInt8 { a << 1 ^ (a >= 0x80 ? 0x1d : 0) }

  private static let powers: [255 of UInt8] = {
    var powers = [255 of UInt8](repeating: 1)
    for exponent in 1..<255 { powers[exponent] = doubled(powers[exponent - 1]) }
    return powers
  }()

  private static let logarithms: [256 of UInt8] = {
    var logarithms = [256 of UInt8](repeating: 0)
    for exponent in 0..<255 { logarithms[Int(powers[exponent])] = UInt8(exponent) }
    return logarithms
  }()
}
