/// GF(2^8) and CRC-32C as their definitions say.
package enum SlowCode {
  private static let products: [[UInt8]] = (0..<256).map { a in
    (0..<256).map { b in multiplied(UInt8(a), UInt8(b)) }
  }

  private static func multiplied(_ a: UInt8, _ b: UInt8) -> UInt8 {
    var (a, b, product) = (UInt16(a), b, UInt16(0))
    while b != 0 {
      if b & 1 != 0 { product ^= a }
      a <<= 1
      if a & 0x100 != 0 { a ^= 0x11d }
      b >>= 1
    }
    return UInt8(product)
  }

  private static func power(_ exponent: Int) -> UInt8 {
    var value: UInt8 = 1
    for _ in 0..<((exponent % 255 + 255) % 255) { value = multiplied(value, 2) }
    return value
  }

  private static func inverse(_ value: UInt8) -> UInt8 {
    (1...255).map { UInt8($0) }.first { multiplied($0, value) == 1 }!
  }

  /// What a parity takes of the data with this exponent.
  package static func coefficient(_ parity: Int, _ exponent: Int) -> UInt8 {
    switch parity {
    case 0: return 1
    case 1: return power(exponent)
    default:
      let x = power(parity - 256)
      return multiplied(x ^ 1, inverse(x ^ power(-exponent)))
    }
  }

  /// Adds multiples of bytes to others.
  package static func add(_ bytes: ArraySlice<UInt8>, times factor: UInt8, to sum: inout [UInt8]) {
    let table = products[Int(factor)]
    bytes.withUnsafeBufferPointer { bytes in
      table.withUnsafeBufferPointer { table in
        sum.withUnsafeMutableBufferPointer { sum in
          for index in sum.indices { sum[index] ^= table[Int(bytes[index])] }
        }
      }
    }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 != 0 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
  }

  /// The register of CRC-32C after these bytes.
  package static func register(_ bytes: [UInt8], from start: UInt32 = .max) -> UInt32 {
    register(bytes[...], from: start)
  }

  /// The register of CRC-32C after these bytes.
  package static func register(_ bytes: ArraySlice<UInt8>, from start: UInt32 = .max) -> UInt32 {
    var register = start
    table.withUnsafeBufferPointer { table in
      bytes.withUnsafeBufferPointer { bytes in
        // No iterator: in a debug build each of its steps is several calls.
        var index = 0
        while index < bytes.count {
          register = table[Int((register ^ UInt32(bytes[index])) & 255)] ^ register >> 8
          index += 1
        }
      }
    }
    return register
  }

  /// Whether these, within a block, are all zeros.
  package static func isZero(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    bytes.same(range, as: zeros, at: 0)
  }

  private static let zeros = [UInt8](repeating: 0, count: 4096)

  /// The sum of a block of a member's data.
  package static func blockSum(_ bytes: ArraySlice<UInt8>, number: Int, prefix: UInt32) -> UInt32 {
    if Array(bytes).same(0..<bytes.count, as: zeros, at: 0) { return 0 }
    let numbered = register(
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }, from: prefix)
    return max(1, ~register(zeros[bytes.count...], from: register(bytes, from: numbered)))
  }
}
