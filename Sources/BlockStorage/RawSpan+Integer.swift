// The few fields that this module reads of others' formats; BinaryCodec, which has more, is for our own.
extension RawSpan {
  /// A little-endian integer; offsets are ours, so one outside is a bug.
  func little<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as: Value.Type) -> Int {
    Int(truncatingIfNeeded: Value(littleEndian: raw(offset)))
  }

  /// A big-endian integer.
  func big<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as: Value.Type) -> Int {
    Int(truncatingIfNeeded: Value(bigEndian: raw(offset)))
  }

  /// A little-endian 64-bit count; nil when it does not fit.
  func count(_ offset: Int) -> Int? { Int(exactly: UInt64(littleEndian: raw(offset))) }

  /// A big-endian 64-bit count; nil when it does not fit.
  func bigCount(_ offset: Int) -> Int? { Int(exactly: UInt64(bigEndian: raw(offset))) }

  /// Whether these bytes stand there.
  func has(_ bytes: StaticString, at offset: Int) -> Bool {
    let expected = String(describing: bytes).utf8
    guard offset + expected.count <= byteCount else { return false }
    return expected.enumerated().allSatisfy { raw(offset + $0, as: UInt8.self) == $1 }
  }

  /// Whether these bytes stand there.
  func has(_ bytes: [UInt8], at offset: Int) -> Bool {
    guard offset + bytes.count <= byteCount else { return false }
    return bytes.indices.allSatisfy { raw(offset + $0, as: UInt8.self) == bytes[$0] }
  }

  func raw<Value: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, as: Value.Type = Value.self
  ) -> Value {
    // Safe: bounds are checked by the span, and every bit pattern is an integer.
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self)
  }
}
