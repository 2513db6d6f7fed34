// When P and Q of a stripe both do not match the data, one wrong data column at position z explains it only if its error d
// adds d to P and 2^z d to Q at every byte. The quotient of the two differences then is 2^z wherever they are not zero.
// Wrong bytes in several columns give one common quotient only by chance, 1 in 255 for each byte after the first.

/// Which single column of a RAID 6 block explains how its parities differ from what is stored.
package enum ParitySuspect: Hashable, Sendable {
  /// Both parities match.
  case none
  /// Only P differs: P itself is wrong.
  case p
  /// Only Q differs: Q itself is wrong.
  case q
  /// The data at this code position is wrong; there may be no such position in the stripe.
  case data(position: Int)
  /// No single column explains it.
  case several
}

/// Finds the one wrong column from the syndromes, stored P ^ computed P and stored Q ^ computed Q, two ranges of
/// `byteCount` bytes of `buffer`. A short range says more surely which: look at each block of a chunk apart.
package func locateError(
  in buffer: RawSpan, pSyndrome: Int, qSyndrome: Int, byteCount: Int
) -> ParitySuspect {
  let p = buffer.extracting(pSyndrome..<pSyndrome + byteCount)
  let q = buffer.extracting(qSyndrome..<qSyndrome + byteCount)
  var suspect = ParitySuspect.none
  var products = [256 of UInt8](repeating: 0)
  var offset = 0
  while offset < byteCount {
    // The offset, and with it seven more bytes, was found to be within both; any bits are an integer.
    if offset + 8 <= byteCount,
      unsafe p.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self) == 0,
      unsafe q.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self) == 0
    {
      offset += 8
      continue
    }
    for index in offset..<min(offset + 8, byteCount) {
      let pByte = unsafe p.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt8.self)
      let qByte = unsafe q.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt8.self)
      guard pByte != 0 || qByte != 0 else { continue }
      if suspect == .none {
        suspect = ParitySuspect(pByte: pByte, qByte: qByte)
        if case .data(let position) = suspect { products = multiples(ofPower: position) }
      } else if !suspect.explains(pByte: pByte, qByte: qByte, products: products) {
        return .several
      }
    }
    offset += 8
  }
  return suspect
}

extension ParitySuspect {
  /// What explains one pair of bytes that are not both zero.
  fileprivate init(pByte: UInt8, qByte: UInt8) {
    if qByte == 0 {
      self = .p
    } else if pByte == 0 {
      self = .q
    } else {
      let quotient = GaloisField.logarithm(qByte) - GaloisField.logarithm(pByte)
      self = .data(position: quotient < 0 ? quotient + 255 : quotient)
    }
  }

  fileprivate func explains(pByte: UInt8, qByte: UInt8, products: borrowing [256 of UInt8]) -> Bool
  {
    switch self {
    case .none, .several: false
    case .p: qByte == 0
    case .q: pByte == 0
    case .data: products[Int(pByte)] == qByte
    }
  }
}

/// The products of 2 to a power with every byte.
private func multiples(ofPower exponent: Int) -> [256 of UInt8] {
  let factor = GaloisField.power(ofTwo: exponent)
  var products = [256 of UInt8](repeating: 0)
  for byte in 0..<256 { products[byte] = GaloisField.multiply(factor, UInt8(byte)) }
  return products
}
