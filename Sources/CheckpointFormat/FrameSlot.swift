/// What holds a frame on its way through the workers. Whoever was handed it last is the only one to touch it;
/// hands change under a monitor's lock.
final class FrameSlot: @unchecked Sendable {
  // Sendable: as said above.
  var head = FrameHead(kind: .state)
  /// What puts pages into it, where a worker is to do that.
  var filling: BlockFilling?
  /// The data as it was; nil until it is needed, and while somebody has it.
  var raw: FrameMemory?
  /// The data compressed; likewise.
  var packed: FrameMemory?
  /// Which of the two is the frame.
  var isPacked = false
  /// Whether it is as it will be in the image.
  var isReady = false
  /// A block to which no page was added is not in the image.
  var isEmpty: Bool { head.knownKind == .block && head.rawByteCount == 0 }
}

/// How a worker fills a block.
struct BlockFilling: Sendable {
  /// Which memory the pages are of.
  let space: UInt32
  let pageByteCount: Int
  let body: @Sendable (inout BlockBuffer) -> Void
}
