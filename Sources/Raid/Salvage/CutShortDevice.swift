import BlockStorage
import LinuxSystem
import SystemPackage

/// A member that has lost its end, as if it were as long as it was and its end could not be read; to be
/// read only.
package final class CutShortDevice: BlockDevice {
  private let device: any BlockDevice
  package let byteCount: Int

  /// Bytes at its end that are not there, at least.
  package var lostByteCount: Int { byteCount - device.byteCount }

  /// - Parameter byteCount: at least as many as the device has.
  init(_ device: any BlockDevice, byteCount: Int) {
    self.device = device
    self.byteCount = max(byteCount, device.byteCount)
  }

  package var name: String { device.name }
  package var sectorByteCount: Int { device.sectorByteCount }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    guard offset + range.count <= device.byteCount else {
      throw .unreadable(offset: max(offset, device.byteCount), errno: .ioError)
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
    guard offset < device.byteCount else { return Extent(isHole: false, range: offset..<limit) }
    return device.extent(at: offset, limit: min(limit, device.byteCount))
  }
}
