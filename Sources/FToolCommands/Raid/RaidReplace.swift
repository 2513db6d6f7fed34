import ArgumentParser

/// `ftool raid replace`: swaps a live member for a new one.
package struct RaidReplace: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "replace", abstract: "Swap a live member without losing redundancy.",
    discussion: "The old member stays in use until the new one is complete.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member that leaves.", valueName: "member"),
    completion: .file())
  package var member: String

  @Option(
    name: .long, help: ArgumentHelp("The member that takes its place.", valueName: "member"),
    completion: .file())
  package var onto: String

  @Flag(name: .long, help: "Read everything back and compare.")
  package var verify = false

  @OptionGroup package var rate: RateOption
  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws {
    if member == onto { throw ValidationError("--member and --onto are the same") }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    var operand = operand
    // Given again after it had come to its end, when the member that left knew it already.
    if operand.array.count > 1 {
      operand.array.removeAll { text in
        text == member && (try? ArrayFinder.path(text)).map(RebuildWork.isBlank) == true
      }
    }
    let session = try change.open(operand, context) { $0.mentioned = [member, onto] }
    let work = try RebuildWork(session, replacing: member, with: onto, change.write, context)
    if change.write.dryRun {
      try session.requireWritable()
      context.output.show(work.plan)
      return .done
    }
    return try work.run(rate: rate.rate, verifies: verify)
  }
}
