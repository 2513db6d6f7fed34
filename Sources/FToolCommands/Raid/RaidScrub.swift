import ArgumentParser

/// `ftool raid scrub`: compares all that is redundant, and repairs what is known to be wrong.
package struct RaidScrub: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "scrub", abstract: "Check parity, copies and checksums, and repair.",
    discussion: """
      Names the wrong member wherever it can be known: by checksum or by two parities. Where it \
      cannot be known it says so and repairs nothing. Interrupted, it goes on where it was.
      """)

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long,
    help: ArgumentHelp("Whether to repair what is known to be wrong.", valueName: "when"))
  package var repair = RepairPolicy.auto

  @Option(
    name: .long,
    help: ArgumentHelp("Check only these bytes of the array.", valueName: "from-to"),
    transform: ByteRange.init(parsing:))
  package var range: ByteRange?

  @OptionGroup package var rate: RateOption
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
