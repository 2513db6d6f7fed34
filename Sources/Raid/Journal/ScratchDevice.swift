import BinaryCodec
import BlockStorage
import LinuxSystem

/// A device that may be written to and is not: what is written stays in memory, over what the device has.
///
/// So that an array can be read as it will be when its journal has been put in place.
final class ScratchDevice: BlockDevice {
  /// The device as it is.
  let device: any BlockDevice
  /// Blocks of 4 KiB by their numbers.
  private let blocks = Monitor<[Int: [UInt8]]>([:])

  init(_ device: any BlockDevice) { self.device = device }

  var name: String { device.name }
  var byteCount: Int { device.byteCount }
  var sectorByteCount: Int { device.sectorByteCount }

  func read(
    into buffer: inout MutableRawSpan, range: Range<Int>, at offset: Int
  ) throws(DeviceError) {
    try device.read(into: &buffer, range: range, at: offset)
    if range.isEmpty { return }
    for block in offset / 4096...(offset + range.count - 1) / 4096 {
      guard let held = blocks.withLock({ $0[block] }) else { continue }
      let common = (block * 4096..<block * 4096 + held.count).clamped(
        to: offset..<offset + range.count)
      buffer.copy(
        Array(held[common.lowerBound - block * 4096..<common.upperBound - block * 4096]),
        at: range.lowerBound + common.lowerBound - offset)
    }
  }

  func write(_ buffer: RawSpan, range: Range<Int>, at offset: Int) throws(DeviceError) {
    try requireInside(offset, range.count)
    var at = offset
    let end = offset + range.count
    while at < end {
      let block = at / 4096
      let stop = min(end, (block + 1) * 4096)
      let length = min(4096, byteCount - block * 4096)
      var held = AlignedBuffer(byteCount: 4096)
      var bytes = held.mutableBytes
      if stop - at < length { try read(into: &bytes, range: 0..<length, at: block * 4096) }
      bytes.copy(
        buffer.sub(range.lowerBound + at - offset..<range.lowerBound + stop - offset),
        at: at - block * 4096)
      let array = bytes.bytes.sub(0..<length).array()
      blocks.withLock { $0[block] = array }
      at = stop
    }
  }

  func flush() throws(DeviceError) {}

  func extent(at offset: Int, limit: Int) -> Extent {
    let extent = device.extent(at: offset, limit: limit)
    guard extent.isHole else { return extent }
    // Up to the first block that is held, it is the device's hole.
    let numbers = offset / 4096..<(extent.range.upperBound + 4095) / 4096
    let first = blocks.withLock { held in
      held.count < numbers.count
        ? held.keys.filter { numbers.contains($0) }.min() : numbers.first { held[$0] != nil }
    }
    guard let first else { return extent }
    if first * 4096 <= offset {
      return Extent(isHole: false, range: offset..<min(limit, (first + 1) * 4096))
    }
    return Extent(isHole: true, range: offset..<first * 4096)
  }
}
