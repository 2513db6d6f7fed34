import ArgumentParser

/// `ftool raid wait`: waits for a long job on an array.
package struct RaidWait: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "wait", abstract: "Wait until a rebuild, a scrub or a replacement has ended.",
    discussion: "Never changes a byte, and needs no lock.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long,
    help: ArgumentHelp("Give up after this time. (default: never)", valueName: "duration"),
    transform: parseDuration)
  package var timeout: Duration?

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
