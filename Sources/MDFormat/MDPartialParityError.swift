/// Why 4096 bytes are not the header of this array's partial parity log.
package enum MDPartialParityError: Error, Equatable, Sendable {
  case truncated(byteCount: Int)
  /// Torn, or never written.
  case damaged(stored: UInt32, computed: UInt32)
  /// A log of another array.
  case foreign(signature: UInt32)
  case tooManyEntries(UInt32)
  /// An entry that makes no sense, by its index.
  case invalid(entry: Int)
}
