import ArgumentParser

/// `ftool raid write`: copies bytes into an array.
package struct RaidWrite: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "write", abstract: "Copy standard input or a file into an array.",
    discussion: "Ends with a flush: what was written is on the members' disks.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Read from this file. (default: standard input)", valueName: "file"),
    completion: .file())
  package var input: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The first byte to write. (default: 0)", valueName: "size"),
    transform: parseSize)
  package var offset: Int?

  @Flag(name: .long, help: "Flush after every write, not only at the end.")
  package var sync = false

  @Flag(name: .long, help: "Bypass the page cache.")
  package var direct = false

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
