/// Why a file is no map that could be gone on with.
package enum RescueMapError: Error, Equatable, Sendable {
  /// The number of the line, from 1 on, that is not as it should be, and what is wrong with it.
  case malformed(line: Int, Problem)
  /// It names no array: it comes from another program.
  case unnamed
  /// It is of another array: what it names.
  case foreign(String)
  /// It tells of so many bytes, and not of the array's.
  case otherSize(has: Int, needs: Int)

  /// What can be wrong with a line.
  package enum Problem: Equatable, Sendable {
    /// It is longer than any line of a map.
    case tooLong
    /// It has other words than belong there.
    case words
    /// A number that is none, or too large.
    case number
    /// A letter that stands for no status.
    case status
    /// It does not begin where the last one ended.
    case gap
    /// The file ends before its first piece.
    case missing
  }
}
