import LinuxSystem

/// A part of a device as a device of its own: a partition, or what `PATH@OFFSET+SIZE` says.
package final class DeviceWindow: BlockDevice {
  /// What the user calls the part, such as `disk.img#p2`; the device has its own.
  package let name: String
  /// The device this is a part of,
  package let device: any BlockDevice
  /// and which part.
  package let range: Range<Int>

  /// The range must lie inside the device.
  package init(_ device: any BlockDevice, range: Range<Int>, name: String) {
    precondition(range.lowerBound >= 0 && range.upperBound <= device.byteCount)
    self.device = device
    self.range = range
    self.name = name
  }

  package var byteCount: Int { range.count }
  package var sectorByteCount: Int { device.sectorByteCount }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    do {
      try device.read(into: &buffer, range: range, at: self.range.lowerBound + offset)
    } catch {
      throw error.moved(by: -self.range.lowerBound)
    }
  }

  package func read(
    into buffer: inout MutableRawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, byteCount(of: pieces))
    do {
      try device.read(into: &buffer, pieces: pieces, at: range.lowerBound + offset)
    } catch {
      throw error.moved(by: -range.lowerBound)
    }
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, range.count)
    do {
      try device.write(buffer, range: range, at: self.range.lowerBound + offset)
    } catch {
      throw error.moved(by: -self.range.lowerBound)
    }
  }

  package func write(
    _ buffer: RawSpan, pieces: [Range<Int>], at offset: Int
  ) throws(DeviceError) {
    try requireInside(offset, byteCount(of: pieces))
    do {
      try device.write(buffer, pieces: pieces, at: range.lowerBound + offset)
    } catch {
      throw error.moved(by: -range.lowerBound)
    }
  }

  package func flush() throws(DeviceError) { try device.flush() }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    try requireInside(range.lowerBound, range.count)
    let start = self.range.lowerBound
    do {
      try device.zero(range.lowerBound + start..<range.upperBound + start)
    } catch {
      throw error.moved(by: -start)
    }
  }

  package func isHole(_ range: Range<Int>) -> Bool {
    let start = self.range.lowerBound
    return device.isHole(range.lowerBound + start..<range.upperBound + start)
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    let start = range.lowerBound
    let limit = min(limit, byteCount)
    let extent = device.extent(at: offset + start, limit: limit + start)
    return Extent(
      isHole: extent.isHole,
      range: extent.range.lowerBound - start..<extent.range.upperBound - start)
  }
}
