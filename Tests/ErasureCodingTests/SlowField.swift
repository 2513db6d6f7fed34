/// GF(2^8) once more, by shifting and adding, with nothing of the product's code: what the product is compared with.
enum SlowField {
  static func multiply(_ a: UInt8, _ b: UInt8) -> UInt8 {
    var (a, b, product) = (a, b, UInt8(0))
    while b != 0 {
      if b & 1 == 1 { product ^= a }
      let falls = a & 0x80 != 0
      a <<= 1
      if falls { a ^= 0x1d }
      b >>= 1
    }
    return product
  }

  /// 2 to a power, one doubling at a time.
  static func power(ofTwo exponent: Int) -> UInt8 {
    (0..<exponent).reduce(1) { power, _ in multiply(2, power) }
  }

  static let inverses: [UInt8] = (0..<256).map { a in
    UInt8((0..<256).first { multiply(UInt8(a), UInt8($0)) == 1 } ?? 0)
  }

  static let products: [[UInt8]] = (0..<256).map { a in
    (0..<256).map { multiply(UInt8(a), UInt8($0)) }
  }

  /// Whether a square matrix has an inverse, by elimination below the diagonal.
  static func isInvertible(_ matrix: [[UInt8]]) -> Bool {
    var rows = matrix
    for column in rows.indices {
      guard let pivot = (column..<rows.count).first(where: { rows[$0][column] != 0 }) else {
        return false
      }
      rows.swapAt(column, pivot)
      let scale = products[Int(inverses[Int(rows[column][column])])]
      for row in (column + 1)..<max(rows.count, column + 1) {
        let factor = products[Int(scale[Int(rows[row][column])])]
        for index in column..<rows.count {
          rows[row][index] ^= factor[Int(rows[column][index])]
        }
      }
    }
    return true
  }
}
