import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid

/// All that is written on one member.
struct RaidExamineFinding: Sendable {
  /// A copy of the header of ours.
  enum HeaderCopy: Equatable, Sendable {
    case whole(generation: UInt64)
    /// Whole, and of another array or member.
    case foreign
    case bad(RegionHeaderError)
    case unreadable
  }

  let name: String
  let byteCount: Int
  let superblock: MDSuperblock
  /// As it is stored; a decoded superblock's is right.
  let checksum: UInt32
  /// A word of 0.90 that nobody sets any more.
  let isNotPersistent: Bool
  let bitmap: RaidExamineBitmap?
  /// Member sectors; nil where no list is valid.
  let badBlocks: Result<MDBadBlockLog, MDBadBlockLogError>?

  /// What is ours.
  let header: RegionHeader?
  let headerProblem: RegionHeaderError?
  let nearCopy: HeaderCopy
  let farCopy: HeaderCopy
  let isLastWrittenByUs: Bool
  let hasTrustedSums: Bool
  let roster: Roster?

  init(_ probe: MemberProbe) throws(Failure) {
    let device = probe.device
    name = device.name
    byteCount = device.byteCount
    superblock = probe.superblock
    let sector = Int(superblock.superOffsetSectors)
    let block = try Self.read(device, sector * 512..<sector * 512 + 4096)
    if let legacy = superblock.legacy {
      checksum = legacy.checksum
      isNotPersistent = block.rawBytes.integer(at: 4 * 12, as: UInt32.self) != 0
    } else {
      checksum = block.rawBytes.integer(at: 216)
      isNotPersistent = false
    }
    bitmap = try RaidExamineBitmap(of: superblock, on: device)
    badBlocks = try Self.badBlocks(superblock, device)
    header = probe.header
    headerProblem = probe.headerProblem
    nearCopy =
      superblock.version == .v0_90 || superblock.encodedByteCount > RegionHeader.offsetInSuperblock
      ? .bad(.absent)
      : Self.copy(block, at: RegionHeader.offsetInSuperblock, superblock, device)
    farCopy = Self.farCopy(superblock, device)
    isLastWrittenByUs = probe.isLastWrittenByUs
    hasTrustedSums = probe.hasTrustedSums
    roster = probe.roster
  }

  static func read(
    _ device: any BlockDevice, _ range: Range<Int>
  ) throws(Failure) -> [UInt8] {
    var buffer = AlignedBuffer(byteCount: range.count)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<range.count, at: range.lowerBound)
    } catch {
      throw Failure(error, on: device.name)
    }
    return bytes.bytes.array()
  }

  private static func badBlocks(
    _ superblock: MDSuperblock, _ device: any BlockDevice
  ) throws(Failure) -> Result<MDBadBlockLog, MDBadBlockLogError>? {
    guard superblock.features.contains(.badBlocks), let area = superblock.badBlockLogArea else {
      return nil
    }
    let bytes = try read(device, area.lowerBound * 512..<area.upperBound * 512)
    do throws(MDBadBlockLogError) {
      return .success(
        try MDBadBlockLog(decoding: bytes.rawBytes, shift: superblock.badBlockLog.shift))
    } catch {
      return .failure(error)
    }
  }

  private static func copy(
    _ block: [UInt8], at start: Int, _ superblock: MDSuperblock, _ device: any BlockDevice
  ) -> HeaderCopy {
    do throws(RegionHeaderError) {
      let header = try RegionHeader(
        decoding: block.rawBytes, at: start, deviceByteCount: device.byteCount)
      return header.arrayID == superblock.arrayID && header.deviceID == superblock.deviceID
        ? .whole(generation: header.generation) : .foreign
    } catch {
      return .bad(error)
    }
  }

  private static func farCopy(
    _ superblock: MDSuperblock, _ device: any BlockDevice
  ) -> HeaderCopy {
    let offset = RegionHeader.farOffset(memberByteCount: device.byteCount)
    guard offset > 0 else { return .bad(.absent) }
    guard let block = try? read(device, offset..<offset + 4096) else { return .unreadable }
    return copy(block, at: 0, superblock, device)
  }
}

extension RaidExamineFinding {
  static func hexadecimal(_ value: UInt32) -> String { String(value, radix: 16) }

  /// Sectors as bytes, as far as there are numbers for it.
  static func clampedBytes(_ sectors: UInt64) -> UInt64 {
    let (bytes, overflow) = sectors.multipliedReportingOverflow(by: 512)
    return overflow ? .max : bytes
  }
}
