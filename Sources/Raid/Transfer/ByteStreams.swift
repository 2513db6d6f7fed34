import LinuxSystem

/// Where bytes of an array go, in order.
package protocol ByteSink: Sendable {
  /// Takes all bytes of the range, or throws.
  func write(_ bytes: RawSpan, range: Range<Int>) throws(SystemCallError)
}

/// Where bytes for an array come from, in order.
package protocol ByteSource: Sendable {
  /// Fills the range, and returns how much; less than all only at the end.
  func read(into bytes: inout MutableRawSpan, range: Range<Int>) throws(SystemCallError) -> Int
}
