import LinuxSystem

/// A part of a disk that its table names.
package struct Partition: Equatable, Sendable {
  /// As Linux counts: the slot of a GPT, 1 to 4 for primary ones of an MBR, 5 and up for logical ones.
  package let number: Int
  /// Its bytes on the disk, as the table says: on a disk that was cut short they may lie past the end.
  package let range: Range<Int>
  /// What kind it says it is, such as `Linux RAID`; the number or GUID for kinds we have no name for.
  package let typeName: String
  /// The name that its owner gave it; an MBR has none.
  package let name: String
}

/// Why there is no list of partitions.
package enum PartitionTableError: Error, Equatable, Sendable {
  /// The table, or the device under it, cannot be read.
  case device(DeviceError)
  /// There is no table.
  case none
  /// There is a GPT, and neither of its two copies passes its checksums.
  case damaged
}

/// Partition tables, as other systems wrote them: MBR with logical partitions, and GPT.
package enum PartitionTable {
  /// The partitions of a disk or an image of one, by number. Nothing that a table says is believed
  /// further than arithmetic: no range overflows, but two may overlap, or lie past the end.
  ///
  /// As in Linux a GPT counts only if no ordinary MBR stands before it; one that lost its first sector
  /// still does, and then its copy at the end may be all that is left.
  package static func partitions(
    on device: any BlockDevice
  ) throws(PartitionTableError) -> [Partition] {
    let claim = MasterBootRecord.claim(on: device)
    if claim != .ordinary {
      // An image does not say what sectors its disk had.
      for sectorByteCount in [512, 4096] where device.byteCount >= 3 * sectorByteCount {
        if let partitions = try GUIDTable.partitions(on: device, sectorByteCount) {
          return partitions
        }
      }
    }
    if claim == .protective { throw .damaged }
    guard let partitions = try MasterBootRecord.partitions(on: device) else { throw .none }
    return partitions
  }

  /// Reads these bytes of the device into the start of a buffer.
  static func read(
    _ device: any BlockDevice, _ buffer: inout AlignedBuffer, _ range: Range<Int>
  ) throws(PartitionTableError) {
    var span = buffer.mutableBytes
    do throws(DeviceError) {
      try device.read(into: &span, range: 0..<range.count, at: range.lowerBound)
    } catch {
      throw .device(error)
    }
  }

  /// The bytes of sectors `first` to `last`; nil when they are none, or more than there can be.
  static func bytes(first: Int, last: Int, _ sectorByteCount: Int) -> Range<Int>? {
    guard first >= 0, last >= first, last < Int.max / sectorByteCount - 1 else { return nil }
    return first * sectorByteCount..<(last + 1) * sectorByteCount
  }
}
