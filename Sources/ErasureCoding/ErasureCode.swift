// Parities are sums of the data with coefficients of GF(2^8):
//
//   P = d0 + d1 + d2 + …                    Linux md's first parity
//   Q = d0 + 2 d1 + 4 d2 + …                Linux md's second parity: 2^e at position e
//   parity j >= 2: (x_j + 1) / (x_j + y_e)  with y_e = 2^-e and x_j = 2^(j - 256)
//
// All of them are rows of one matrix 1 / (x + y_e), Cauchy's, each multiplied by a constant: Q is the row x = 0, since
// 1 / y_e = 2^e; P is the row of x "at infinity", x / (x + y_e) = 1; and a factor of x_j + 1 makes the coefficient of
// position 0 a 1. Every square part of Cauchy's matrix is invertible as long as the x differ from each other and the y
// from each other and no x is a y, and a row of ones may be added, and rows may be multiplied: nothing of this makes a
// determinant zero. So any lost members, as many as there are parities, are found again. (Powers of 1, 2, 4, 8 … would be
// faster but are not such a code beyond three parities.)
//
// The y use up exponents 0, -1, -2, … and the x come from the far end, -254, -253, …, whatever the number of members: a
// parity does not change when members that hold zeros are added.

/// The code of a stripe: how parities follow from data, and anything lost from what is left.
package struct ErasureCode: Sendable {
  /// The most parities a stripe can have.
  package static let maximumParityCount = 6

  /// How many parities a stripe has: as many lost columns can be found again.
  package let parityCount: Int

  /// A code of 0 to 6 parities; data positions and parities together are at most 255.
  package init(parityCount: Int) {
    precondition((0...Self.maximumParityCount).contains(parityCount))
    self.parityCount = parityCount
  }

  /// What the data at a position is multiplied with in a parity: 1 in P, 2^position in Q.
  package static func coefficient(parity: Int, position: Int) -> UInt8 {
    precondition((0..<maximumParityCount).contains(parity))
    precondition(position >= 0 && position < min(255, 256 - parity), "no such position")
    switch parity {
    case 0: return 1
    case 1: return GaloisField.power(ofTwo: position)
    default:
      let x = GaloisField.power(ofTwo: parity - 256)
      let y = GaloisField.power(ofTwo: -position)
      return GaloisField.multiply(x ^ 1, GaloisField.inverse(x ^ y))
    }
  }

  /// The plan for `parities` of the data columns at `positions`, which are its sources, in that order.
  package func encoding(positions: [Int], parities: [Int]) -> CodingPlan {
    precondition(parities.allSatisfy { (0..<parityCount).contains($0) })
    checkPositions(positions)
    return CodingPlan(
      coefficients: parities.map { parity in
        positions.map { Self.coefficient(parity: parity, position: $0) }
      }, sourceCount: positions.count)
  }

  func checkPositions(_ positions: [Int]) {
    precondition(positions.count + parityCount <= 255, "too many columns for one byte")
    precondition(Set(positions).count == positions.count, "a position is taken twice")
  }
}
