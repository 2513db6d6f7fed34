/// A part of an array in bytes: from one offset up to, not including, another.
package struct ByteRange: Equatable, Sendable {
  /// The first byte of it.
  package var lowerBound: Int
  /// The byte behind it; nil is the array's end.
  package var upperBound: Int?

  /// Reads `A-B` or `A-` (to the end), each of them a size.
  init(parsing text: String) throws(InvalidValue) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else {
      throw InvalidValue("a range is A-B or A-, where A and B are sizes")
    }
    lowerBound = try parseSize(String(parts[0]))
    upperBound = parts[1].isEmpty ? nil : try parseSize(String(parts[1]))
    if let upperBound, upperBound <= lowerBound {
      throw InvalidValue("the range is empty: it must end behind its start")
    }
  }
}
