import ArgumentParser
import Raid

/// `ftool raid fail`: stops using a member.
package struct RaidFail: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "fail", abstract: "Mark a member as failed: it is not used any more.",
    discussion: "Refused where the array cannot do without it, unless --force is given.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to fail.", valueName: "member"),
    completion: .file())
  package var member: String

  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let session = try change.open(operand, context)
    let member = session.name(ofMember: member)
    return try session.change(
      "declared \(member) failed", dryRun: change.write.dryRun, type: "raid-fail", member: member,
      check: { (array) throws(RaidError) in try array.requireDispensable(member) }
    ) { (array) throws(RaidError) in
      try array.failMember(named: member)
    }
  }
}
