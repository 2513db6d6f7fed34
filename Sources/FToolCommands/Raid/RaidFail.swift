import ArgumentParser
import MDFormat
import Raid

/// `ftool raid fail`: stops using a member.
package struct RaidFail: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "fail", abstract: "Mark a member as failed: it is not used any more.",
    discussion: "Refused where the array cannot do without it, whatever options are given.")

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
    if session.array.isOutAlready(member), let found = session.member(at: member) {
      return try session.leaveUnchanged(
        Self.sentence(found), dryRun: change.write.dryRun, type: "raid-fail", member: member)
    }
    return try session.change(
      "declared \(member) failed", dryRun: change.write.dryRun, type: "raid-fail", member: member,
      check: { (array) throws(RaidError) in try array.requireDispensable(member) }
    ) { (array) throws(RaidError) in
      try array.failMember(named: member)
    }
  }

  /// Why there is nothing left to do.
  private static func sentence(_ found: ArraySession.FoundMember) -> String {
    switch found.standing {
    case .failed, .stale:
      if case .slot(let slot) = found.probe.superblock.role {
        return "\(found.name) has failed already: it was in slot \(slot)"
      }
      return "\(found.name) has failed already"
    case .active, .rebuilding, .replacement, .spare, .journal, .split, .duplicate, .unusable,
      .former:
      return "\(found.name) is not used already: \(found.standing.sentence)"
    }
  }
}
