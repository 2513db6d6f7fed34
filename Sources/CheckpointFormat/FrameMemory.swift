import BinaryCodec
import LinuxSystem

/// The memory of one frame: data on a page boundary, and before it room for table and head, so that all
/// of a frame goes out in one write.
struct FrameMemory: ~Copyable, Sendable {
  private var buffer: AlignedBuffer

  /// Where the data is.
  static let dataOffset = 4096
  static let byteCount = dataOffset + FrameHead.rawByteLimit

  init() { buffer = AlignedBuffer(byteCount: Self.byteCount) }

  /// All of it.
  var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get { buffer.bytes }
  }

  /// All of it, to change.
  var mutableBytes: MutableRawSpan {
    @_lifetime(&self) mutating get { buffer.mutableBytes }
  }

  /// Room for this much data, at most `FrameHead.rawByteLimit`.
  @_lifetime(&self)
  mutating func mutableData(byteCount: Int) -> MutableRawSpan {
    buffer.mutableBytes(in: Self.dataOffset..<Self.dataOffset + byteCount)
  }
}
