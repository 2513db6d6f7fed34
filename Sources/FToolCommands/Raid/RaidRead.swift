import ArgumentParser

/// `ftool raid read`: copies bytes out of an array.
package struct RaidRead: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "read", abstract: "Copy an array's bytes to standard output or a file.",
    discussion: "Never changes a byte of the members, unless --repair is given.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write to this file. (default: standard output)", valueName: "file"),
    completion: .file())
  package var output: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The first byte to read. (default: 0)", valueName: "size"),
    transform: parseSize)
  package var offset: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("How much to read. (default: up to the end)", valueName: "size"),
    transform: parseSize)
  package var length: Int?

  @Flag(name: .long, help: "Write back what had to be reconstructed.")
  package var repair = false

  @Flag(name: .long, help: "Bypass the page cache.")
  package var direct = false

  @Option(
    name: .long,
    help: ArgumentHelp("Which copy of a mirror to read.", valueName: "policy"))
  package var readPolicy = ReadPolicy.roundRobin

  @OptionGroup package var degraded: DegradedOption
  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package var writesDataToStandardOutput: Bool { output == nil || output == "-" }

  package func validate() throws {
    if degraded.degraded && !repair {
      throw ValidationError("--degraded is for writing: reading needs it only with --repair")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    throw Failure.notBuiltYet
  }
}
