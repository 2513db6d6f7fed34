import ArgumentParser

/// Where the checksums of an array are that has no room for them on its members.
package struct SumsFileOption: ParsableArguments {
  /// The file beside the array.
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Keep the array's checksums in this file: for arrays that other tools made.",
      valueName: "file"),
    completion: .file())
  package var sumsFile: String?

  package init() {}
}
