import CKernels

/// Two sums over the same bytes, each with keys of its own: the first step of a universal hash.
package struct KeyedSums: Equatable, Sendable {
  /// With the first of the keys.
  package let first: UInt128
  /// With those after them.
  package let second: UInt128
}

extension ChecksumLevel {
  /// Over random keys, two different inputs of one length have the same sum with a chance of at most 2^-64, for each of
  /// the two: CLNH of CLHASH, and NH of UMAC and VMAC where the processor has no carry-less product. Levels do not agree:
  /// the sums are for who made the keys, as long as it runs.
  ///
  /// - Parameters:
  ///   - bytes: a multiple of 64 bytes.
  ///   - keys: twice as many.
  package func keyedSums(of bytes: RawSpan, keys: RawSpan) -> KeyedSums {
    precondition(bytes.byteCount % 64 == 0 && keys.byteCount == 2 * bytes.byteCount)
    #if arch(x86_64)
      if self != .portable { return carrylessSums(of: bytes, keys: keys) }
    #endif
    return portableKeyedSums(of: bytes, keys: keys)
  }

  #if arch(x86_64)
    private func carrylessSums(of bytes: RawSpan, keys: RawSpan) -> KeyedSums {
      var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
      // The kernels read the bytes, and twice as many of the keys, which are there, and write four words.
      unsafe bytes.withUnsafeBytes { bytes in
        unsafe keys.withUnsafeBytes { keys in
          guard let start = bytes.baseAddress, let keyStart = keys.baseAddress else { return }
          let first = unsafe start.assumingMemoryBound(to: UInt8.self)
          let firstKey = unsafe keyStart.assumingMemoryBound(to: UInt8.self)
          unsafe withUnsafeMutableBytes(of: &words) { words in
            let sums = unsafe words.baseAddress!.assumingMemoryBound(to: UInt64.self)
            switch self {
            case .portable, .sse42:
              unsafe ckernels_carryless_sums_sse42(first, firstKey, bytes.count, sums)
            case .avx2: unsafe ckernels_carryless_sums_avx2(first, firstKey, bytes.count, sums)
            case .avx512: unsafe ckernels_carryless_sums_avx512(first, firstKey, bytes.count, sums)
            }
          }
        }
      }
      return KeyedSums(
        first: UInt128(_low: words.0, _high: words.1),
        second: UInt128(_low: words.2, _high: words.3))
    }
  #endif
}

/// NH: the sum over pairs of words of (word + key) * (next word + next key), additions of words modulo 2^64, products
/// and sum modulo 2^128.
private func portableKeyedSums(of bytes: RawSpan, keys: RawSpan) -> KeyedSums {
  var first: UInt128 = 0
  var second: UInt128 = 0
  var offset = 0
  while offset < bytes.byteCount {
    // Inside the bytes, and inside twice as many keys, by the loop's condition and the caller's precondition.
    let low = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    let high = unsafe bytes.unsafeLoadUnaligned(
      fromUncheckedByteOffset: offset + 8, as: UInt64.self)
    let next = bytes.byteCount + offset
    let a = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    let b = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: offset + 8, as: UInt64.self)
    let c = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: next, as: UInt64.self)
    let d = unsafe keys.unsafeLoadUnaligned(fromUncheckedByteOffset: next + 8, as: UInt64.self)
    first &+= UInt128(low &+ a) &* UInt128(high &+ b)
    second &+= UInt128(low &+ c) &* UInt128(high &+ d)
    offset += 16
  }
  return KeyedSums(first: first, second: second)
}
