import BinaryCodec
import LinuxSystem

/// The file or device that bytes of an array are rescued to.
final class RescueFile: Sendable {
  let descriptor: OwnedDescriptor
  /// All of it is a hole, so that zeros need not be written.
  private let isNew: Bool

  init(_ descriptor: consuming OwnedDescriptor, isNew: Bool) {
    self.descriptor = descriptor
    self.isNew = isNew
  }

  /// Writes a range of the buffer at an offset.
  func write(_ bytes: RawSpan, _ range: Range<Int>, at offset: Int) throws(SystemCallError) {
    guard isNew else { return try descriptor.write(bytes, range: range, at: offset) }
    // Runs of whole blocks that are not zeros are written in one piece.
    var pending = range.lowerBound
    var at = range.lowerBound
    while at < range.upperBound {
      let end = min(range.upperBound, at + 4096)
      if isZero(bytes, range: at..<end) {
        if pending < at {
          try descriptor.write(bytes, range: pending..<at, at: offset + pending - range.lowerBound)
        }
        pending = end
      }
      at = end
    }
    if pending < range.upperBound {
      try descriptor.write(
        bytes, range: pending..<range.upperBound, at: offset + pending - range.lowerBound)
    }
  }
}
