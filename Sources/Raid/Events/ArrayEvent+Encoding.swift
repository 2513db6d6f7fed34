import BinaryCodec

/// A record of 256 bytes; the page ftool-raid-format(5) says the same.
///
/// ```
/// offset size
///      0    4 magic "EVNT"
///      4    4 CRC-32C of bytes 8 to 255
///      8   16 array's UUID
///     24    8 sequence number, from 1
///     32    8 time, seconds since 1970
///     40    4 microseconds of it
///     44    4 kind
///     48    4 cause
///     52    4 slot, all ones for none
///     56   16 member's UUID, or zeros
///     72    8 each: four counts
///    104    2 bytes of the name
///    106    2 zero
///    108  148 the member's name, UTF-8
/// ```
extension ArrayEvent {
  /// A record's length. Sectors are multiples of it, so that no record is torn in two.
  package static let byteCount = 256
  /// What a name may take.
  package static let nameLimit = 148
  /// Sequence numbers are below it.
  static let sequenceLimit: UInt64 = 1 << 62
  private static let magic: UInt32 = 0x544e_5645
  private static let noSlot: UInt32 = 0xffff_ffff

  private enum Offset {
    static let magic = 0
    static let checksum = 4
    static let arrayID = 8
    static let sequence = 24
    static let seconds = 32
    static let microseconds = 40
    static let kind = 44
    static let cause = 48
    static let slot = 52
    static let memberID = 56
    static let counts = 72
    static let nameByteCount = 104
    static let name = 108
  }

  /// Writes the record to `byteCount` bytes of `block`, from `start` on.
  package func encode(into block: inout MutableRawSpan, at start: Int, arrayID: Identifier) {
    block.zero(start..<start + Self.byteCount)
    block.store(Self.magic, at: start + Offset.magic)
    arrayID.store(in: &block, at: start + Offset.arrayID)
    block.store(sequence, at: start + Offset.sequence)
    block.store(seconds, at: start + Offset.seconds)
    block.store(microseconds, at: start + Offset.microseconds)
    block.store(kind.rawValue, at: start + Offset.kind)
    block.store(cause, at: start + Offset.cause)
    block.store(slot.map { UInt32($0) } ?? Self.noSlot, at: start + Offset.slot)
    memberID.store(in: &block, at: start + Offset.memberID)
    for (index, count) in [counts.first, counts.second, counts.third, counts.fourth].enumerated() {
      block.store(count, at: start + Offset.counts + 8 * index)
    }
    let name = Self.cut(memberName)
    block.store(UInt16(name.count), at: start + Offset.nameByteCount)
    for (index, byte) in name.enumerated() { block.store(byte, at: start + Offset.name + index) }
    let sum = crc32c(block.bytes.sub(start + Offset.arrayID..<start + Self.byteCount))
    block.store(sum, at: start + Offset.checksum)
  }

  /// Reads the record from `byteCount` bytes of `block`; nil for one that is torn, damaged, none at all, or
  /// of another array.
  package init?(decoding block: RawSpan, at start: Int, arrayID: Identifier) {
    let bytes = block.sub(start..<start + Self.byteCount)
    guard bytes.integer(at: Offset.magic, as: UInt32.self) == Self.magic,
      bytes.integer(at: Offset.checksum, as: UInt32.self)
        == crc32c(bytes.sub(Offset.arrayID..<Self.byteCount)),
      Identifier(bytes: bytes, at: Offset.arrayID) == arrayID
    else { return nil }
    sequence = bytes.integer(at: Offset.sequence)
    guard (1..<Self.sequenceLimit).contains(sequence) else { return nil }
    seconds = bytes.integer(at: Offset.seconds)
    microseconds = min(999_999, bytes.integer(at: Offset.microseconds))
    kind = Kind(rawValue: bytes.integer(at: Offset.kind))
    cause = bytes.integer(at: Offset.cause)
    let slot = bytes.integer(at: Offset.slot, as: UInt32.self)
    self.slot = slot == Self.noSlot ? nil : Int(slot)
    memberID = Identifier(bytes: bytes, at: Offset.memberID)
    counts = Counts()
    counts.first = bytes.integer(at: Offset.counts)
    counts.second = bytes.integer(at: Offset.counts + 8)
    counts.third = bytes.integer(at: Offset.counts + 16)
    counts.fourth = bytes.integer(at: Offset.counts + 24)
    let length = Int(bytes.integer(at: Offset.nameByteCount, as: UInt16.self))
    guard length <= Self.nameLimit else { return nil }
    memberName = String(
      decoding: (0..<length).map { bytes.integer(at: Offset.name + $0, as: UInt8.self) },
      as: UTF8.self)
  }

  /// The name's end, where it is too long: that of a path tells more. No character is cut in two.
  private static func cut(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8)
    guard bytes.count > nameLimit else { return bytes }
    var rest = bytes.suffix(nameLimit)
    while let first = rest.first, first & 0xc0 == 0x80 { rest = rest.dropFirst() }
    return Array(rest)
  }
}
