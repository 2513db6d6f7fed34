import BinaryCodec
import LinuxSystem

// A hash of pages by which two can be taken for the same, whoever made them.
//
// Two hashes of about 61 bits each, with keys of their own that are drawn anew for each image and never leave
// the program. Each is in two steps, both universal: over the random keys, two different inputs meet with a small
// chance that is proved, whatever the inputs are.
//
// 1. A sum of products of words and keys, CLNH or NH (see `ChecksumLevel.keyedSums`). Two different pages meet with a
//    chance of at most 2^-64.
// 2. A linear combination of the 128 bits, as four words of 32 bits, modulo the prime 2^61 - 1, with random
//    factors below it: different inputs meet with a chance of at most 2^-61.
//
// So two different pages have the same hash with a chance of at most (2^-64 + 2^-61)^2, less than 2^-121. Among
// 2^28 pages, a terabyte, there are 2^55 pairs: one of them in 2^66 images. A CRC or an unkeyed hash would not
// do: a process could make a page that takes the place of another process's.

/// The hash of a page: equal for equal pages.
package struct PageDigest: Hashable, Sendable {
  let first: UInt64
  let second: UInt64
}

/// The keys of a hash, and the hash.
struct PageHash: ~Copyable, Sendable {
  private let keys: AlignedBuffer
  private let pageByteCount: Int
  private let level: ChecksumLevel

  private static let prime: UInt64 = 1 << 61 - 1
  /// Of the second step: four factors for each of the two hashes.
  private static let factorByteCount = 8 * 8

  init(
    pageByteCount: Int, level: ChecksumLevel = .best, using random: inout some RandomNumberGenerator
  ) {
    self.pageByteCount = pageByteCount
    self.level = level
    var keys = AlignedBuffer(byteCount: 2 * pageByteCount + Self.factorByteCount)
    var bytes = keys.mutableBytes
    for offset in stride(from: 0, to: 2 * pageByteCount, by: 8) {
      bytes.store(random.next(), at: offset)
    }
    for offset in stride(from: 2 * pageByteCount, to: bytes.byteCount, by: 8) {
      bytes.store(UInt64.random(in: 0..<Self.prime, using: &random), at: offset)
    }
    self.keys = keys
  }

  func digest(of page: RawSpan) -> PageDigest {
    precondition(page.byteCount == pageByteCount)
    let sums = level.keyedSums(of: page, keys: keys.bytes.sub(0..<2 * pageByteCount))
    return PageDigest(
      first: combined(sums.first, factors: 0), second: combined(sums.second, factors: 4))
  }

  /// The second step, with four factors from this one on.
  private func combined(_ sum: UInt128, factors: Int) -> UInt64 {
    var total: UInt128 = 0
    for index in 0..<4 {
      let word = UInt64(truncatingIfNeeded: sum >> UInt128(32 * index)) & 0xffff_ffff
      let factor: UInt64 = keys.bytes.integer(at: 2 * pageByteCount + 8 * (factors + index))
      total += UInt128(word) * UInt128(factor)  // below 2^95
    }
    // 2^61 is 1 modulo the prime.
    let sum =
      UInt64(truncatingIfNeeded: total) & Self.prime + UInt64(truncatingIfNeeded: total >> 61)
    return sum < Self.prime ? sum : sum - Self.prime
  }
}
