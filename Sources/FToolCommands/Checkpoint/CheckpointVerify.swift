import ArgumentParser

/// `ftool checkpoint verify`: reads a file to its end.
package struct CheckpointVerify: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read a saved program to its end, and check every checksum.")

  @Argument(
    help: ArgumentHelp(
      "What 'ftool checkpoint save' wrote, or - for standard input.", valueName: "file"),
    completion: .file())
  package var file: String

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws { try CheckpointFile.validate(file) }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    context.output.show(try CheckpointFile.verify(file, context, global))
    return .done
  }
}
