import ArgumentParser
import Raid

/// `ftool raid remove`: lets a failed member or a spare go.
package struct RaidRemove: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Let a failed member or a spare go.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to remove.", valueName: "member"),
    completion: .file())
  package var member: String

  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let session = try change.open(operand, context)
    let member = session.name(ofMember: member)
    if !change.write.force, let found = session.member(at: member), !found.standing.isUsed {
      try session.requireNoLastCopy(found.probe.device)
    }
    return try session.change(
      "removed \(member)", dryRun: change.write.dryRun, type: "raid-remove", member: member,
      check: { (array) throws(RaidError) in try array.requireRemovable(member) }
    ) { (array) throws(RaidError) in
      if let left = try array.removeMember(named: member) { session.release(left) }
    }
  }
}
