import BinaryCodec
import LinuxSystem

/// Reads an image from a file or a pipe, from its start to its end, with memory that does not grow with it.
///
/// First `state`, then `forEachFrame`. Nothing is delivered before its own checksum was right; that it is
/// all that was written, and in its order, is known only when `forEachFrame` has returned.
package final class ImageReader: Sendable {
  /// What it says at its start.
  package let header: ImageHeader
  let input: Monitor<FrameInput>

  /// Reads the header, at the descriptor's position. What was made on another architecture is refused,
  /// unless `anyArchitecture` says that nobody wants to run it.
  package init(
    _ descriptor: consuming OwnedDescriptor, anyArchitecture: Bool = false
  ) throws(ImageError) {
    let input = try FrameInput(descriptor)
    header = input.header
    self.input = Monitor(input)
    if !anyArchitecture && header.machine != Architecture.current.rawValue {
      throw .otherArchitecture(header.machine)
    }
  }

  /// All of the state. It can be read once, and before the rest.
  package func state() throws(ImageError) -> [UInt8] {
    var state: [UInt8] = []
    // It grows as bytes arrive, whatever anybody says.
    try readState { piece in state += piece.array() }
    return state
  }

  /// Reads what is left and forgets it unverified, so that who writes into a pipe comes to an end.
  package func skipRest() throws(ImageError) {
    var buffer = AlignedBuffer(byteCount: 1 << 20)
    let room = buffer.byteCount
    do throws(SystemCallError) {
      try input.withLock { input throws(SystemCallError) in
        try input.withDescriptor { descriptor throws(SystemCallError) in
          var bytes = buffer.mutableBytes
          while try descriptor.readStream(into: &bytes, range: 0..<room) == room {}
        }
      }
    } catch { throw .system(error) }
  }

  /// Calls the body with each piece of the state.
  func readState(_ body: (RawSpan) -> Void) throws(ImageError) {
    var memory = FrameMemory()
    var unpacking = FrameUnpacking(pageByteCount: header.pageByteCount)
    try input.withLock { input throws(ImageError) in
      while !input.isStateDone {
        let offset = input.offset
        guard let head = try input.nextHead(&memory) else {
          throw .malformed(.order, offset: offset)
        }
        guard head.knownKind == .state else { throw .malformed(.order, offset: offset) }
        try input.readPayload(head, into: &memory)
        try unpacking.unpackImage(head, in: memory, at: offset) { frame in body(frame.bytes) }
      }
    }
  }
}

extension FrameUnpacking {
  /// As `unpack`, for bodies that do not throw.
  mutating func unpackImage<Result>(
    _ head: FrameHead, in memory: borrowing FrameMemory, at offset: Int,
    _ body: (borrowing ImageFrame) -> Result
  ) throws(ImageError) -> Result {
    do {
      return try unpack(head, in: memory, at: offset, body)
    } catch let error as ImageError {
      throw error
    } catch {
      preconditionFailure("a body that cannot throw has thrown")
    }
  }
}
