/// A part of an array in bytes: from one offset up to, not including, another.
package struct ByteRange: Equatable, Sendable {
  /// The first byte of it.
  package var lowerBound: UInt64
  /// The byte behind it; nil is the array's end.
  package var upperBound: UInt64?

  /// Reads `A-B`, `A-` (to the end) or `-B` (from the start), each of them a size.
  init(parsing text: String) throws(InvalidValue) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts != ["", ""] else {
      throw InvalidValue("a range is A-B, A- or -B, where A and B are sizes")
    }
    lowerBound = parts[0].isEmpty ? 0 : try parseSize(String(parts[0]))
    upperBound = parts[1].isEmpty ? nil : try parseSize(String(parts[1]))
    if let upperBound, upperBound <= lowerBound {
      throw InvalidValue("the range is empty: it must end behind its start")
    }
  }
}
