import BinaryCodec
import Compression
import LinuxSystem

/// Writes an image to a file or a pipe, from its start to its end, with memory that does not grow with it.
///
/// State first, then blocks, files' content and references, then `finish`. One thread calls, and fills what it
/// does not leave to the writer's threads, which compress. The first error is thrown by the call that comes
/// next, and by all after it. To let go of a writer that was not finished leaves a file that nobody takes for an
/// image, and no thread; it waits for the write that is under way.
package final class ImageWriter: Sendable {
  /// What a reader takes at most.
  package static let stateByteLimit = 256 << 20

  /// As it is in the image.
  package let header: ImageHeader
  private let pipeline: FramePipeline
  private let workers: [WorkerThread]
  private let progress = Monitor(Progress.nothing)
  private let isAbandoned = Monitor(false)

  /// What was written last: later parts come later.
  private enum Progress: Int, Comparable, Sendable {
    case nothing, state, data, finished
    static func < (left: Progress, right: Progress) -> Bool { left.rawValue < right.rawValue }
  }

  /// Writes the header at the descriptor's position, which has to be the start of what will be the image.
  /// The codec has to be built in.
  package init(
    _ descriptor: consuming OwnedDescriptor, header: ImageHeader = ImageHeader(),
    codec: CodecSetting = .standard, workers workerCount: Int = Machine.cores
  ) throws(ImageError) {
    precondition(workerCount > 0)
    precondition(ImageHeader.pageByteCounts.contains(UInt32(header.pageByteCount)))
    self.header = header
    var output = FrameOutput(descriptor, header)
    try output.writeHeader()
    // One for each worker's hands, one each that waits for it, one to be filled and one being written; and some more,
    // so that who fills need not be woken for each.
    let pipeline = FramePipeline(slotCount: workerCount * 2 + 2 + min(workerCount * 5, 16), output)
    self.pipeline = pipeline
    var workers: [WorkerThread] = []
    do throws(SystemCallError) {
      for number in 0..<workerCount {
        workers.append(
          try WorkerThread(name: "pack \(number)") { pipeline.work(codec) })
      }
    } catch {
      if workers.isEmpty { throw .system(error) }  // fewer do it as well, only slower
    }
    self.workers = workers
  }

  deinit {
    pipeline.close()
    let isAbandoned = isAbandoned.withLock { $0 }
    for worker in workers { isAbandoned ? worker.detach() : worker.join() }
  }

  /// Makes whoever waits for room, and every call from now on, throw this error. Nobody waits any more for the
  /// write that is under way, which may be one into a pipe that nobody reads. Any thread may call this.
  package func abandon(_ error: ImageError) {
    isAbandoned.withLock { $0 = true }
    pipeline.fail(error)
  }

  /// Writes all of the state.
  package func writeState(_ state: [UInt8]) throws(ImageError) {
    precondition(state.count <= ImageWriter.stateByteLimit, "a state too large to be read again")
    advance(to: .state, from: .nothing)
    var offset = 0
    repeat {
      let count = min(FrameHead.rawByteLimit, state.count - offset)
      let slot = try fill(.state, state.rawBytes.sub(offset..<offset + count))
      slot.head.position = UInt64(offset)
      offset += count
      if offset == state.count { slot.head.flags = FrameHead.lastFlag }
      try pipeline.submit(slot)
    } while offset < state.count
  }

  /// Room for a block; waits while all is full of blocks that are not yet written.
  package func borrow() throws(ImageError) -> BlockBuffer {
    BlockBuffer(try pipeline.take(), of: pipeline, pageByteCount: header.pageByteCount)
  }

  /// Writes the pages that were added to the buffer; none at all is nothing to write.
  package func write(_ block: consuming BlockBuffer, space: UInt32) throws(ImageError) {
    if block.byteCount == 0 { return }
    advance(to: .data, from: .state)
    let byteCount = block.byteCount
    let slot = block.filled(.block, dataByteCount: byteCount)
    slot.head.space = space
    try pipeline.submit(slot)
  }

  /// Writes a block that one of the writer's threads fills, whose compressor then finds the pages near. Blocks are
  /// in the image in the order of the calls; they may be filled in any order, and several at once. One to which
  /// the body adds no page is nothing to write.
  package func writeBlock(
    space: UInt32, filledBy body: @escaping @Sendable (inout BlockBuffer) -> Void
  ) throws(ImageError) {
    advance(to: .data, from: .state)
    let slot = try pipeline.take()
    slot.filling = BlockFilling(space: space, pageByteCount: header.pageByteCount, body: body)
    try pipeline.submit(slot)
  }

  /// Returns when all blocks are filled that were to be filled; not yet when they are written.
  package func waitUntilFilled() throws(ImageError) { try pipeline.drainFillings() }

  /// Writes the first bytes of the buffer, to which no pages were added, as what a file holds from an
  /// offset on.
  package func writeContent(
    _ buffer: consuming BlockBuffer, byteCount: Int, object: UInt32, offset: UInt64
  ) throws(ImageError) {
    precondition(buffer.byteCount == 0, "pages are written as a block")
    if byteCount == 0 { return }
    advance(to: .data, from: .state)
    let slot = buffer.filled(.content, dataByteCount: byteCount)
    slot.head.space = object
    slot.head.position = offset
    try pipeline.submit(slot)
  }

  /// Writes references to pages of blocks that were written before.
  package func writeReferences(_ references: [PageReference]) throws(ImageError) {
    advance(to: .data, from: .state)
    var rest = references[...]
    while !rest.isEmpty {
      let part = rest.prefix(PageReference.frameLimit)
      rest = rest.dropFirst(part.count)
      let slot = try pipeline.take()
      slot.fill(.references, elementByteCount: PageReference.byteCount, part) {
        element, data, offset in
        element.encode(into: &data, at: offset)
      }
      try pipeline.submit(slot)
    }
  }

  /// Writes index and trailer. With `isDurable`, a power cut cannot take the image when this returns.
  package func finish(isDurable: Bool = false) throws(ImageError) -> ImageSummary {
    advance(to: .finished, from: .state)
    defer { pipeline.close() }
    try pipeline.drain()
    var rest = pipeline.output.withLock { $0.entries }[...]
    while !rest.isEmpty {
      let part = rest.prefix(IndexEntry.frameLimit)
      rest = rest.dropFirst(part.count)
      let slot = try pipeline.take()
      slot.fill(.index, elementByteCount: IndexEntry.byteCount, part) { element, data, offset in
        element.encode(into: &data, at: offset)
      }
      try pipeline.submit(slot)
    }
    try pipeline.drain()
    return try pipeline.output.withLock { output throws(ImageError) in
      try output.writeTrailer()
      if isDurable { try output.synchronize() }
      return ImageSummary(totals: output.totals, storedByteCount: output.offset)
    }
  }

  /// A slot with these bytes.
  private func fill(_ kind: FrameKind, _ bytes: RawSpan) throws(ImageError) -> FrameSlot {
    var buffer = try borrow()
    var data = buffer.bytes
    data.copy(bytes, at: 0)
    return buffer.filled(kind, dataByteCount: bytes.byteCount)
  }

  private func advance(to next: Progress, from least: Progress) {
    progress.withLock { progress in
      precondition(
        progress >= least && progress <= next && progress != .finished
          && (next != .state || progress == .nothing),
        "parts of an image out of their order")
      progress = next
    }
  }
}

extension FrameSlot {
  /// Makes the slot's data a table of these.
  fileprivate func fill<Element>(
    _ kind: FrameKind, elementByteCount: Int, _ elements: ArraySlice<Element>,
    _ encode: (Element, inout MutableRawSpan, Int) -> Void
  ) {
    head = FrameHead(kind: kind)
    head.rawByteCount = elements.count * elementByteCount
    var memory = raw.take() ?? FrameMemory()
    var data = memory.mutableData(byteCount: head.rawByteCount)
    for (index, element) in elements.enumerated() {
      encode(element, &data, index * elementByteCount)
    }
    raw = consume memory
  }
}
