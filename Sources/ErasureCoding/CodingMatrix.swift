/// Matrices over GF(2^8), as rows.
enum CodingMatrix {
  /// The sum of `rows`, each multiplied by its factor; `count` is the length of a row.
  static func combination(_ factors: [UInt8], of rows: [[UInt8]], count: Int) -> [UInt8] {
    precondition(factors.count == rows.count)
    var sum = [UInt8](repeating: 0, count: count)
    for (factor, row) in zip(factors, rows) where factor != 0 {
      for column in 0..<count { sum[column] ^= GaloisField.multiply(factor, row[column]) }
    }
    return sum
  }

  /// The inverse of a square matrix by Gauss and Jordan's elimination; nil when there is none.
  static func inverse(of matrix: [[UInt8]]) -> [[UInt8]]? {
    let count = matrix.count
    var left = matrix
    var right = (0..<count).map { row in (0..<count).map { UInt8($0 == row ? 1 : 0) } }
    for column in 0..<count {
      guard let pivot = (column..<count).first(where: { left[$0][column] != 0 }) else { return nil }
      left.swapAt(pivot, column)
      right.swapAt(pivot, column)
      let scale = GaloisField.inverse(left[column][column])
      left[column] = left[column].map { GaloisField.multiply(scale, $0) }
      right[column] = right[column].map { GaloisField.multiply(scale, $0) }
      for row in 0..<count where row != column && left[row][column] != 0 {
        let factor = left[row][column]
        for index in 0..<count {
          left[row][index] ^= GaloisField.multiply(factor, left[column][index])
          right[row][index] ^= GaloisField.multiply(factor, right[column][index])
        }
      }
    }
    return right
  }
}
