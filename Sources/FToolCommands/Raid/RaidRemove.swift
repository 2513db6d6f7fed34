import ArgumentParser

/// `ftool raid remove`: lets a failed member or a spare go.
package struct RaidRemove: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Let a failed member or a spare go.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to remove.", valueName: "member"),
    completion: .file())
  package var member: String

  @OptionGroup package var degraded: DegradedOption
  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
