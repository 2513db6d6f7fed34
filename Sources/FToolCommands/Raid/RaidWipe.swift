import ArgumentParser

/// `ftool raid wipe`: makes members plain files again.
package struct RaidWipe: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "wipe", abstract: "Erase the metadata of members.",
    discussion: "The data stays where it is, but nothing tells any more what belongs together.")

  @Argument(help: "The members.", completion: .file())
  package var members: [String]

  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
