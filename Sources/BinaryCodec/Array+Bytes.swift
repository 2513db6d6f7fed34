extension Array where Element == UInt8 {
  /// The array's bytes, lent for as long as the array is borrowed.
  package var rawBytes: RawSpan {
    @_lifetime(borrow self)
    borrowing get {
      // Unsafe only for elements with padding; bytes have none.
      unsafe span.bytes
    }
  }

  /// Lends the array's bytes to `body` for writing; copies the array first if it is shared.
  package mutating func withMutableRawBytes<Result, Failure: Error>(
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var elements = mutableSpan
    // Unsafe only for elements with forbidden bit patterns; bytes have none.
    var bytes = unsafe elements.mutableBytes
    return try body(&bytes)
  }
}
