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

  @OptionGroup package var degraded: DegradedOption
  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var lock: LockOptions
  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    var request = ArraySession.Request()
    request.use = write.dryRun ? .read : .write
    request.allowsDegraded = degraded.degraded
    request.allowsDoubt = write.force
    request.sumsFile = sums.sumsFile
    request.wait = lock.wait
    let session = try ArraySession(operand, request, context: context)
    let member = session.name(ofMember: member)
    return try session.change(
      "removed \(member)", dryRun: write.dryRun, type: "raid-remove", member: member,
      check: { (array) throws(RaidError) in try array.requireRemovable(member) }
    ) { (array) throws(RaidError) in
      try array.removeMember(named: member)
    }
  }
}
