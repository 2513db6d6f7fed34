import ArgumentParser
import LinuxSystem

/// `ftool raid status`: how an array is.
package struct RaidStatus: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of an array and of its members.",
    discussion: "Never changes a byte, and needs no lock.")

  @OptionGroup package var operand: ArrayOperand

  @Flag(
    name: .long,
    help: "End with 0 if healthy, 2 if degraded, 4 if data is lost or cannot be read.")
  package var test = false

  @Flag(name: .long, help: "Show it again whenever it has changed, until interrupted.")
  package var watch = false

  @OptionGroup package var sums: SumsFileOption
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    var shown: String?
    while true {
      let status = try look(context)
      let report = StatusReport(status, operand: operand)
      let text = report.text(.plain)
      if text != shown {
        if shown == nil { context.output.show(report) } else { context.output.redraw(report) }
        shown = text
      }
      guard watch else { return test ? status.exitStatus : .done }
      for _ in 0..<10 {
        if let signal = context.stop.signal {
          throw Failure.interrupted(signal: signal, resuming: "nothing was changed")
        }
        Machine.sleep(seconds: 0.1)
      }
    }
  }

  private func look(_ context: CommandContext) throws(Failure) -> ArrayStatus {
    do throws(Failure) {
      let finder = ArrayFinder(operand, context: context)
      let paths = try finder.members(operand.array)
      return try ArrayStatus(members: paths, finder, sumsFile: sums.sumsFile, context: context)
    } catch {
      // Members that are there and make no array: who tests wants one number for that.
      let isUnreadable = [.damaged, .configuration, .inputOutput].contains(error.status)
      guard test, isUnreadable else { throw error }
      throw Failure(.unrepaired, error.message, hint: error.hint)
    }
  }
}
