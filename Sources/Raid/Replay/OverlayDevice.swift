import BlockStorage
import LinuxSystem
import SystemPackage

/// Content that a log has for some stretches of a member, newer than what the member holds there.
/// Offsets are bytes of the member's device.
protocol Overlay: Sendable {
  /// The first stretch that ends behind `offset`; nil when there is none.
  func next(from offset: Int) -> Range<Int>?
  /// Fills a range of the buffer with content from `offset` on, all of it from one stretch.
  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int) throws(DeviceError)
}

/// A member as it would be had its array's log been written out; to be read only.
package final class OverlayDevice: BlockDevice {
  /// The member as it is.
  package let device: any BlockDevice
  private let overlay: any Overlay

  init(_ device: any BlockDevice, _ overlay: any Overlay) {
    self.device = device
    self.overlay = overlay
  }

  package var name: String { device.name }
  package var byteCount: Int { device.byteCount }
  package var sectorByteCount: Int { device.sectorByteCount }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    let end = offset + range.count
    var at = offset
    while at < end {
      let stretch = (overlay.next(from: at) ?? end..<end).clamped(to: at..<end)
      let place = range.lowerBound + at - offset
      if stretch.lowerBound > at {
        let count = stretch.lowerBound - at
        try device.read(into: &buffer, range: place..<place + count, at: at)
        at += count
      } else {
        try overlay.read(into: &buffer, range: place..<place + stretch.count, at: at)
        at += stretch.count
      }
    }
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    let limit = min(limit, byteCount)
    guard offset < limit, let next = overlay.next(from: offset), next.lowerBound < limit else {
      return device.extent(at: offset, limit: limit)
    }
    guard next.lowerBound > offset else {
      return Extent(isHole: false, range: offset..<min(next.upperBound, limit))
    }
    return device.extent(at: offset, limit: next.lowerBound)
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    throw .unwritable(offset: offset, errno: .readOnlyFileSystem)
  }

  package func flush() throws(DeviceError) {}

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    throw .unwritable(offset: range.lowerBound, errno: .readOnlyFileSystem)
  }
}
