import BinaryCodec

/// The first words of a member's journal: which run of it counts, and from which record on.
///
/// Two copies, each in one sector of its own, are written in turn, so that one that is torn leaves the
/// other.
///
/// ```
/// offset size
///      0    8 magic "ftoolJHD"
///      8    4 version, 1
///     12    4 CRC-32C of bytes 16 to 511
///     16   16 array's UUID
///     32   16 member's UUID
///     48    8 epoch
///     56    8 generation
///     64    8 sequence of the first record that counts
///     72    4 flags: 1 while the array is being written; 2 if something else was in doubt already
/// ```
struct JournalHeader: Equatable, Sendable {
  static let byteCount = 512
  /// What the two headers take of the journal's region; records begin behind.
  static let areaByteCount = 8192
  private static let magic: UInt64 = 0x4448_4a6c_6f6f_7466

  var arrayID: Identifier
  var deviceID: Identifier
  /// The higher one is the later one: the array's event count as it was about to be when the run began,
  /// and in the low 24 bits chance.
  var epoch: UInt64
  /// Goes up with each writing of the header on this member.
  var generation: UInt64
  /// Records before this one are in their places.
  var tail: UInt64
  var isLive: Bool
  /// When the run began, something of the array was in doubt that is not in the journal.
  var hasDoubt = false

  /// An epoch that is later than all before.
  static func epoch(events: UInt64) -> UInt64 {
    events << 24 | UInt64.random(in: 0..<1 << 24)
  }

  /// Where the copy of this generation lies in the region.
  var offset: Int { Int(generation % 2) * 4096 }

  func encode(into bytes: inout MutableRawSpan) {
    bytes.zero(0..<Self.byteCount)
    bytes.store(Self.magic, at: 0)
    bytes.store(UInt32(1), at: 8)
    arrayID.store(in: &bytes, at: 16)
    deviceID.store(in: &bytes, at: 32)
    bytes.store(epoch, at: 48)
    bytes.store(generation, at: 56)
    bytes.store(tail, at: 64)
    bytes.store(UInt32((isLive ? 1 : 0) | (hasDoubt ? 2 : 0)), at: 72)
    bytes.store(crc32c(bytes.bytes.sub(16..<Self.byteCount)), at: 12)
  }

  /// nil for what is none, damaged, or another member's.
  init?(decoding bytes: RawSpan, arrayID: Identifier, deviceID: Identifier) {
    let block = bytes.sub(0..<Self.byteCount)
    guard block.integer(at: 0, as: UInt64.self) == Self.magic,
      block.integer(at: 8, as: UInt32.self) == 1,
      block.integer(at: 12, as: UInt32.self) == crc32c(block.sub(16..<Self.byteCount)),
      Identifier(bytes: block, at: 16) == arrayID, Identifier(bytes: block, at: 32) == deviceID
    else { return nil }
    self.arrayID = arrayID
    self.deviceID = deviceID
    epoch = block.integer(at: 48)
    generation = block.integer(at: 56)
    tail = block.integer(at: 64)
    let flags = block.integer(at: 72, as: UInt32.self)
    isLive = flags & 1 != 0
    hasDoubt = flags & 2 != 0
  }

  init(
    arrayID: Identifier, deviceID: Identifier, epoch: UInt64, generation: UInt64, tail: UInt64,
    isLive: Bool, hasDoubt: Bool
  ) {
    self.arrayID = arrayID
    self.deviceID = deviceID
    self.epoch = epoch
    self.generation = generation
    self.tail = tail
    self.isLive = isLive
    self.hasDoubt = hasDoubt
  }
}
