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
      "declared \(member) failed", dryRun: write.dryRun, type: "raid-fail", member: member,
      check: { (array) throws(RaidError) in try array.requireDispensable(member) }
    ) { (array) throws(RaidError) in
      try array.failMember(named: member)
    }
  }
}
