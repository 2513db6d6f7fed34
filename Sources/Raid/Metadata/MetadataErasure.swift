import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// What makes a device a member, so that it can be taken away: superblocks of all versions that are
/// there, the bitmap, and our own regions. The data, and everything that is not known to be metadata,
/// is left alone.
package struct MetadataErasure: Sendable {
  /// A stretch of metadata. Bytes from the device's start.
  package struct Piece: Sendable, Equatable {
    /// What it is, in words.
    package var name: String
    /// Device offsets, in bytes.
    package var range: Range<Int>
  }

  /// The member that is to be none.
  package let device: any BlockDevice
  /// What the member says of itself; nil where its superblock can't be decoded.
  package let probe: MemberProbe?
  /// In the order in which they are erased: the superblocks, by which others know a member, first.
  package let pieces: [Piece]

  /// Looks for metadata. `pieces` is empty where there is none.
  package init(_ device: any BlockDevice) throws(DeviceError) {
    self.device = device
    probe = try? MemberProbe(device)
    var pieces: [Piece] = []
    for version in MDMetadataVersion.searchOrder {
      guard let sector = version.superblockSector(memberSectors: device.byteCount / 512) else {
        continue
      }
      let start = sector * 512
      if try Self.hasSuperblock(version, device, at: start) {
        pieces.append(
          Piece(name: "superblock \(version.rawValue)", range: start..<start + 4096))
      }
    }
    if let probe { pieces += try Self.areas(of: probe) }
    // A copy of our header is told by its mark alone: its superblock may be gone already.
    var ends = [RegionHeader.farOffset(memberByteCount: device.byteCount)]
    if let size = probe?.header?.memberByteCount {
      ends.append(RegionHeader.farOffset(memberByteCount: size))
    }
    for end in Set(ends).sorted() where end >= 0 && end + 4096 <= device.byteCount {
      if try Self.starts(with: RegionHeader.magic, device, at: end) {
        pieces.append(Piece(name: "header", range: end..<end + 4096))
      }
    }
    self.pieces = pieces
  }

  /// The array whose member a device has been, where only our own header at its end still says so.
  package static func formerArray(of device: any BlockDevice) throws(DeviceError) -> Identifier? {
    let end = RegionHeader.farOffset(memberByteCount: device.byteCount)
    guard end >= 0, end + RegionHeader.byteCount <= device.byteCount else { return nil }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    try device.read(into: &bytes, range: 0..<RegionHeader.byteCount, at: end)
    let header = try? RegionHeader(
      decoding: buffer.bytes, at: 0, deviceByteCount: device.byteCount)
    return header?.arrayID
  }

  /// Makes all of it zeros, durably.
  package func erase() throws(DeviceError) {
    for piece in pieces { try device.zero(piece.range) }
    try device.flush()
  }

  private static func areas(of probe: MemberProbe) throws(DeviceError) -> [Piece] {
    var pieces: [Piece] = []
    if let sector = probe.superblock.bitmapSector, sector >= 0 {
      let start = sector * 512
      if start + 4096 <= probe.device.byteCount,
        try starts(with: UInt32(0x6d74_6962), probe.device, at: start)
      {
        pieces.append(Piece(name: "bitmap", range: start..<start + 4096))
      }
    }
    for region in probe.header?.regions ?? [] where !region.range.isEmpty {
      pieces.append(Piece(name: "\(region.kind)", range: region.range))
    }
    return pieces
  }

  /// By its mark: one whose checksum is wrong is in the way, too.
  private static func hasSuperblock(
    _ version: MDMetadataVersion, _ device: any BlockDevice, at start: Int
  ) throws(DeviceError) -> Bool {
    let magic: UInt32 = 0xa92b_4efc
    if version == .v0_90, try starts(with: magic.byteSwapped, device, at: start) { return true }
    return try starts(with: magic, device, at: start)
  }

  private static func starts<Word: FixedWidthInteger & BitwiseCopyable>(
    with magic: Word, _ device: any BlockDevice, at start: Int
  ) throws(DeviceError) -> Bool {
    guard start >= 0, start + 4096 <= device.byteCount else { return false }
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    try device.read(into: &bytes, range: 0..<4096, at: start)
    return bytes.bytes.integer(at: 0, as: Word.self) == magic
  }
}

extension MemberProbe {
  /// Takes from a device that has left its array for good what would make somebody take it for a member
  /// again, durably: the superblock, with the header beside it, and then the header's far copy. All else
  /// stays, the data too.
  ///
  /// Only once the others have it written down that they go on without it: cut off before, it is a member
  /// that they call failed.
  package func eraseSuperblock() throws(DeviceError) {
    let start = Int(superblock.superOffsetSectors) * 512
    try device.zero(start..<start + 4096)
    try device.flush()
    guard header != nil else { return }
    let far = RegionHeader.farOffset(memberByteCount: device.byteCount)
    try device.zero(far..<far + 4096)
    try device.flush()
  }
}
