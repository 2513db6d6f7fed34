import ArgumentParser

/// `ftool raid examine`: what is written on a member about its array.
package struct RaidExamine: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "examine", abstract: "Show a member's metadata.",
    discussion: "Never changes a byte.")

  @Argument(help: "The member.", completion: .file())
  package var member: String

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
