import BinaryCodec
import BlockStorage
import MDFormat
import RaidGeometry

extension RaidArray {
  /// Opens an array by a layout that the caller says, whatever the devices' superblocks are or say, for
  /// reading only.
  ///
  /// - Parameters:
  ///   - devices: by slot; nil for one that is missing.
  ///   - dataOffsets: by slot: where the data starts on the device; multiples of 512.
  ///   - salvages: opens it also when data is lost.
  /// - Throws: `notStartable` when too many are missing, `memberTooSmall` for a device that ends before
  ///   the shape does.
  package static func assumed(
    shape: ArrayShape, devices: [(any BlockDevice)?], dataOffsets: [Int],
    readPolicy: ReadPolicy = .roundRobin, salvages: Bool = false, name: String = "assumed"
  ) throws(RaidError) -> RaidArray {
    precondition(devices.count == shape.slotCount && dataOffsets.count == shape.slotCount)
    var superblock = MDSuperblock(
      version: .v1_2, arrayID: .zero, level: shape.level.number, layout: shape.layout,
      chunkSectors: UInt32(shape.chunkByteCount / 512), slotCount: shape.slotCount,
      maxDevices: max(MDSuperblock.usualMaxDevices, shape.slotCount))
    superblock.name = String(name.prefix(8).filter(\.isASCII))
    superblock.events = 1
    if shape.level == .striped, shape.layout != 0 { superblock.features.insert(.raid0Layout) }
    if !shape.level.usesWholeMembers {
      superblock.sizeSectors = UInt64((shape.memberByteCounts.min() ?? 0) / 512)
    }
    for slot in devices.indices {
      superblock.roles[slot] = devices[slot] == nil ? MDSuperblock.faulty : UInt16(slot)
    }
    var probes: [MemberProbe] = []
    for (slot, device) in devices.enumerated() {
      guard let device else { continue }
      let (needs, overflow) = dataOffsets[slot].addingReportingOverflow(
        shape.memberByteCounts[slot])
      guard dataOffsets[slot] >= 0, dataOffsets[slot] % 512 == 0, !overflow,
        needs <= device.byteCount
      else {
        throw .memberTooSmall(name: device.name, has: device.byteCount, needs: needs)
      }
      superblock.deviceNumber = UInt32(slot)
      superblock.dataOffsetSectors = UInt64(dataOffsets[slot] / 512)
      superblock.dataSizeSectors = UInt64(shape.memberByteCounts[slot] / 512)
      probes.append(MemberProbe(superblock, of: device))
    }
    var options = Options()
    options.readPolicy = readPolicy
    options.salvages = salvages
    options.memberByteCounts = shape.memberByteCounts
    return try open(try Assembly(probes), options: options, name: name)
  }
}
