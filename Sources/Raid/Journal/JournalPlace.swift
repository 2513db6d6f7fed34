import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat

/// A member's part of the journal: the region of ours for it, with its two headers and the room for records.
struct JournalPlace: Sendable {
  let device: any BlockDevice
  let arrayID: Identifier
  let deviceID: Identifier
  /// Device bytes.
  let region: Range<Int>

  /// Where records are: device bytes.
  var records: Range<Int> { region.lowerBound + JournalHeader.areaByteCount..<region.upperBound }

  /// nil where there is no region, or one that is too small to be of use.
  init?(_ device: any BlockDevice, arrayID: Identifier, deviceID: Identifier, _ region: Range<Int>?)
  {
    guard let region, region.count >= JournalHeader.areaByteCount + (64 << 10) else { return nil }
    self.device = device
    self.arrayID = arrayID
    self.deviceID = deviceID
    self.region = region
  }

  init?(_ member: Member) {
    let superblock = member.superblock
    self.init(
      member.device, arrayID: superblock.arrayID, deviceID: superblock.deviceID,
      member.header?.range(of: .journal))
  }

  init?(_ probe: MemberProbe) {
    self.init(
      probe.device, arrayID: probe.superblock.arrayID, deviceID: probe.superblock.deviceID,
      probe.header?.range(of: .journal))
  }

  /// The later of the two headers; nil when neither can be read.
  func header() throws(DeviceError) -> JournalHeader? {
    var newest: JournalHeader?
    var buffer = AlignedBuffer(byteCount: 4096)
    for copy in 0..<2 {
      var bytes = buffer.mutableBytes
      do throws(DeviceError) {
        try device.read(into: &bytes, range: 0..<4096, at: region.lowerBound + copy * 4096)
      } catch {
        guard case .unreadable = error else { throw error }
        continue
      }
      let found = JournalHeader(decoding: bytes.bytes, arrayID: arrayID, deviceID: deviceID)
      if let found, found.generation >= newest?.generation ?? 0 { newest = found }
    }
    return newest
  }

  /// Writes a header in the place of the older one, durably.
  func store(_ header: JournalHeader) throws(DeviceError) {
    var buffer = AlignedBuffer(byteCount: 4096)
    var bytes = buffer.mutableBytes
    bytes.zero()
    header.encode(into: &bytes)
    try device.write(bytes.bytes, range: 0..<4096, at: region.lowerBound + header.offset)
    try device.flush()
  }
}
