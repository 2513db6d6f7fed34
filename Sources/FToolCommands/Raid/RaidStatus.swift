import ArgumentParser

/// `ftool raid status`: how an array is.
package struct RaidStatus: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of an array and of its members.",
    discussion: "Never changes a byte, and needs no lock.")

  @OptionGroup package var operand: ArrayOperand

  @Flag(
    name: .long,
    help: "End with 0 if healthy, 2 if degraded, 4 if data is lost or cannot be read.")
  package var test = false

  @Flag(name: .long, help: "Show it again whenever it has changed, until interrupted.")
  package var watch = false

  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
