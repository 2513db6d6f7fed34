import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// The sums of what a reshape has just moved, on the member that they are of, until they are in their place.
///
/// Sums lie by the number of the block in the member's data, and this number changes: those of what has been
/// moved take the place of sums of what has not, which still counts while the superblocks have the old position.
/// So the new ones are here first, then the superblocks say that the part is moved, then the sums go to their
/// place; whoever is cut off in between finds them here. It lies in the room of the journal, which nobody
/// writes while the shape changes.
///
/// ```
/// offset size
///      0    8 magic "ftoolRSH"
///      8    4 version, 1
///     12    4 CRC-32C of bytes 16 to 511
///     16   16 array's UUID
///     32   16 member's UUID
///     48    8 array byte at which the part begins
///     56    8 and at which it ends
///     64    8 number of its first block in the new data of the member
///     72    8 how many blocks it has there
///     80    4 CRC-32C of the sums
///   4096    4 for each block: its sum
/// ```
struct ReshapeLog: Equatable, Sendable {
  static let headByteCount = 4096
  private static let magic: UInt64 = 0x4853_526c_6f6f_7466

  /// Array bytes.
  let part: Range<Int>
  /// Of the member's new data.
  let firstBlock: Int
  let sums: [UInt32]

  /// The blocks that have sums here.
  var blocks: Range<Int> { firstBlock..<firstBlock + sums.count }

  /// How many sums there is room for on a member: in the journal's room, behind its headers.
  static func capacity(_ header: RegionHeader?) -> Int {
    guard let room = room(header) else { return 0 }
    return max(0, (room.count - headByteCount) / 4)
  }

  private static func room(_ header: RegionHeader?) -> Range<Int>? {
    guard let region = header?.range(of: .journal),
      region.count > JournalHeader.areaByteCount + 2 * headByteCount
    else { return nil }
    return region.lowerBound + JournalHeader.areaByteCount..<region.upperBound
  }

  /// Writes it to its member; it is durable after the next flush.
  func store(on member: Member) throws(DeviceError) {
    let (superblock, header) = (member.superblock, member.header)
    guard let room = Self.room(header) else { return }
    let sumBytes = (sums.count * 4 + 4095) / 4096 * 4096
    precondition(Self.headByteCount + sumBytes <= room.count)
    var buffer = AlignedBuffer(byteCount: Self.headByteCount + sumBytes)
    var bytes = buffer.mutableBytes
    bytes.zero()
    for (index, sum) in sums.enumerated() { bytes.store(sum, at: Self.headByteCount + 4 * index) }
    bytes.store(Self.magic, at: 0)
    bytes.store(UInt32(1), at: 8)
    superblock.arrayID.store(in: &bytes, at: 16)
    superblock.deviceID.store(in: &bytes, at: 32)
    bytes.store(UInt64(part.lowerBound), at: 48)
    bytes.store(UInt64(part.upperBound), at: 56)
    bytes.store(UInt64(firstBlock), at: 64)
    bytes.store(UInt64(sums.count), at: 72)
    bytes.store(
      crc32c(bytes.bytes.sub(Self.headByteCount..<Self.headByteCount + 4 * sums.count)), at: 80)
    bytes.store(crc32c(bytes.bytes.sub(16..<512)), at: 12)
    try member.device.write(bytes.bytes, range: 0..<bytes.byteCount, at: room.lowerBound)
  }

  init(part: Range<Int>, firstBlock: Int, sums: [UInt32]) {
    self.part = part
    self.firstBlock = firstBlock
    self.sums = sums
  }

  /// What a member has; nil where there is none, or one that was torn.
  init?(on member: Member) throws(DeviceError) {
    let (superblock, header) = (member.superblock, member.header)
    guard let room = Self.room(header) else { return nil }
    var head = AlignedBuffer(byteCount: Self.headByteCount)
    var bytes = head.mutableBytes
    do throws(DeviceError) {
      try member.device.read(into: &bytes, range: 0..<Self.headByteCount, at: room.lowerBound)
    } catch {
      if case .unreadable = error { return nil }
      throw error
    }
    let block = bytes.bytes
    guard block.integer(at: 0, as: UInt64.self) == Self.magic,
      block.integer(at: 8, as: UInt32.self) == 1,
      block.integer(at: 12, as: UInt32.self) == crc32c(block.sub(16..<512)),
      Identifier(bytes: block, at: 16) == superblock.arrayID,
      Identifier(bytes: block, at: 32) == superblock.deviceID
    else { return nil }
    let (lower, upper, first, count) = (
      block.integer(at: 48, as: UInt64.self), block.integer(at: 56, as: UInt64.self),
      block.integer(at: 64, as: UInt64.self), block.integer(at: 72, as: UInt64.self)
    )
    let checksum = block.integer(at: 80, as: UInt32.self)
    let dataBlocks = UInt64(member.dataByteCount / BlockSums.blockByteCount + 1)
    guard lower < upper, upper <= UInt64(Int.max), count > 0,
      count <= UInt64(Self.capacity(header)), first <= dataBlocks, count <= dataBlocks - first
    else { return nil }
    var content = AlignedBuffer(byteCount: (Int(count) * 4 + 4095) / 4096 * 4096)
    var sumBytes = content.mutableBytes
    do throws(DeviceError) {
      try member.device.read(
        into: &sumBytes, range: 0..<sumBytes.byteCount, at: room.lowerBound + Self.headByteCount)
    } catch {
      if case .unreadable = error { return nil }
      throw error
    }
    guard crc32c(sumBytes.bytes.sub(0..<Int(count) * 4)) == checksum else { return nil }
    part = Int(lower)..<Int(upper)
    firstBlock = Int(first)
    sums = (0..<Int(count)).map { sumBytes.bytes.integer(at: 4 * $0, as: UInt32.self) }
  }

  /// Puts the sums in their place. A block of sums that was torn has, in each of its places, what it had or what
  /// it was to have.
  func apply(to sums: BlockSums) throws(DeviceError) {
    let perPage = BlockSums.sumsPerBlock
    let pages = blocks.lowerBound / perPage..<(blocks.upperBound + perPage - 1) / perPage
    try sums.acceptTorn(pages.lowerBound * perPage..<pages.upperBound * perPage)
    try sums.record(self.sums, from: 0, count: self.sums.count, firstBlock: firstBlock)
    try sums.flush()
  }
}
