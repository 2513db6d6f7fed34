import BlockStorage
import LinuxSystem
import SystemPackage

/// An image of a disk of which not everything could be copied, as its map says: what was not rescued can't be
/// read, whatever stands there instead. To be read only.
package final class RescuedDevice: BlockDevice {
  /// The image.
  package let device: any BlockDevice
  private let map: RescueMap

  /// - Parameter map: positions are bytes of the image; what it does not tell of was not rescued.
  package init(_ device: any BlockDevice, map: RescueMap) {
    self.device = device
    self.map = map
  }

  /// Bytes that can't be read.
  package var lostByteCount: Int {
    let limit = min(map.byteCount, device.byteCount)
    return device.byteCount - map.byteCount(of: .rescued, in: 0..<limit)
  }

  package var name: String { device.name }
  package var byteCount: Int { device.byteCount }
  package var sectorByteCount: Int { device.sectorByteCount }

  private static let holes = Set(RescueMap.Status.allCases).subtracting([.rescued])

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    let end = offset + range.count
    if let hole = map.next(Self.holes, from: offset, limit: end) {
      throw .unreadable(offset: hole.lowerBound, errno: .ioError)
    }
    if end > map.byteCount {
      throw .unreadable(offset: max(offset, map.byteCount), errno: .ioError)
    }
    try device.read(into: &buffer, range: range, at: offset)
  }

  package func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    throw .unwritable(offset: offset, errno: .readOnlyFileSystem)
  }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    throw .unwritable(offset: range.lowerBound, errno: .readOnlyFileSystem)
  }

  package func flush() throws(DeviceError) {}

  package func extent(at offset: Int, limit: Int) -> Extent {
    // A hole that was left out is no run of zeros.
    guard offset < map.byteCount else { return Extent(isHole: false, range: offset..<limit) }
    let found = device.extent(at: offset, limit: min(limit, map.byteCount))
    guard found.isHole, let lost = map.next(Self.holes, from: offset, limit: found.range.upperBound)
    else { return found }
    return lost.lowerBound > offset
      ? Extent(isHole: true, range: offset..<lost.lowerBound)
      : Extent(isHole: false, range: lost)
  }
}
