import ArgumentParser
import MDFormat
import Raid

/// `ftool raid rebuild`: makes a member good again from the others.
package struct RaidRebuild: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "rebuild", abstract: "Make a member good again, onto itself or onto a new one.",
    discussion: """
      Without --member and --onto, every member that needs it is rebuilt, and spares take the places \
      of failed members. Interrupted, it goes on where it was.
      """)

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long, help: ArgumentHelp("The member to make good again.", valueName: "member"),
    completion: .file())
  package var member: String?

  @Option(
    name: .long, help: ArgumentHelp("The new member to put in its place.", valueName: "member"),
    completion: .file())
  package var onto: String?

  @Flag(name: .long, help: "Read everything back and compare.")
  package var verify = false

  @OptionGroup package var rate: RateOption
  @OptionGroup package var change: ChangeOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws {
    if let member, member == onto {
      throw ValidationError("--member and --onto are the same: --member alone rebuilds it in place")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let finder = ArrayFinder(operand, context: context)
    let unfinished = onto == nil ? finder.unfinished(operand.array) : nil
    let onto = onto ?? (member == nil || member == unfinished ? unfinished : nil)
    let session: ArraySession
    do throws(Failure) {
      session = try change.open(operand, context) {
        $0.expectsOneMissing = member != nil || onto != nil
        $0.bringsBack = true
        // Whose place another one takes need not be there, and is left alone if it is.
        $0.mentioned = [onto ?? member].compactMap { $0 }
      }
    } catch {
      guard error.status == .notFound,
        let blank = finder.blanks(operand.array).first(where: { $0 != onto })
      else {
        throw error
      }
      throw Self.absent(blank)
    }
    // Whose place it had nobody knows any more, where there are several.
    if let unfinished, session.array.degradedSlots.count != 1 { throw Self.absent(unfinished) }
    let work = try RebuildWork(
      session, member: member == onto ? nil : member, onto: onto, change.write, context)
    if change.write.dryRun {
      try session.requireWritable()
      context.output.show(work.plan)
      return .done
    }
    return try work.run(rate: rate.rate, verifies: verify)
  }

  /// Why a path that was listed as a member is none, and how it can become one.
  private static func absent(_ path: String) -> Failure {
    var failure = Failure(.absent, on: path)
    failure.hint = "--onto \(path) has a rebuild fill it from the others; " + (failure.hint ?? "")
    return failure
  }
}
