import ArgumentParser

/// The options of every command that writes.
package struct WriteOptions: ParsableArguments {
  /// Whether only to say what would be written.
  @Flag(name: [.customShort("n"), .long], help: "Write nothing: say what would be written.")
  package var dryRun = false

  /// Whether all questions are answered with yes.
  @Flag(name: .shortAndLong, help: "Do not ask.")
  package var yes = false

  /// Whether safety checks may be overridden.
  @Flag(name: .shortAndLong, help: "Go on although a safety check says no.")
  package var force = false

  package init() {}
}
