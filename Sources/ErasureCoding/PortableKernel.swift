// The kernels in Swift, 64 bytes at a time as eight words: the only ones where the processor is unknown, the last bytes of
// a column everywhere, and the ones the others are compared with.
//
// There is no table and no multiplication. By Horner's rule, over the bits b of the coefficients c,
//
//   sum of c[s] * d[s]  =  (((sum of the d[s] with bit 7 set) * 2 + sum of those with bit 6 set) * 2 + …)
//
// so an output takes seven doublings in all, whatever the number of sources, and an exclusive or for every set bit.
// Coefficients that are powers of two in a row, as in Q, need no bits: one doubling between two sources. Both are lists
// of steps "double n times, then add source s", made once per plan.

/// Eight words, a register or a few.
typealias Words = SIMD8<UInt64>

enum PortableKernel {
  /// output = the steps' sum, or with `accumulating` has it added.
  static func sum(
    _ steps: [CodingStep], in base: UnsafeMutableRawPointer, sources: Span<Int>, output: Int,
    byteCount: Int, accumulating: Bool
  ) {
    let whole = byteCount & ~63
    for offset in stride(from: 0, to: whole, by: 64) {
      let column = unsafe base + offset
      var sum = Words.zero
      for index in steps.indices {
        let step = steps[index]
        for _ in 0..<step.doublings { sum = doubled(sum) }
        if let source = step.source {
          sum ^= unsafe column.loadUnaligned(fromByteOffset: sources[Int(source)], as: Words.self)
        }
      }
      if accumulating {
        sum ^= unsafe column.loadUnaligned(fromByteOffset: output, as: Words.self)
      }
      unsafe column.storeBytes(of: sum, toByteOffset: output, as: Words.self)
    }
    for offset in whole..<byteCount {
      let column = unsafe base + offset
      var sum: UInt8 = 0
      for index in steps.indices {
        let step = steps[index]
        for _ in 0..<step.doublings { sum = sum << 1 ^ (sum >> 7) &* 0x1d }
        if let source = step.source {
          sum ^= unsafe column.load(fromByteOffset: sources[Int(source)], as: UInt8.self)
        }
      }
      if accumulating { sum ^= unsafe column.load(fromByteOffset: output, as: UInt8.self) }
      unsafe column.storeBytes(of: sum, toByteOffset: output, as: UInt8.self)
    }
  }

  /// output = the sum of the sources. Whole pieces of 64 bytes only.
  static func xor(
    in base: UnsafeMutableRawPointer, sources: Span<Int>, output: Int, byteCount: Int,
    accumulating: Bool
  ) {
    for piece in CodingPieces(sourceCount: sources.count, byteCount: byteCount) {
      unsafe xorPiece(
        in: base + piece.offset, sources: sources.extracting(piece.sources), output: output,
        byteCount: piece.byteCount, accumulating: accumulating || piece.sources.lowerBound > 0)
    }
  }

  private static func xorPiece(
    in base: UnsafeMutableRawPointer, sources: Span<Int>, output: Int, byteCount: Int,
    accumulating: Bool
  ) {
    let paired = byteCount & ~127
    for offset in stride(from: 0, to: paired, by: 128) {
      let column = unsafe base + offset
      var low = Words.zero
      var high = Words.zero
      if accumulating {
        low = unsafe column.loadUnaligned(fromByteOffset: output, as: Words.self)
        high = unsafe column.loadUnaligned(fromByteOffset: output + 64, as: Words.self)
      }
      for index in sources.indices {
        let source = sources[index]
        low ^= unsafe column.loadUnaligned(fromByteOffset: source, as: Words.self)
        high ^= unsafe column.loadUnaligned(fromByteOffset: source + 64, as: Words.self)
      }
      unsafe column.storeBytes(of: low, toByteOffset: output, as: Words.self)
      unsafe column.storeBytes(of: high, toByteOffset: output + 64, as: Words.self)
    }
    if paired < byteCount {
      let column = unsafe base + paired
      var sum =
        accumulating ? unsafe column.loadUnaligned(fromByteOffset: output, as: Words.self) : .zero
      for index in sources.indices {
        sum ^= unsafe column.loadUnaligned(fromByteOffset: sources[index], as: Words.self)
      }
      unsafe column.storeBytes(of: sum, toByteOffset: output, as: Words.self)
    }
  }

  /// p = the sum of the sources, q = the steps' sum, which takes every source once. Whole pieces of 64 bytes only.
  static func pq(
    _ steps: [CodingStep], in base: UnsafeMutableRawPointer, sources: Span<Int>, p: Int, q: Int,
    byteCount: Int, accumulating: Bool
  ) {
    for offset in stride(from: 0, to: byteCount, by: 64) {
      let column = unsafe base + offset
      var sum = Words.zero
      var weighted = Words.zero
      for index in steps.indices {
        let step = steps[index]
        for _ in 0..<step.doublings { weighted = doubled(weighted) }
        if let source = step.source {
          let data = unsafe column.loadUnaligned(
            fromByteOffset: sources[Int(source)], as: Words.self)
          sum ^= data
          weighted ^= data
        }
      }
      if accumulating {
        sum ^= unsafe column.loadUnaligned(fromByteOffset: p, as: Words.self)
        weighted ^= unsafe column.loadUnaligned(fromByteOffset: q, as: Words.self)
      }
      unsafe column.storeBytes(of: sum, toByteOffset: p, as: Words.self)
      unsafe column.storeBytes(of: weighted, toByteOffset: q, as: Words.self)
    }
  }

  /// Twice each byte: shifted, and 0x1d added where a bit fell out.
  @inline(__always)
  private static func doubled(_ words: Words) -> Words {
    let carry = words & 0x8080_8080_8080_8080
    let reduction = (carry &- (carry &>> 7)) & 0x1d1d_1d1d_1d1d_1d1d
    return ((words ^ carry) &<< 1) ^ reduction
  }
}
