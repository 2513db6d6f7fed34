import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// What a member has of the part that a reshape moves, until all of it is in its place: its sums, and, where the
/// part is written over what has not been moved, the data itself.
///
/// Sums lie by the number of the block in the member's data, and this number changes: those of what has been
/// moved take the place of sums of what has not, which still counts while the superblocks have the old position.
/// So the new ones are here first, then the superblocks say that the part is moved, then the sums go to their
/// place; whoever is cut off in between finds them here. With the data it is the same: see `StagedRows`.
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
///     84    4 flags: 1 where the data is here, too
///   4096    4 for each block: its sum
/// ```
///
/// With the data, which begins at the next multiple of 4096, this is there twice: once more at the end of the room,
/// the head in its last 4096 bytes, the sums before it. A block whose sum its data does not have is one that
/// nobody had.
struct ReshapeLog: Equatable, Sendable {
  static let headByteCount = 4096
  private static let magic: UInt64 = 0x4853_526c_6f6f_7466

  /// Array bytes.
  let part: Range<Int>
  /// Of the member's new data.
  let firstBlock: Int
  let sums: [UInt32]
  /// Whether the data is there, too.
  let isStaged: Bool

  /// The blocks that have sums here.
  var blocks: Range<Int> { firstBlock..<firstBlock + sums.count }

  init(part: Range<Int>, firstBlock: Int, sums: [UInt32], isStaged: Bool = false) {
    self.part = part
    self.firstBlock = firstBlock
    self.sums = sums
    self.isStaged = isStaged
  }

  private static func sumByteCount(_ count: Int) -> Int { (count * 4 + 4095) / 4096 * 4096 }

  /// Where the data of so many blocks begins on the device.
  static func contentOffset(_ room: ReshapeRoom, blockCount: Int) -> Int {
    room.range.lowerBound + headByteCount + sumByteCount(blockCount)
  }

  /// Writes it to its member; it is durable after the next flush.
  func store(on member: Member) throws(DeviceError) {
    guard let room = member.reshapeRoom?.range else { return }
    let superblock = member.superblock
    let sumByteCount = Self.sumByteCount(sums.count)
    precondition(Self.headByteCount + sumByteCount <= room.count)
    var buffer = AlignedBuffer(byteCount: Self.headByteCount + sumByteCount)
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
    bytes.store(UInt32(isStaged ? 1 : 0), at: 84)
    bytes.store(crc32c(bytes.bytes.sub(16..<512)), at: 12)
    try member.device.write(bytes.bytes, range: 0..<bytes.byteCount, at: room.lowerBound)
    guard isStaged else { return }
    let end = room.upperBound - Self.headByteCount
    try member.device.write(
      bytes.bytes, range: Self.headByteCount..<bytes.byteCount, at: end - sumByteCount)
    try member.device.write(bytes.bytes, range: 0..<Self.headByteCount, at: end)
  }

  /// What a member has that is wanted; nil where there is none, or one that was torn.
  init?(
    on member: Member, where isWanted: (ReshapeLog) -> Bool = { _ in true }
  ) throws(DeviceError) {
    guard let room = member.reshapeRoom else { return nil }
    let heads = [room.range.lowerBound, room.range.upperBound - Self.headByteCount]
    for (head, isAtEnd) in zip(heads, [false, true]) {
      do throws(DeviceError) {
        guard let found = try Self.read(member, room, head, isAtEnd: isAtEnd), isWanted(found)
        else { continue }
        self = found
        return
      } catch {
        guard case .unreadable = error else { throw error }
      }
    }
    return nil
  }

  private static func read(
    _ member: Member, _ room: ReshapeRoom, _ place: Int, isAtEnd: Bool
  ) throws(DeviceError) -> ReshapeLog? {
    let superblock = member.superblock
    var head = AlignedBuffer(byteCount: headByteCount)
    var bytes = head.mutableBytes
    try member.device.read(into: &bytes, range: 0..<headByteCount, at: place)
    let block = bytes.bytes
    guard block.integer(at: 0, as: UInt64.self) == magic,
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
    let isStaged = block.integer(at: 84, as: UInt32.self) & 1 != 0
    let dataBlocks = UInt64(member.dataByteCount / BlockSums.blockByteCount + 1)
    let limit = UInt64(isStaged ? room.stagedBlockCount : room.sumCount)
    guard lower < upper, upper <= UInt64(Int.max), count > 0, count <= limit,
      first <= dataBlocks, count <= dataBlocks - first, isStaged || !isAtEnd
    else { return nil }
    let byteCount = sumByteCount(Int(count))
    var content = AlignedBuffer(byteCount: byteCount)
    var sumBytes = content.mutableBytes
    try member.device.read(
      into: &sumBytes, range: 0..<byteCount,
      at: isAtEnd ? place - byteCount : place + headByteCount)
    guard crc32c(sumBytes.bytes.sub(0..<Int(count) * 4)) == checksum else { return nil }
    return ReshapeLog(
      part: Int(lower)..<Int(upper), firstBlock: Int(first),
      sums: (0..<Int(count)).map { sumBytes.bytes.integer(at: 4 * $0, as: UInt32.self) },
      isStaged: isStaged)
  }

  /// Sees to it that a member has none of an earlier reshape; durable after the next flush.
  static func erase(_ room: ReshapeRoom, from member: Member) throws(DeviceError) {
    let range = room.range
    try member.device.zero(range.lowerBound..<range.lowerBound + headByteCount)
    try member.device.zero(range.upperBound - headByteCount..<range.upperBound)
  }

  /// Puts the sums in their place, in memory: until all superblocks say that the part is moved, those who are left may
  /// be asked for what it was before. A block of sums that was torn is whole with them, if its checksum was written;
  /// else nothing tells it from one that had been damaged before, and it counts as that.
  func apply(to sums: BlockSums) throws(DeviceError) {
    let perPage = BlockSums.sumsPerBlock
    let pages = blocks.lowerBound / perPage..<(blocks.upperBound + perPage - 1) / perPage
    try sums.record(self.sums, from: 0, count: self.sums.count, firstBlock: firstBlock)
    try sums.acceptCompleted(pages.lowerBound * perPage..<pages.upperBound * perPage)
  }
}
