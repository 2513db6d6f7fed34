import BlockStorage
import LinuxSystem
import SystemPackage

/// A device that wraps another one, some of whose sectors can't be read until they are written: what a
/// disk with latent errors is like.
package final class PatchyDevice: BlockDevice {
  package let device: any BlockDevice
  private let unreadable: Monitor<Set<Int>>
  private static let sector = 512

  package init(_ device: any BlockDevice) {
    self.device = device
    unreadable = Monitor([])
  }

  /// The same losses on another device.
  package func copy(over other: any BlockDevice) -> PatchyDevice {
    let copy = PatchyDevice(other)
    let sectors = unreadable.withLock { $0 }
    copy.unreadable.withLock { $0 = sectors }
    return copy
  }

  package var name: String { device.name }
  package var byteCount: Int { device.byteCount }
  package var sectorByteCount: Int { device.sectorByteCount }

  /// Makes all sectors of these bytes unreadable.
  package func lose(_ range: Range<Int>) {
    unreadable.withLock { $0.formUnion(Self.sectors(range)) }
  }

  package func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    let bad = unreadable.withLock { bad in
      bad.isEmpty ? nil : Self.sectors(offset..<offset + range.count).first { bad.contains($0) }
    }
    if let bad {
      throw .unreadable(offset: max(offset, bad * Self.sector), errno: .ioError)
    }
    try device.read(into: &buffer, range: range, at: offset)
  }

  package func write(
    _ buffer: RawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try device.write(buffer, range: range, at: offset)
    unreadable.withLock { $0.subtract(Self.sectors(offset..<offset + range.count)) }
  }

  package func flush() throws(DeviceError) { try device.flush() }

  package func zero(_ range: Range<Int>) throws(DeviceError) {
    try device.zero(range)
    unreadable.withLock { $0.subtract(Self.sectors(range)) }
  }

  package func extent(at offset: Int, limit: Int) -> Extent {
    device.extent(at: offset, limit: limit)
  }

  private static func sectors(_ range: Range<Int>) -> Range<Int> {
    range.lowerBound / sector..<(range.upperBound + sector - 1) / sector
  }
}
