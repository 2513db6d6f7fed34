import BinaryCodec
import LinuxSystem

// A hash of pages by which two can be taken for the same, whoever made them.
//
// Two hashes of about 61 bits each, with keys of their own that are drawn anew for each image and never leave
// the program. Each is in two steps, both universal: over the random keys, two different inputs meet with a small
// chance that is proved, whatever the inputs are.
//
// 1. NH, from UMAC and VMAC: the sum over pairs of words of (m[2i] + k[2i]) * (m[2i+1] + k[2i+1]), additions of
//    words modulo 2^64, products and sum modulo 2^128. Two different pages meet with a chance of at most 2^-64.
// 2. A linear combination of the 128 bits, as four words of 32 bits, modulo the prime 2^61 - 1, with random
//    factors below it: different inputs meet with a chance of at most 2^-61.
//
// So two different pages have the same hash with a chance of at most (2^-64 + 2^-61)^2, less than 2^-121. Among
// 2^28 pages, a terabyte, there are 2^55 pairs: one of them in 2^66 images. A CRC or an unkeyed hash would not
// do: a process could make a page that takes the place of another process's.

/// The keys of a hash, and the hash.
struct PageHash: ~Copyable, Sendable {
  /// A page's: equal for equal pages.
  struct Value: Hashable, Sendable {
    let first: UInt64
    let second: UInt64
  }

  private let keys: AlignedBuffer
  private let pageByteCount: Int

  private static let prime: UInt64 = 1 << 61 - 1
  /// Of the second step: four factors for each of the two hashes.
  private static let factorByteCount = 8 * 8

  init(pageByteCount: Int, using random: inout some RandomNumberGenerator) {
    precondition(pageByteCount % 16 == 0)
    self.pageByteCount = pageByteCount
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

  func value(of page: RawSpan) -> Value {
    precondition(page.byteCount == pageByteCount)
    let keys = keys.bytes
    var first: UInt128 = 0
    var second: UInt128 = 0
    var offset = 0
    while offset < pageByteCount {
      // Inside the page, and inside twice as many keys, by the loop's condition and the precondition.
      let low = unsafe page.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
      let high = unsafe page.unsafeLoadUnaligned(
        fromUncheckedByteOffset: offset + 8, as: UInt64.self)
      let key = 2 * offset
      let a = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: key, as: UInt64.self)
      let b = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: key + 8, as: UInt64.self)
      let c = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: key + 16, as: UInt64.self)
      let d = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: key + 24, as: UInt64.self)
      first &+= UInt128(low &+ a) &* UInt128(high &+ b)
      second &+= UInt128(low &+ c) &* UInt128(high &+ d)
      offset += 16
    }
    return Value(first: combined(first, factors: 0), second: combined(second, factors: 4))
  }

  /// The second step, with four factors from this one on.
  private func combined(_ sum: UInt128, factors: Int) -> UInt64 {
    var total: UInt128 = 0
    for index in 0..<4 {
      let word = UInt64(truncatingIfNeeded: sum >> UInt128(32 * index)) & 0xffff_ffff
      let factor: UInt64 = keys.bytes.integer(at: 2 * pageByteCount + 8 * (factors + index))
      total += UInt128(word) * UInt128(factor)  // below 2^95
    }
    return UInt64(total % UInt128(Self.prime))
  }
}
