import BinaryCodec
import Compression

/// Makes frames of what is in slots; each worker has one.
struct FramePacking: ~Copyable {
  private var compressor: Compressor
  /// Where blocks are filled: what is compressed next is near then, and not where other workers have been.
  private var near: FrameMemory?

  init(_ setting: CodecSetting) { compressor = Compressor(setting) }

  /// Lets the slot's filling have its way, and packs what came of it.
  mutating func fill(_ slot: FrameSlot, with filling: BlockFilling, of pipeline: FramePipeline) {
    let own = slot.raw.take()
    slot.raw = near.take()
    var block = BlockBuffer(slot, of: pipeline, pageByteCount: filling.pageByteCount)
    filling.body(&block)
    let byteCount = block.byteCount
    _ = block.filled(.block, dataByteCount: byteCount)
    slot.head.space = filling.space
    pipeline.noteFilled()
    if byteCount > 0 { pack(slot) }
    if byteCount == 0 || slot.isPacked {
      near = slot.raw.take()
      slot.raw = own
    } else {
      near = own
    }
  }

  /// Compresses the data where that is of use, and puts the table before it.
  mutating func pack(_ slot: FrameSlot) {
    var raw = slot.raw.take()!
    var head = slot.head
    let data = FrameMemory.dataOffset..<FrameMemory.dataOffset + head.rawByteCount
    head.codec = Codec.none.rawValue
    head.storedByteCount = head.rawByteCount
    slot.isPacked = false
    let limit = Self.storedByteLimit(of: head.rawByteCount)
    if compressor.setting.codec != .none && limit > 0 {
      var packed = slot.packed.take() ?? FrameMemory()
      var target = packed.mutableData(byteCount: limit)
      if let count = compressor.compress(raw.bytes.sub(data), into: &target) {
        head.codec = compressor.setting.codec.rawValue
        head.storedByteCount = count
        slot.isPacked = true
        var bytes = packed.mutableBytes
        bytes.copy(raw.bytes.sub(0..<head.tableByteCount), at: head.tableOffset)
        seal(&head, in: &bytes)
      }
      slot.packed = consume packed
    }
    if !slot.isPacked {
      var bytes = raw.mutableBytes
      bytes.copyWithin(from: 0..<head.tableByteCount, to: head.tableOffset)
      seal(&head, in: &bytes)
    }
    slot.head = head
    slot.raw = consume raw
  }

  /// What does not shrink by a sixteenth is not worth decompressing.
  static func storedByteLimit(of rawByteCount: Int) -> Int {
    rawByteCount - max(1, rawByteCount / 16)
  }

  /// Puts the checksum of table and data into the head, which has its place before the table.
  private func seal(_ head: inout FrameHead, in bytes: inout MutableRawSpan) {
    head.checksum = crc32c(bytes.bytes.sub(head.payloadRange))
  }
}

/// Where the parts of a frame stand in a `FrameMemory`.
extension FrameHead {
  var tableOffset: Int { FrameMemory.dataOffset - tableByteCount }
  var headOffset: Int { tableOffset - Self.byteCount }
  var payloadRange: Range<Int> { tableOffset..<FrameMemory.dataOffset + storedByteCount }
  /// Head, table and data.
  var range: Range<Int> { headOffset..<payloadRange.upperBound }
}
