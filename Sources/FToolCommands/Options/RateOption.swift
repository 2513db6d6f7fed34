import ArgumentParser

/// How fast a long job may go.
package struct RateOption: ParsableArguments {
  /// Bytes per second.
  @Option(
    name: .long,
    help: ArgumentHelp("Go no faster than this many bytes a second.", valueName: "rate"),
    transform: parseRate)
  package var rate: Int?

  package init() {}
}
