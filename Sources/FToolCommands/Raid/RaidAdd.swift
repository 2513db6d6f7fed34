import ArgumentParser

/// `ftool raid add`: gives an array a member.
package struct RaidAdd: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a member: back to its place, to an empty place, or as a spare.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to add.", valueName: "member"),
    completion: .file())
  package var new: String

  @Flag(name: .long, help: "Keep it as a spare, even if a place is empty.")
  package var spare = false

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
