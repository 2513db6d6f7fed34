import ArgumentParser

/// The array that a verb works on, and how its members are found.
package struct ArrayOperand: ParsableArguments {
  /// A name, any one member, or all members.
  @Argument(
    help: "The array: its name, any one of its members, or all of its members.",
    completion: .file())
  package var array: [String]

  /// Where members are looked for.
  @Option(
    name: .long, help: ArgumentHelp("Look for members in this folder, too.", valueName: "dir"),
    completion: .directory)
  package var scan: [String] = []

  package init() {}

  package func validate() throws {
    if array.contains("") { throw ValidationError("the name of an array or member is empty") }
  }
}
