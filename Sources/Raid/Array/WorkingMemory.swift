import BinaryCodec
import LinuxSystem
import Synchronization

/// What one thread works in: a large buffer that is cut into columns as each operation likes, a block
/// for every slot, and scratch for offsets and sums. Nothing in it outlives an operation but its size.
struct WorkingMemory: ~Copyable {
  /// Cut into columns; page-aligned.
  var buffer: AlignedBuffer
  /// One block of 4 KiB for every slot and two more.
  var blocks: AlignedBuffer
  /// Room for the sums of blocks.
  let sums = SumScratch()

  init(byteCount: Int, slotCount: Int) {
    buffer = AlignedBuffer(byteCount: byteCount)
    blocks = AlignedBuffer(byteCount: (slotCount + 2) * 4096)
  }

  /// Copies one of `blocks` to a place in `buffer`.
  mutating func copyBlock(_ index: Int, to place: Int) {
    Self.copy(blocks, index * 4096..<(index + 1) * 4096, to: &buffer, at: place)
  }

  static func copy(
    _ source: borrowing AlignedBuffer, _ range: Range<Int>, to target: inout AlignedBuffer,
    at place: Int
  ) {
    var bytes = target.mutableBytes
    bytes.copy(source.bytes.sub(range), at: place)
  }

  /// How large to make the buffer: large pieces for every member, and a bound for very many of them.
  static func byteCount(slotCount: Int) -> Int {
    max(6 << 20, min(24 << 20, slotCount * (256 << 10)))
  }
}
