import BinaryCodec

/// The record's bytes; the page ftool-raid-format(5) says the same.
///
/// ```
/// offset size
///      0    8 magic "ftoolJRN"
///      8    4 CRC-32C of bytes 12 to the end of the head
///     12    4 length of the head: a multiple of 4096
///     16   16 array's UUID
///     32    8 epoch
///     40    8 sequence
///     48    8 committed
///     56    4 kind
///     60    4 number of extents
///     64    4 number of sums
///     68    4 number of old sums: as many, or none
///     72   16 each: extent: slot 4, number of blocks 4, first block 8
///      …    4 each: sum
///      …    4 each: old sum
/// ```
///
/// Behind the head of a `content` record lie its blocks, each of 4096 bytes, in the order of the extents.
extension JournalRecord {
  static let blockByteCount = 4096
  private static let magic: UInt64 = 0x4e52_4a6c_6f6f_7466
  /// No record has more: a bound for what is read from a disk.
  static let headByteLimit = 16 << 20

  private enum Offset {
    static let magic = 0
    static let checksum = 8
    static let headByteCount = 12
    static let arrayID = 16
    static let epoch = 32
    static let sequence = 40
    static let committed = 48
    static let kind = 56
    static let extentCount = 60
    static let sumCount = 64
    static let oldSumCount = 68
    static let extents = 72
    static let extentStride = 16
  }

  /// Bytes of the head of such a record.
  static func headByteCount(extents: Int, sums: Int) -> Int {
    (Offset.extents + extents * Offset.extentStride + sums * 4 + 4095) / 4096 * 4096
  }

  var headByteCount: Int {
    Self.headByteCount(extents: extents.count, sums: sums.count + oldSums.count)
  }

  /// Bytes of the blocks behind the head.
  var contentByteCount: Int { kind == .content ? blockCount * Self.blockByteCount : 0 }

  /// Writes the head to the start of `bytes`, which has room for it.
  func encodeHead(arrayID: Identifier, into bytes: inout MutableRawSpan) {
    let length = headByteCount
    bytes.zero(0..<length)
    bytes.store(Self.magic, at: Offset.magic)
    bytes.store(UInt32(length), at: Offset.headByteCount)
    arrayID.store(in: &bytes, at: Offset.arrayID)
    bytes.store(epoch, at: Offset.epoch)
    bytes.store(sequence, at: Offset.sequence)
    bytes.store(committed, at: Offset.committed)
    bytes.store(kind.rawValue, at: Offset.kind)
    bytes.store(UInt32(extents.count), at: Offset.extentCount)
    bytes.store(UInt32(sums.count), at: Offset.sumCount)
    bytes.store(UInt32(oldSums.count), at: Offset.oldSumCount)
    var at = Offset.extents
    for extent in extents {
      bytes.store(UInt32(extent.slot), at: at)
      bytes.store(UInt32(extent.blocks.count), at: at + 4)
      bytes.store(UInt64(extent.blocks.lowerBound), at: at + 8)
      at += Offset.extentStride
    }
    for sum in sums {
      bytes.store(sum, at: at)
      at += 4
    }
    for sum in oldSums {
      bytes.store(sum, at: at)
      at += 4
    }
    let checksum = crc32c(bytes.bytes.sub(Offset.headByteCount..<length))
    bytes.store(checksum, at: Offset.checksum)
  }

  /// How long the head is that begins here; nil for what is no record.
  static func headByteCount(beginning bytes: RawSpan) -> Int? {
    guard bytes.integer(at: Offset.magic, as: UInt64.self) == magic else { return nil }
    let length = Int(bytes.integer(at: Offset.headByteCount, as: UInt32.self))
    guard length > 0, length % 4096 == 0, length <= headByteLimit else { return nil }
    return length
  }

  /// Reads a head; nil for what is damaged, torn, of another array, or makes no sense.
  init?(decoding bytes: RawSpan, arrayID: Identifier) {
    guard let length = Self.headByteCount(beginning: bytes), length <= bytes.byteCount,
      bytes.integer(at: Offset.checksum, as: UInt32.self)
        == crc32c(bytes.sub(Offset.headByteCount..<length)),
      Identifier(bytes: bytes, at: Offset.arrayID) == arrayID,
      let kind = Kind(rawValue: bytes.integer(at: Offset.kind))
    else { return nil }
    self.kind = kind
    epoch = bytes.integer(at: Offset.epoch)
    sequence = bytes.integer(at: Offset.sequence)
    committed = bytes.integer(at: Offset.committed)
    let extentCount = Int(bytes.integer(at: Offset.extentCount, as: UInt32.self))
    let sumCount = Int(bytes.integer(at: Offset.sumCount, as: UInt32.self))
    let oldSumCount = Int(bytes.integer(at: Offset.oldSumCount, as: UInt32.self))
    guard oldSumCount == 0 || oldSumCount == sumCount,
      length
        == Self.headByteCount(extents: extentCount, sums: sumCount + oldSumCount)
    else { return nil }
    extents = []
    var at = Offset.extents
    for _ in 0..<extentCount {
      let slot = Int(bytes.integer(at: at, as: UInt32.self))
      let count = Int(bytes.integer(at: at + 4, as: UInt32.self))
      let first = bytes.integer(at: at + 8, as: UInt64.self)
      // No device has more blocks, and no sum of two such numbers overflows.
      guard count > 0, first < 1 << 51 else { return nil }
      extents.append(Extent(slot: slot, blocks: Int(first)..<Int(first) + count))
      at += Offset.extentStride
    }
    func sums(_ count: Int) -> [UInt32] {
      defer { at += 4 * count }
      return (0..<count).map { bytes.integer(at: at + 4 * $0) }
    }
    self.sums = sums(sumCount)
    oldSums = sums(oldSumCount)
    guard sumCount == blockCount || kind == .touch && sumCount == 0 else { return nil }
  }
}
