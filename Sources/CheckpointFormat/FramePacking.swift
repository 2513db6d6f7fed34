import BinaryCodec
import Compression

/// Makes frames of what is in slots; each worker has one.
struct FramePacking: ~Copyable {
  private var compressor: Compressor
  private let checksum: IdentifierChecksum

  init(_ setting: CodecSetting, of identifier: Identifier) {
    compressor = Compressor(setting)
    checksum = IdentifierChecksum(of: identifier)
  }

  /// Compresses the data where that is of use, and puts table and head before it.
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

  /// Puts the checksum of table and data into the head, and the head before the table.
  private func seal(_ head: inout FrameHead, in bytes: inout MutableRawSpan) {
    head.checksum = crc32c(bytes.bytes.sub(head.payloadRange))
    head.encode(into: &bytes, at: head.headOffset, of: checksum)
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
