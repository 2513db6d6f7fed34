import BinaryCodec
import LinuxSystem

extension ImageReader {
  /// Reads the rest of the image, and calls the body with each of its frames: at once on several threads
  /// for blocks and content, in any order; for references on this thread, when all before them are done.
  ///
  /// Throws what the body threw first, or an `ImageError`. When it returns, the image is right to its last
  /// byte; when it throws, the body may have been called with frames of an image that is not.
  ///
  /// - Parameter spaceBegins: called on this thread before the body gets a block of another space than that of
  ///   the block before, and when that one is done.
  /// - Parameter references: gets references in place of the body.
  package func forEachFrame(
    workers: Int = Machine.cores, spaceBegins: (UInt32) throws -> Void = { _ in },
    references: ((borrowing ImageFrame) throws -> Void)? = nil,
    _ body: @Sendable @escaping (borrowing ImageFrame) throws -> Void
  ) throws {
    precondition(workers > 0)
    if !input.withLock({ $0.isStateDone }) { try readState { _ in } }
    let delivery = FrameDelivery(
      slotCount: workers * 2 + 2, pageByteCount: header.pageByteCount, body)
    var threads: [WorkerThread] = []
    defer {
      delivery.close()
      for thread in threads { thread.join() }
    }
    for number in 0..<workers {
      do throws(SystemCallError) {
        threads.append(try WorkerThread(name: "unpack \(number)") { delivery.work() })
      } catch {
        if threads.isEmpty { throw ImageError.system(error) }  // fewer do it as well, only slower
      }
    }
    do {
      try readFrames(delivery, spaceBegins, references ?? body)
    } catch {
      // A worker's error is of an earlier place.
      try delivery.drain()
      throw error
    }
  }

  /// Reads and checks everything, and does nothing with it.
  package func verify(workers: Int = Machine.cores) throws(ImageError) {
    do {
      try forEachFrame(workers: workers) { _ in }
    } catch let error as ImageError {
      throw error
    } catch {
      preconditionFailure("a body that does nothing has thrown")
    }
  }

  private func readFrames(
    _ delivery: FrameDelivery, _ spaceBegins: (UInt32) throws -> Void,
    _ body: (borrowing ImageFrame) throws -> Void
  ) throws {
    var space: UInt32?
    var unpacking = FrameUnpacking(pageByteCount: header.pageByteCount)
    while true {
      let slot = try delivery.take()
      let next = try input.withLock { input throws(ImageError) in
        let offset = input.offset
        var memory = slot.memory.take() ?? FrameMemory()
        guard let head = try input.nextHead(&memory) else { return FrameHead?.none }
        try input.readPayload(head, into: &memory)
        slot.memory = consume memory
        slot.head = head
        slot.offset = offset
        return head
      }
      guard let head = next else { return try delivery.drain() }
      if head.knownKind == .block, head.space != space {
        try delivery.drain()
        try spaceBegins(head.space)
        space = head.space
      }
      if head.knownKind == .block || head.knownKind == .content {
        delivery.submit(slot)
        continue
      }
      try delivery.drain()
      let memory = slot.memory.take()!
      if head.knownKind == nil {
        try unpacking.verify(head, in: memory, at: slot.offset)
      } else if head.knownKind == .index {
        try unpacking.unpack(head, in: memory, at: slot.offset) { frame in
          let bytes = frame.bytes
          input.withLock { $0.noteIndex(bytes) }
        }
      } else {
        try unpacking.unpack(head, in: memory, at: slot.offset, body)
      }
      slot.memory = consume memory
      delivery.giveBack(slot)
    }
  }
}
