import ArgumentParser

/// What to do when another command holds the array.
package struct LockOptions: ParsableArguments {
  /// How long to wait for it.
  @Option(
    name: .long,
    help: ArgumentHelp("Wait this long for an array that is held.", valueName: "duration"),
    transform: parseDuration)
  package var wait: Duration?

  package init() {}
}
