/// Multiplication by each of the 256 constants, in the forms that vector instructions take.
enum MultiplicationTables {
  /// As a matrix over bits: byte 7 - i is the row of result bit i, its bit j set when bit j of the operand counts.
  static let matrices: [UInt64] = (0..<256).map { constant in
    var matrix: UInt64 = 0
    for operandBit in 0..<8 {
      let product = GaloisField.multiply(UInt8(constant), 1 << operandBit)
      for resultBit in 0..<8 where product >> resultBit & 1 == 1 {
        matrix |= 1 << UInt64(8 * (7 - resultBit) + operandBit)
      }
    }
    return matrix
  }

  /// The products with 0...15, then with 0x00, 0x10 … 0xf0.
  static func shuffles(of constant: UInt8) -> ArraySlice<UInt8> {
    allShuffles[32 * Int(constant)..<32 * (Int(constant) + 1)]
  }

  private static let allShuffles: [UInt8] = (0..<256).flatMap { constant in
    (0..<32).map { index in
      GaloisField.multiply(UInt8(constant), UInt8(index < 16 ? index : (index - 16) << 4))
    }
  }
}
