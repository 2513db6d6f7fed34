import ArgumentParser

/// Whether an array may be written without all of its members.
package struct DegradedOption: ParsableArguments {
  /// Whether members that were not given may fall behind.
  @Flag(
    name: .long,
    help: "Write although members that the array counts on were not given: they fall behind.")
  package var degraded = false

  package init() {}
}
