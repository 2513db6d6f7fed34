import BlockStorage
import LinuxSystem

// Arrays of bytes instead of spans, for tests that are not about speed.
extension BlockDevice {
  /// These bytes of the device.
  package func bytes(_ range: Range<Int>) throws(DeviceError) -> [UInt8] {
    var buffer = AlignedBuffer(byteCount: range.count)
    var span = buffer.mutableBytes
    try read(into: &span, range: 0..<range.count, at: range.lowerBound)
    return buffer.array
  }

  /// All of the device.
  package func allBytes() throws(DeviceError) -> [UInt8] { try bytes(0..<byteCount) }

  /// Writes these bytes at an offset.
  package func write(_ bytes: [UInt8], at offset: Int) throws(DeviceError) {
    let buffer = AlignedBuffer(bytes)
    try write(buffer.bytes, range: 0..<bytes.count, at: offset)
  }
}

extension AlignedBuffer {
  /// A buffer that holds these bytes.
  package init(_ bytes: [UInt8]) {
    self.init(byteCount: bytes.count)
    var span = mutableBytes
    span.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
  }

  /// What it holds.
  package var array: [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}
