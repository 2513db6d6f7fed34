import CKernels

// The sum of a block tells three things apart: never written (0: the block is all zeros, as fresh members are), written
// here (a CRC-32C that covers where the block belongs, so that a block that went astray is found out), and anything
// else. A CRC that happens to be 0 is stored as 1.

/// Bytes covered by one sum.
private let blockByteCount = 4096

/// The sums of consecutive blocks of 4096 bytes that start at the start of `range`, written to `sums[index...]`.
///
/// A sum is 0 when the block is all zeros; else the CRC-32C that goes on from `prefixRegister` over the block's number (8
/// bytes, little-endian; `firstBlock` and up) and its bytes, 1 if that is 0. A short last block counts as padded with zeros.
package func blockSums(
  of buffer: RawSpan, range: Range<Int>, firstBlock: UInt64, prefixRegister: UInt32,
  into sums: inout MutableSpan<UInt32>, at index: Int
) {
  let blocks = BlockRun(
    bytes: buffer.extracting(range), firstBlock: firstBlock, prefixRegister: prefixRegister)
  precondition(index >= 0 && index + blocks.count <= sums.count)
  var group = [16 of UInt32](repeating: 0)
  for start in stride(from: 0, to: blocks.count, by: group.count) {
    let count = blocks.sums(from: start, into: &group, level: .best)
    for offset in 0..<count { sums[index + start + offset] = group[offset] }
  }
}

/// The index of the first block, counted from the start of `range`, whose sum is not `expected[index...]`; nil if all are right.
package func firstBadBlock(
  of buffer: RawSpan, range: Range<Int>, firstBlock: UInt64, prefixRegister: UInt32,
  expected: Span<UInt32>, at index: Int
) -> Int? {
  let blocks = BlockRun(
    bytes: buffer.extracting(range), firstBlock: firstBlock, prefixRegister: prefixRegister)
  precondition(index >= 0 && index + blocks.count <= expected.count)
  var group = [16 of UInt32](repeating: 0)
  for start in stride(from: 0, to: blocks.count, by: group.count) {
    let count = blocks.sums(from: start, into: &group, level: .best)
    for offset in 0..<count where expected[index + start + offset] != group[offset] {
      return start + offset
    }
  }
  return nil
}

/// Consecutive blocks and what their sums start from.
struct BlockRun: ~Escapable {
  let bytes: RawSpan
  let firstBlock: UInt64
  let prefixRegister: UInt32

  @_lifetime(copy bytes)
  init(bytes: RawSpan, firstBlock: UInt64, prefixRegister: UInt32) {
    self.bytes = bytes
    self.firstBlock = firstBlock
    self.prefixRegister = prefixRegister
  }

  var count: Int { (bytes.byteCount + blockByteCount - 1) / blockByteCount }

  /// Up to 16 sums, the first one that of block `start`; returns how many.
  func sums(from start: Int, into group: inout [16 of UInt32], level: ChecksumLevel) -> Int {
    let count = min(group.count, self.count - start)
    let offset = start * blockByteCount
    let wholeCount = min(count, (bytes.byteCount - offset) / blockByteCount)
    registers(from: start, count: wholeCount, into: &group, level: level)
    for block in 0..<wholeCount {
      let at = offset + block * blockByteCount
      group[block] = stored(group[block], isZero: isZero(bytes, range: at..<at + blockByteCount))
    }
    if wholeCount < count { group[wholeCount] = shortSum(level: level) }
    return count
  }

  private func registers(
    from start: Int, count: Int, into group: inout [16 of UInt32], level: ChecksumLevel
  ) {
    let first = firstBlock &+ UInt64(start)
    #if arch(x86_64)
      if level != .portable {
        let whole = bytes.extracting(
          start * blockByteCount..<(start + count) * blockByteCount)
        var span = group.mutableSpan
        // The kernel reads `count` blocks from the one pointer and writes `count` <= 16 registers to the other.
        unsafe whole.withUnsafeBytes { blocks in
          unsafe span.withUnsafeMutableBufferPointer { sums in
            guard let base = blocks.baseAddress, let registers = sums.baseAddress,
              count > 0
            else { return }
            let source = unsafe base.assumingMemoryBound(to: UInt8.self)
            switch level {
            case .portable, .sse42:
              unsafe ckernels_crc32c_blocks_sse42(prefixRegister, first, source, count, registers)
            case .avx2:
              unsafe ckernels_crc32c_blocks_avx2(prefixRegister, first, source, count, registers)
            case .avx512:
              unsafe ckernels_crc32c_blocks_avx512(prefixRegister, first, source, count, registers)
            }
          }
        }
        return
      }
    #endif
    for block in 0..<count {
      let offset = (start + block) * blockByteCount
      let numbered = portableRegister(after: first &+ UInt64(block), from: prefixRegister)
      group[block] = portableRegister(
        after: bytes.extracting(offset..<offset + blockByteCount), from: numbered)
    }
  }

  /// The sum of the last block, which is shorter than the others, as if zeros followed it.
  private func shortSum(level: ChecksumLevel) -> UInt32 {
    let offset = (count - 1) * blockByteCount
    var register = level.register(after: firstBlock &+ UInt64(count - 1), from: prefixRegister)
    register = level.register(after: bytes.extracting(offset..<bytes.byteCount), from: register)
    let zeros = [4096 of UInt8](repeating: 0)
    // Bytes have no padding between them that could be read.
    let padding = unsafe zeros.span.bytes.extracting(0..<count * blockByteCount - bytes.byteCount)
    register = level.register(after: padding, from: register)
    return stored(register, isZero: isZero(bytes, range: offset..<bytes.byteCount))
  }

  private func stored(_ register: UInt32, isZero: Bool) -> UInt32 {
    isZero ? 0 : max(1, ~register)
  }
}

/// Whether every byte of the range is zero. Stops at the first that is not.
package func isZero(_ buffer: RawSpan, range: Range<Int>) -> Bool {
  let bytes = buffer.extracting(range)
  return unsafe bytes.withUnsafeBytes { bytes in
    // Both offsets stay below the count, and any bits are integers.
    var offset = 0
    while offset + 64 <= bytes.count {
      let words = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
      if words != .zero { return false }
      offset += 64
    }
    while offset < bytes.count {
      if unsafe bytes[offset] != 0 { return false }
      offset += 1
    }
    return true
  }
}
