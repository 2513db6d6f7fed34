import BinaryCodec
import ErasureCoding
import Glibc

/// Stripes packed into one buffer that was written before: what the kernels walk over.
final class Workspace {
  private let base: UnsafeMutableRawPointer
  let byteCount: Int
  private var sums: [UInt32]

  init(byteCount: Int) {
    self.byteCount = byteCount
    base = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 1 << 21)
    madvise(base, byteCount, MADV_HUGEPAGE)
    sums = [UInt32](repeating: 0, count: byteCount / 4096)
    var state: UInt64 = 1
    for offset in stride(from: 0, to: byteCount, by: 8) {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      base.storeBytes(of: state ^ state >> 29, toByteOffset: offset, as: UInt64.self)
    }
  }

  deinit { base.deallocate() }

  private var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = RawSpan(_unsafeStart: base, byteCount: byteCount)
      return _overrideLifetime(span, borrowing: self)
    }
  }

  /// The first half to the second, in calls of `pieceByteCount`.
  func copy(pieceByteCount: Int) -> Int {
    let half = byteCount / 2
    for offset in stride(from: 0, to: half, by: pieceByteCount) {
      memcpy(base + half + offset, base + offset, min(pieceByteCount, half - offset))
    }
    return half
  }

  /// Applies a plan to every stripe of columns of `columnByteCount` that fits; returns the bytes of the sources. The outputs
  /// lie in the stripe, or with `reusesOutputs` all at the start of the buffer, where they stay in cache.
  func apply(_ plan: CodingPlan, columnByteCount: Int, reusesOutputs: Bool) -> Int {
    let columnCount = plan.sourceCount + plan.outputCount
    var offsets = (0..<columnCount).map { ($0 + plan.outputCount) * columnByteCount }
    if reusesOutputs {
      for index in 0..<plan.outputCount {
        offsets[plan.sourceCount + index] = index * columnByteCount
      }
    }
    let step = (reusesOutputs ? plan.sourceCount : columnCount) * columnByteCount
    let stripeCount = (byteCount - plan.outputCount * columnByteCount) / step
    for _ in 0..<stripeCount {
      var span = MutableRawSpan(_unsafeStart: base, byteCount: byteCount)
      plan.apply(
        in: &span, sources: offsets.span.extracting(0..<plan.sourceCount),
        outputs: offsets.span.extracting(plan.sourceCount..<columnCount),
        byteCount: columnByteCount)
      for index in 0..<(reusesOutputs ? plan.sourceCount : columnCount) { offsets[index] += step }
    }
    return stripeCount * plan.sourceCount * columnByteCount
  }

  func checksum(pieceByteCount: Int) -> Int {
    var all: UInt32 = 0
    for offset in stride(from: 0, to: byteCount, by: pieceByteCount) {
      all ^= crc32c(bytes.extracting(offset..<min(offset + pieceByteCount, byteCount)))
    }
    sums[0] = all
    return byteCount
  }

  func sumBlocks() -> Int {
    var span = sums.mutableSpan
    blockSums(
      of: bytes, range: 0..<byteCount, firstBlock: 0, prefixRegister: 1, into: &span, at: 0)
    return byteCount
  }
}
