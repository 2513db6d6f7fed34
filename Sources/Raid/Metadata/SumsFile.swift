import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry

/// Sums of an array's data in a file beside it, for arrays whose members have no room for them: the
/// same blocks of sums, one run for each slot.
///
/// ```
/// offset size
///      0    8 magic "ftoolSUM"
///      8    4 version, 1
///     12    4 CRC-32C of bytes 16 to 4095
///     16   16 array's UUID
///     32    4 number of slots
///     36    4 1: the sums are complete
///     40    8 bytes of data on each member
///     48    8 bytes of sums of each member
///     56    8 events of the array when the sums were last right
///     64    8 update time of the superblock then
///   4096   ... the sums of slot 0, of slot 1, and on
/// ```
package final class SumsFile: Sendable {
  private static let magic: UInt64 = 0x4d55_536c_6f6f_7466
  private static let start = 4096

  let device: any BlockDevice
  let arrayID: Identifier
  let slotCount: Int
  let memberByteCount: Int
  /// The array has not changed since the sums were written, as far as its superblocks tell.
  package let isTrusted: Bool

  /// Bytes that such a file has for an array.
  package static func byteCount(slotCount: Int, memberByteCount: Int) -> Int {
    start + slotCount * BlockSums.regionByteCount(dataByteCount: memberByteCount)
  }

  /// Opens a file of sums for the array that has been assembled; a file of zeros becomes one.
  ///
  /// - Throws: nil never; `unsuitable` when it belongs to another array, `member` when it can't be read.
  package init(_ device: any BlockDevice, for assembly: Assembly) throws(RaidError) {
    self.device = device
    let reference = assembly.reference
    arrayID = reference.arrayID
    slotCount = assembly.holders.count
    memberByteCount = (assembly.members.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
    guard
      device.byteCount
        >= Self.byteCount(slotCount: slotCount, memberByteCount: memberByteCount)
    else {
      throw .memberTooSmall(
        name: device.name, has: device.byteCount,
        needs: Self.byteCount(slotCount: slotCount, memberByteCount: memberByteCount))
    }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<4096, at: 0)
    } catch {
      throw .member(name: device.name, error)
    }
    if isZero(bytes.bytes, range: 0..<4096) {
      isTrusted = false
      return
    }
    guard bytes.bytes.integer(at: 0, as: UInt64.self) == Self.magic,
      bytes.bytes.integer(at: 8, as: UInt32.self) == 1,
      bytes.bytes.integer(at: 12, as: UInt32.self) == crc32c(bytes.bytes.sub(16..<4096)),
      Identifier(bytes: bytes.bytes, at: 16) == reference.arrayID,
      bytes.bytes.integer(at: 32, as: UInt32.self) == UInt32(slotCount),
      bytes.bytes.integer(at: 40, as: UInt64.self) == UInt64(memberByteCount)
    else { throw .unsuitable(.foreignSumsFile(device.name)) }
    isTrusted =
      bytes.bytes.integer(at: 36, as: UInt32.self) == 1
      && bytes.bytes.integer(at: 56, as: UInt64.self) == reference.events
      && bytes.bytes.integer(at: 64, as: UInt64.self) == reference.updateTime
  }

  /// The sums of a slot's member.
  ///
  /// - Parameter shape: says which blocks the array uses; nil for all.
  func sums(ofSlot slot: Int, shape: ArrayShape?) -> BlockSums {
    let byteCount = BlockSums.regionByteCount(dataByteCount: memberByteCount)
    let start = Self.start + slot * byteCount
    return BlockSums(
      device: device, region: start..<start + byteCount, dataByteCount: memberByteCount,
      arrayID: arrayID, slot: UInt32(slot),
      pageLimit: max(4, 2048 / max(1, slotCount)),
      isUsed: { block in shape?.uses(slot: slot, at: block * 4096) ?? true })
  }

  /// Says in the file for which state of the array its sums are right, or that they are not.
  package func stamp(_ superblock: MDSuperblock, isComplete: Bool) throws(RaidError) {
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    bytes.zero()
    bytes.store(Self.magic, at: 0)
    bytes.store(UInt32(1), at: 8)
    arrayID.store(in: &bytes, at: 16)
    bytes.store(UInt32(slotCount), at: 32)
    bytes.store(UInt32(isComplete ? 1 : 0), at: 36)
    bytes.store(UInt64(memberByteCount), at: 40)
    bytes.store(
      UInt64(BlockSums.regionByteCount(dataByteCount: memberByteCount)), at: 48)
    bytes.store(superblock.events, at: 56)
    bytes.store(superblock.updateTime, at: 64)
    bytes.store(crc32c(bytes.bytes.sub(16..<4096)), at: 12)
    do throws(DeviceError) {
      try device.flush()
      try device.write(bytes.bytes, range: 0..<4096, at: 0)
      try device.flush()
    } catch {
      throw .member(name: device.name, error)
    }
  }
}
