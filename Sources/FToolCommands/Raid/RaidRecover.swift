import ArgumentParser

/// `ftool raid recover`: finds how images of unknown order belong together.
package struct RaidRecover: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Find the layout of images of unknown order, chunk or level; never writes.",
    discussion: "Shows the candidates, the best first, and the command that reads that one.")

  @Argument(help: "The images, in any order.", completion: .file())
  package var members: [String]

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
