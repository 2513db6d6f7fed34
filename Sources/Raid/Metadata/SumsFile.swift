import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import RaidGeometry
import Synchronization

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
///     40    8 bytes of data on a member that sums have room for
///     48    8 bytes of sums of each member
///     56    8 events of the array when the sums were last right
///     64    8 update time of the superblock then
///   4096   ... the sums of slot 0, of slot 1, and on
/// ```
package final class SumsFile: Sendable {
  private static let magic: UInt64 = 0x4d55_536c_6f6f_7466
  private static let start = 4096

  private let device: any BlockDevice
  /// What the sums of all slots are read from and written to.
  private let sumsDevice: SumsFileDevice
  let arrayID: Identifier
  /// It says of itself that its sums are not right.
  private let isDistrusted = Atomic(false)
  let slotCount: Int
  let memberByteCount: Int
  /// The array has not changed since the sums were written, as far as its superblocks tell.
  package let isTrusted: Bool

  /// Bytes that such a file has for an array.
  package static func byteCount(slotCount: Int, memberByteCount: Int) -> Int {
    start + slotCount * BlockSums.regionByteCount(dataByteCount: memberByteCount)
  }

  /// What the user calls it.
  package var name: String { device.name }
  /// Why some sums could not be read, so that nothing was compared with them; nil when all could.
  package var readProblem: DeviceError? { sumsDevice.readProblem }

  /// Bytes of data on the largest of the members, for which a new file is made.
  package static func memberByteCount(for assembly: Assembly) -> Int {
    (assembly.members.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
  }

  /// How many of those the array uses, of any member.
  private static func usedByteCount(of assembly: Assembly) -> Int {
    let reference = assembly.reference
    guard [MDLevel.linear, MDLevel.raid0].contains(reference.level) else {
      return Int(reference.sizeSectors) * 512
    }
    return (assembly.membersInSlots.map { Int($0.superblock.dataSizeSectors) }.max() ?? 0) * 512
  }

  private static func checkRoom(
    _ device: any BlockDevice, _ slotCount: Int, _ memberByteCount: Int
  ) throws(RaidError) {
    let needs = byteCount(slotCount: slotCount, memberByteCount: memberByteCount)
    guard device.byteCount >= needs else {
      throw .unsuitable(.shortSumsFile(device.name, has: device.byteCount, needs: needs))
    }
  }

  /// Opens a file of sums for the array that has been assembled; a file of zeros becomes one.
  ///
  /// - Throws: `unsuitable` when it is damaged, too short, or not of this array, or when the array keeps
  ///   sums on its members; `sumsFile` when its first page can't be read.
  package init(_ device: any BlockDevice, for assembly: Assembly) throws(RaidError) {
    self.device = device
    sumsDevice = SumsFileDevice(device)
    let reference = assembly.reference
    arrayID = reference.arrayID
    slotCount = assembly.holders.count
    // Those would go stale, with nothing on the members to say so.
    if assembly.keepsSums { throw .unsuitable(.keepsSumsOnMembers) }
    let largest = Self.memberByteCount(for: assembly)
    if device.byteCount < 4096 { try Self.checkRoom(device, slotCount, largest) }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<4096, at: 0)
    } catch {
      throw .sumsFile(name: device.name, error)
    }
    if isZero(bytes.bytes, range: 0..<4096) {
      // Much begins with zeros that is not empty: members of arrays do.
      guard try Self.isEmpty(device) else { throw .unsuitable(.foreignSumsFile(device.name)) }
      try Self.checkRoom(device, slotCount, largest)
      memberByteCount = largest
      isTrusted = false
      return
    }
    let hasMagic = bytes.bytes.integer(at: 0, as: UInt64.self) == Self.magic
    let isWhole =
      bytes.bytes.integer(at: 12, as: UInt32.self) == crc32c(bytes.bytes.sub(16..<4096))
    // Either shows what it is; what has just one of them was both.
    if hasMagic != isWhole { throw .unsuitable(.damagedSumsFile(device.name)) }
    guard hasMagic else { throw .unsuitable(.foreignSumsFile(device.name)) }
    let version = bytes.bytes.integer(at: 8, as: UInt32.self)
    guard version == 1 else {
      throw .unsuitable(.unknownSumsFileVersion(device.name, version: version))
    }
    // Members may have come and gone since that were larger than the array can use.
    let known = bytes.bytes.integer(at: 40, as: UInt64.self)
    guard Identifier(bytes: bytes.bytes, at: 16) == reference.arrayID,
      bytes.bytes.integer(at: 32, as: UInt32.self) == UInt32(slotCount),
      known >= UInt64(Self.usedByteCount(of: assembly)), known <= 1 << 60
    else { throw .unsuitable(.foreignSumsFile(device.name)) }
    memberByteCount = Int(known)
    try Self.checkRoom(device, slotCount, memberByteCount)
    isTrusted =
      bytes.bytes.integer(at: 36, as: UInt32.self) == 1
      && bytes.bytes.integer(at: 56, as: UInt64.self) == reference.events
      && bytes.bytes.integer(at: 64, as: UInt64.self) == reference.updateTime
  }

  /// Whether there is nothing but zeros.
  private static func isEmpty(_ device: any BlockDevice) throws(RaidError) -> Bool {
    var buffer = AlignedBuffer(byteCount: 256 << 10)
    var offset = 0
    do throws(DeviceError) {
      while offset < device.byteCount {
        let extent = device.extent(at: offset, limit: device.byteCount)
        if extent.isHole, extent.range.upperBound > offset {
          offset = extent.range.upperBound
          continue
        }
        let count = min(buffer.byteCount, device.byteCount - offset)
        var bytes = buffer.mutableBytes
        try device.read(into: &bytes, range: 0..<count, at: offset)
        if !isZero(bytes.bytes, range: 0..<count) { return false }
        offset += count
      }
    } catch {
      throw .sumsFile(name: device.name, error)
    }
    return true
  }

  /// The sums of a slot's member.
  ///
  /// - Parameter shape: says which blocks the array uses; nil for all.
  func sums(ofSlot slot: Int, shape: ArrayShape?) -> BlockSums {
    let byteCount = BlockSums.regionByteCount(dataByteCount: memberByteCount)
    let start = Self.start + slot * byteCount
    return BlockSums(
      device: sumsDevice, region: start..<start + byteCount, dataByteCount: memberByteCount,
      arrayID: arrayID, slot: UInt32(slot), isBeside: true,
      pageLimit: max(4, 2048 / max(1, slotCount)),
      isUsed: { block in shape?.uses(slot: slot, at: block * 4096) ?? true })
  }

  /// Says in the file that its sums are not right, durably: before the array changes. `stamp` says that they are again.
  ///
  /// - Parameter reference: what the array says of itself now.
  ///
  /// - Throws: `sumsFile`.
  func distrust(_ reference: MDSuperblock) throws(RaidError) {
    if isDistrusted.load(ordering: .acquiring) { return }
    try store(reference, isComplete: false)
    isDistrusted.store(true, ordering: .releasing)
  }

  /// Says in the file for which state of the array its sums are right, or that they are not.
  ///
  /// - Throws: `sumsFile` when it can't, or when sums could not be written before: then the file goes on
  ///   saying that they are not right.
  package func stamp(_ superblock: MDSuperblock, isComplete: Bool) throws(RaidError) {
    if let problem = sumsDevice.endProblem { throw .sumsFile(name: device.name, problem) }
    try store(superblock, isComplete: isComplete)
    isDistrusted.store(!isComplete, ordering: .releasing)
  }

  private func store(_ superblock: MDSuperblock, isComplete: Bool) throws(RaidError) {
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
      sumsDevice.giveUp(error)
      throw .sumsFile(name: device.name, error)
    }
  }
}

extension Assembly {
  /// Whether members have room of their own for sums.
  package var keepsSums: Bool { members.contains { $0.header?.range(of: .sums) != nil } }
}
