import LinuxSystem

/// A stretch of a device, read; asked by the device's own offsets. What lies outside of it,
/// or cannot be read, matches nothing.
struct SignatureWindow: ~Copyable {
  let range: Range<Int>
  private let buffer: AlignedBuffer

  init(_ device: any BlockDevice, _ range: Range<Int>) throws(DeviceError) {
    var buffer = AlignedBuffer(byteCount: range.count)
    do throws(DeviceError) {
      var span = buffer.mutableBytes
      try device.read(into: &span, range: 0..<range.count, at: range.lowerBound)
    } catch .unreadable {
      buffer.zero()
      try Self.readBlocks(device, range, into: &buffer)
    }
    self.range = range
    self.buffer = buffer
  }

  /// Reads what can be read, block by block; throws when nothing can.
  private static func readBlocks(
    _ device: any BlockDevice, _ range: Range<Int>, into buffer: inout AlignedBuffer
  ) throws(DeviceError) {
    var firstError: DeviceError?
    var isAnyRead = false
    var span = buffer.mutableBytes
    for start in stride(from: 0, to: range.count, by: 4096) {
      let block = start..<min(start + 4096, range.count)
      do throws(DeviceError) {
        try device.read(into: &span, range: block, at: range.lowerBound + start)
        isAnyRead = true
      } catch {
        firstError = firstError ?? error
      }
    }
    if !isAnyRead, let firstError { throw firstError }
  }

  func has(_ text: StaticString, at offset: Int) -> Bool {
    offset >= range.lowerBound && buffer.bytes.has(text, at: offset - range.lowerBound)
  }

  func has(_ bytes: [UInt8], at offset: Int) -> Bool {
    offset >= range.lowerBound && buffer.bytes.has(bytes, at: offset - range.lowerBound)
  }

  /// A little-endian integer; nil outside, or when it does not fit.
  func little<Value: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, _: Value.Type
  ) -> Int? {
    guard holds(offset, MemoryLayout<Value>.size) else { return nil }
    return Int(exactly: Value(littleEndian: buffer.bytes.raw(offset - range.lowerBound)))
  }

  /// A big-endian integer.
  func big<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: Value.Type) -> Int? {
    guard holds(offset, MemoryLayout<Value>.size) else { return nil }
    return Int(exactly: Value(bigEndian: buffer.bytes.raw(offset - range.lowerBound)))
  }

  private func holds(_ offset: Int, _ count: Int) -> Bool {
    offset >= range.lowerBound && offset <= range.upperBound - count
  }
}
