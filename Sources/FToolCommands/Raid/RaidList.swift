import ArgumentParser

/// `ftool raid list`: the arrays that are known or found.
package struct RaidList: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the arrays that are known or found.")

  @Option(
    name: .long,
    help: ArgumentHelp("Look for members in this folder, too.", valueName: "dir"),
    completion: .directory)
  package var scan: [String] = []

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
