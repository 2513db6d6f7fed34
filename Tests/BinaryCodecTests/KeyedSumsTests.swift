import Testing

@testable import BinaryCodec

/// Bit by bit, from the definition.
private func carrylessProduct(_ left: UInt64, _ right: UInt64) -> UInt128 {
  (0..<64).reduce(0) { right >> $1 & 1 == 1 ? $0 ^ UInt128(left) << UInt128($1) : $0 }
}

private func words(_ bytes: some Collection<UInt8>) -> [UInt64] {
  let bytes = Array(bytes)
  return stride(from: 0, to: bytes.count, by: 8).map { start in
    (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
  }
}

private func slowSum(
  of bytes: [UInt8], keys: some Collection<UInt8>, isCarryless: Bool
) -> UInt128 {
  let (words, keys) = (words(bytes), words(keys))
  return stride(from: 0, to: words.count, by: 2).reduce(0) { sum, index in
    if isCarryless {
      return sum
        ^ carrylessProduct(words[index] ^ keys[index], words[index + 1] ^ keys[index + 1])
    }
    return sum &+ UInt128(words[index] &+ keys[index])
      &* UInt128(words[index + 1] &+ keys[index + 1])
  }
}

@Suite struct KeyedSumsTests {
  @Test(arguments: ChecksumLevel.available)
  func `agrees with the definition`(level: ChecksumLevel) {
    var random = SplitMix(seed: 1)
    for byteCount in [0, 64, 128, 192, 4096, 65536] {
      let bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
      let keys = (0..<2 * byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
      let sums = level.keyedSums(of: bytes.span.bytes, keys: keys.span.bytes)
      let isCarryless = level != .portable
      #expect(sums.first == slowSum(of: bytes, keys: keys[..<byteCount], isCarryless: isCarryless))
      #expect(sums.second == slowSum(of: bytes, keys: keys[byteCount...], isCarryless: isCarryless))
    }
  }
}
