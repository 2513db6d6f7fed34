/// Why the value of an option cannot be used; the parser puts the option's name in front.
struct InvalidValue: Error, Equatable, CustomStringConvertible {
  /// What is expected, or what is wrong: lower case, no full stop.
  let description: String

  init(_ description: String) { self.description = description }
}
