import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// What one device says of itself.
package struct MemberProbe: Sendable {
  /// What was looked at.
  package let device: any BlockDevice
  /// The one that counts where several versions are there.
  package let superblock: MDSuperblock
  /// Our own header, if there is one that belongs to this member and fits behind its data.
  package let header: RegionHeader?
  /// Why there is no header, where something was found that should have been one.
  package let headerProblem: RegionHeaderError?
  /// There is no header, and there was one when ftool last wrote the superblock: only then it has a mark, but for that
  /// of a reshape.
  let lacksHeader: Bool
  /// The list of bad blocks; a member whose list can't be had is of no use, since nobody knows what of
  /// it may be believed.
  package let badBlocks: Result<MDBadBlockLog, StartObstacle>

  /// What the user calls it.
  package var name: String { device.name }

  /// Looks for a superblock in the four places where one may be, newest version first. A place that
  /// can't be read is passed over.
  ///
  /// - Throws: `unreadableSuperblock` with the most telling of the four reasons, or `device` where what
  ///   can be read holds nothing that looks like one.
  package init(_ device: any BlockDevice) throws(RaidError) {
    self.device = device
    let sectors = device.byteCount / 512
    var problem = MDSuperblockError.absent
    var unreadable: DeviceError?
    var found: (MDSuperblock, RegionHeader?, RegionHeaderError?)?
    var buffer = AlignedBuffer(byteCount: MDMetadataVersion.superblockByteCount)
    for version in MDMetadataVersion.searchOrder where found == nil {
      guard let sector = version.superblockSector(memberSectors: sectors) else { continue }
      var bytes = buffer.mutableBytes
      do {
        try device.read(into: &bytes, range: 0..<bytes.byteCount, at: sector * 512)
      } catch {
        unreadable = unreadable ?? error
        continue
      }
      do {
        let superblock = try MDSuperblock(
          decoding: bytes.bytes, version: version, memberSectors: sectors)
        let (header, problem) = Self.header(of: superblock, near: bytes.bytes, device)
        found = (superblock, header, problem)
      } catch {
        if error != .absent { problem = error }
      }
    }
    guard let found else {
      if problem == .absent, let unreadable {
        throw .notStartable(.device(member: device.name, unreadable))
      }
      throw .notStartable(.unreadableSuperblock(member: device.name, problem))
    }
    (superblock, header, headerProblem) = found
    lacksHeader = header == nil && superblock.marker != 0 && !superblock.isReshaping
    badBlocks = Self.badBlocks(of: superblock, on: device)
  }

  /// A member whose superblock is known already; nothing of ours is looked for.
  init(_ superblock: MDSuperblock, of device: any BlockDevice) {
    self.device = device
    self.superblock = superblock
    header = nil
    headerProblem = nil
    lacksHeader = false
    badBlocks = .success(MDBadBlockLog())
  }

  /// The same member behind another device.
  init(_ probe: MemberProbe, device: any BlockDevice) {
    self.device = device
    superblock = probe.superblock
    header = probe.header
    headerProblem = probe.headerProblem
    lacksHeader = probe.lacksHeader
    badBlocks = probe.badBlocks
  }

  /// The same member, as it is to be.
  init(_ probe: MemberProbe, superblock: MDSuperblock) {
    device = probe.device
    self.superblock = superblock
    header = probe.header
    headerProblem = probe.headerProblem
    lacksHeader = probe.lacksHeader
    badBlocks = probe.badBlocks
  }

  private static func badBlocks(
    of superblock: MDSuperblock, on device: any BlockDevice
  ) -> Result<MDBadBlockLog, StartObstacle> {
    guard superblock.features.contains(.badBlocks), let area = superblock.badBlockLogArea else {
      return .success(MDBadBlockLog())
    }
    // A decoded superblock's areas are inside of the member.
    var buffer = AlignedBuffer(byteCount: area.count * 512)
    var bytes = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &bytes, range: 0..<bytes.byteCount, at: area.lowerBound * 512)
    } catch {
      return .failure(.device(member: device.name, error))
    }
    do throws(MDBadBlockLogError) {
      return .success(
        try MDBadBlockLog(
          decoding: bytes.bytes.sub(0..<area.count * 512), shift: superblock.badBlockLog.shift))
    } catch {
      return .failure(.damagedBadBlockLog(member: device.name))
    }
  }

  /// The newer of the two copies that are whole and this member's.
  private static func header(
    of superblock: MDSuperblock, near block: RawSpan, _ device: any BlockDevice
  ) -> (RegionHeader?, RegionHeaderError?) {
    var best: RegionHeader?
    var problem: RegionHeaderError?
    func consider(_ block: RawSpan, at start: Int) {
      do throws(RegionHeaderError) {
        let header = try RegionHeader(
          decoding: block, at: start, deviceByteCount: device.byteCount)
        guard header.arrayID == superblock.arrayID, header.deviceID == superblock.deviceID else {
          return
        }
        if best.map({ $0.generation < header.generation }) ?? true { best = header }
      } catch {
        if error != .absent { problem = error }
      }
    }
    if superblock.version != .v0_90, superblock.maxDevices * 2 + 256 <= 2048 {
      consider(block, at: RegionHeader.offsetInSuperblock)
    }
    let far = RegionHeader.farOffset(memberByteCount: device.byteCount)
    if far > 0 {
      var buffer = AlignedBuffer(byteCount: 4096)
      var bytes = buffer.mutableBytes
      // A copy that can't be read is one that is not there: the other serves.
      if (try? device.read(into: &bytes, range: 0..<4096, at: far)) != nil {
        consider(bytes.bytes, at: 0)
      }
    }
    guard let header = best else { return (nil, problem) }
    guard header.fits(superblock, deviceByteCount: device.byteCount) else {
      // Someone let the data grow over our regions, or put something else there.
      return (nil, .invalid)
    }
    return (header, nil)
  }

  /// What the list of bad blocks says, as data offsets in bytes, in order; of a member that is of use.
  ///
  /// - Parameter dataOffsetSectors: where its data starts, of which it may have two places in a reshape.
  func requireBadBlocks(dataOffsetSectors: Int) throws(RaidError) -> [Range<Int>] {
    switch badBlocks {
    case .success(let log):
      return log.ranges.compactMap { range in
        let lower = max(range.lowerBound, dataOffsetSectors) - dataOffsetSectors
        let upper = max(range.upperBound, dataOffsetSectors) - dataOffsetSectors
        guard lower < upper else { return nil }
        return lower.multipliedOrMax(by: 512)..<upper.multipliedOrMax(by: 512)
      }.sorted { $0.lowerBound < $1.lowerBound }
    case .failure(let obstacle): throw .notStartable(obstacle)
    }
  }

  /// What the list of bad blocks says, as data offsets in bytes, in order; nil where it can't be had.
  package var listedBadBlocks: [Range<Int>]? {
    try? requireBadBlocks(dataOffsetSectors: Int(clamping: superblock.dataOffsetSectors))
  }

  /// Whether a superblock says that nobody else has written one since ours.
  package var isLastWrittenByUs: Bool {
    guard let header, superblock.marker != 0 else { return false }
    return superblock.marker == header.lastMarker || superblock.marker == header.nextMarker
  }

  /// Whether its sums may be believed.
  package var hasTrustedSums: Bool {
    header?.range(of: .sums) != nil && isLastWrittenByUs
      && header?.flags.contains(.sumsStale) == false
  }

  /// The roster that the member keeps, if any.
  package var roster: Roster? {
    guard let range = header?.range(of: .roster), range.count >= Roster.byteCount else {
      return nil
    }
    var buffer = AlignedBuffer(byteCount: Roster.byteCount)
    var bytes = buffer.mutableBytes
    guard
      (try? device.read(into: &bytes, range: 0..<Roster.byteCount, at: range.lowerBound)) != nil,
      let roster = Roster(decoding: bytes.bytes), roster.arrayID == superblock.arrayID
    else { return nil }
    return roster
  }
}

