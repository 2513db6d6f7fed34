import ArgumentParser

/// The options that every command has.
package struct GlobalOptions: ParsableArguments {
  /// Whether the result is one JSON object.
  @Flag(name: .long, help: "Write the result, or the error, as one JSON object.")
  package var json = false

  /// How progress is shown.
  @Option(
    name: .long, help: "Show progress as a bar, as plain lines, as JSON once a second, or not.")
  package var progress = ProgressMode.auto

  /// Whether only results and errors are said.
  @Flag(name: .shortAndLong, help: "Say nothing but results and errors.")
  package var quiet = false

  /// Whether details are said, too.
  @Flag(name: .shortAndLong, help: "Say more.")
  package var verbose = false

  package init() {}

  package func validate() throws {
    if quiet && verbose {
      throw ValidationError("--quiet and --verbose exclude each other")
    }
  }

  /// What the two flags say.
  var verbosity: Output.Verbosity { quiet ? .quiet : verbose ? .verbose : .normal }
}
