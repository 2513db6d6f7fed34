/// A process or one of its threads, by the number it has in the namespace of whoever asks.
package struct ProcessID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let number: Int32

  package init(_ number: Int32) { self.number = number }

  /// A process's folder in /proc; a thread has one there too, though it is not listed.
  package var folder: String { "/proc/\(number)" }

  package var description: String { "\(number)" }

  package static func < (one: ProcessID, other: ProcessID) -> Bool { one.number < other.number }
}
