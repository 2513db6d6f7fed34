import BinaryCodec

/// Room for a block's pages, on loan from an `ImageWriter`; to let go of it gives it back.
package struct BlockBuffer: ~Copyable, Sendable {
  private let pipeline: FramePipeline
  private var slot: FrameSlot?
  private var memory: FrameMemory?
  private let pageByteCount: Int

  /// How many bytes the runs so far stand for.
  package private(set) var byteCount = 0
  /// Of the runs so far.
  private var tableByteCount = 0
  private var lastRun = PageRun(address: 0, pageCount: 0)

  /// The most that a buffer holds.
  package static let capacity = FrameHead.rawByteLimit

  init(_ slot: FrameSlot, of pipeline: FramePipeline, pageByteCount: Int) {
    self.pipeline = pipeline
    self.slot = slot
    self.pageByteCount = pageByteCount
    // Another is made where the last one was let go of with its holder.
    memory = slot.raw.take()
    if memory == nil { memory = FrameMemory() }
  }

  deinit {
    if let slot { pipeline.giveBack(slot) }
  }

  /// How many more pages there is room for.
  package var pageRoom: Int { (Self.capacity - byteCount) / pageByteCount }

  /// Adds pages behind those that are in it, and returns where in `bytes` their content goes. Their
  /// address is not before the end of the last ones.
  package mutating func append(address: UInt64, pageCount: Int) -> Range<Int> {
    precondition(pageCount > 0 && pageCount <= pageRoom, "pages that a block has no room for")
    precondition(address % UInt64(pageByteCount) == 0, "an address inside a page")
    let end = lastRun.address + UInt64(lastRun.pageCount * pageByteCount)
    precondition(address >= end, "pages out of their order")
    if lastRun.pageCount > 0 && address == end {
      lastRun = PageRun(address: lastRun.address, pageCount: lastRun.pageCount + pageCount)
      tableByteCount -= PageRun.byteCount
    } else {
      lastRun = PageRun(address: address, pageCount: pageCount)
    }
    appendToTable(lastRun)
    let range = byteCount..<byteCount + pageCount * pageByteCount
    byteCount = range.upperBound
    return range
  }

  /// Takes back the last pages of those that were added: they could not be read. What remains of their run
  /// stays.
  package mutating func removeLast(pageCount: Int) {
    precondition(pageCount <= lastRun.pageCount, "more pages than the last run has")
    byteCount -= pageCount * pageByteCount
    tableByteCount -= PageRun.byteCount
    lastRun = PageRun(address: lastRun.address, pageCount: lastRun.pageCount - pageCount)
    if lastRun.pageCount > 0 { appendToTable(lastRun) }
  }

  private mutating func appendToTable(_ run: PageRun) {
    let offset = tableByteCount
    var bytes = memory!.mutableBytes
    run.encode(into: &bytes, at: offset)
    tableByteCount = offset + PageRun.byteCount
  }

  /// All of the room, on a page boundary, as its last user left it.
  package var bytes: MutableRawSpan {
    @_lifetime(&self) mutating get { memory!.mutableData(byteCount: Self.capacity) }
  }

  /// The memory back in its slot, for the pipeline; the counts are in the slot's head.
  consuming func filled(_ kind: FrameKind, dataByteCount: Int) -> FrameSlot {
    precondition(dataByteCount <= Self.capacity)
    let slot = slot.take()!
    slot.head = FrameHead(kind: kind)
    slot.head.tableByteCount = tableByteCount
    slot.head.rawByteCount = dataByteCount
    slot.raw = memory.take()
    return slot
  }
}