extension [MemberProbe] {
  /// The roster of the first member that has one. Each is read once: a second look at a device that is
  /// failing may find nothing, which a lazy collection does not bear.
  package var firstRoster: Roster? {
    for member in self {
      if let roster = member.roster { return roster }
    }
    return nil
  }
}

extension RegionHeader {
  /// Whether the regions lie clear of each other and of all that the superblock names, and are as large
  /// as what they are for.
  func fits(_ superblock: MDSuperblock, deviceByteCount: Int) -> Bool {
    let far = RegionHeader.farOffset(memberByteCount: deviceByteCount)
    var taken = [
      superblock.superblockArea, superblock.dataArea, superblock.badBlockLogArea ?? 0..<0,
      superblock.bitmapSector.map { $0..<$0 + 8 } ?? 0..<0, far / 512..<far / 512 + 8,
    ]
    for region in regions where !region.range.isEmpty {
      let sectors = region.range.lowerBound / 512..<region.range.upperBound / 512
      if taken.contains(where: { $0.overlaps(sectors) }) { return false }
      taken.append(sectors)
    }
    guard let sums = range(of: .sums) else { return true }
    // After a reshape there is more room for data than there was when the sums were given theirs.
    let data =
      MDLevel.usesSize(superblock.level)
      ? Int(superblock.sizeSectors) * 512 : superblock.dataArea.count * 512
    return sums.count >= BlockSums.regionByteCount(dataByteCount: data)
  }
}
