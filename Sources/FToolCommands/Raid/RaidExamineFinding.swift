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

  init(_ device: any BlockDevice) throws(Failure) {
    name = device.name
    byteCount = device.byteCount
    let probe: MemberProbe
    do throws(RaidError) {
      probe = try MemberProbe(device)
    } catch .notStartable(.unreadableSuperblock) {
      throw Self.failure(of: device)
    } catch {
      throw Failure(error)
    }
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
  /// Why a device is no member: what is wrong at each place where a superblock may be.
  private static func failure(of device: any BlockDevice) -> Failure {
    var problems: [String] = []
    var isDamaged = false
    for version in MDMetadataVersion.searchOrder {
      guard let sector = version.superblockSector(memberSectors: device.byteCount / 512) else {
        continue
      }
      do {
        let block = try read(device, sector * 512..<sector * 512 + 4096)
        _ = try MDSuperblock(
          decoding: block.rawBytes, version: version, memberSectors: device.byteCount / 512)
      } catch let error as MDSuperblockError where error != .absent {
        // Any 1.x superblock is looked at in all three places; only the right one counts.
        if case .unsupportedVersion = error { continue }
        if case .damaged = error { isDamaged = true }
        problems.append(
          "the superblock at byte \(sector * 512) (version \(version.rawValue)) \(sentence(error))")
      } catch {}
    }
    guard !problems.isEmpty else { return Failure(.absent, on: device.name) }
    return Failure(
      isDamaged ? .damaged : .notFound,
      "\(device.name) is not a member that can be used: " + problems.joined(separator: "; "),
      hint: isDamaged ? "'ftool raid recover' can find the array by its other members" : nil)
  }

  private static func sentence(_ error: MDSuperblockError) -> String {
    switch error {
    case .absent: return "is not there"
    case .truncated: return "is cut off"
    case .bigEndian: return "was written by a big-endian machine"
    case .unsupportedVersion(let major, let minor):
      return "has the unknown version \(major).\(minor)"
    case .damaged(let stored, let computed):
      return
        "is damaged: its checksum is \(hexadecimal(stored)) and should be \(hexadecimal(computed))"
    case .wrongPlace(let stated, _): return "says that it belongs at byte \(clampedBytes(stated))"
    case .unsupportedFeatures(let bits):
      let names = (0..<32).filter { bits >> UInt32($0) & 1 != 0 }.map {
        "0x" + hexadecimal(UInt32(1) << UInt32($0))
      }
      return "has unknown feature bits: \(names.joined(separator: ", "))"
    case .unsupportedLevel(let level): return "has the unknown level \(level)"
    case .invalid(let field): return "makes no sense: \(field.rawValue)"
    }
  }

  static func hexadecimal(_ value: UInt32) -> String { String(value, radix: 16) }

  /// Sectors as bytes, as far as there are numbers for it.
  static func clampedBytes(_ sectors: UInt64) -> UInt64 {
    let (bytes, overflow) = sectors.multipliedReportingOverflow(by: 512)
    return overflow ? .max : bytes
  }
}
