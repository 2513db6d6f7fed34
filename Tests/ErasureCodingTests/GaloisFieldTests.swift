import ErasureCoding
import Testing

@Suite struct GaloisFieldTests {
  @Test func `multiplies as shifting and adding does`() {
    for a in UInt8.min...UInt8.max {
      #expect((0..<256).map { GaloisField.multiply(a, UInt8($0)) } == SlowField.products[Int(a)])
    }
  }

  @Test func `has an inverse for everything but zero`() {
    for a in 1...UInt8.max {
      #expect(SlowField.multiply(a, GaloisField.inverse(a)) == 1)
    }
  }

  @Test func `knows every element as one power of two`() {
    #expect(Set((0..<255).map { GaloisField.power(ofTwo: $0) }).count == 255)
    for exponent in 0..<255 {
      let power = GaloisField.power(ofTwo: exponent)
      #expect(power == SlowField.power(ofTwo: exponent))
      #expect(GaloisField.logarithm(power) == exponent)
      #expect(GaloisField.power(ofTwo: exponent - 255) == power)
      #expect(GaloisField.power(ofTwo: exponent + 510) == power)
    }
  }
}
