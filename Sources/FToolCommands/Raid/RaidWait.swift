import ArgumentParser
import BlockStorage
import LinuxSystem

/// `ftool raid wait`: waits for a long job on an array.
package struct RaidWait: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "wait", abstract: "Wait until a rebuild, a scrub or a replacement has ended.",
    discussion: "Never changes a byte, and needs no lock.")

  @OptionGroup package var operand: ArrayOperand

  @Option(
    name: .long,
    help: ArgumentHelp("Give up after this time. (default: never)", valueName: "duration"),
    transform: parseDuration)
  package var timeout: Duration?

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let start = ContinuousClock.now
    let finder = ArrayFinder(operand, context: context)
    let paths = try finder.members(operand.array)
    var line: ProgressLine?
    while true {
      let status = try ArrayStatus(members: paths, finder, context: context)
      // A job holds the members to write for as long as it lives, also between two notes of progress.
      guard status.use.isWritten else {
        line?.finish()
        show(status, waited: ContinuousClock.now - start, context)
        return .done
      }
      if let operation = status.operation, operation.isRunning {
        line =
          line
          ?? context.progress(
            operation.name, total: operation.total, startingAt: operation.done)
        line?.update(done: operation.done)
      }
      try pause(since: start, line, context)
    }
  }

  /// Waits for a moment, or throws when the time is up or somebody wants an end.
  private func pause(
    since start: ContinuousClock.Instant, _ line: ProgressLine?, _ context: CommandContext
  ) throws(Failure) {
    for _ in 0..<4 {
      if let timeout, ContinuousClock.now - start >= timeout {
        line?.clear()
        throw Failure(
          .failed, "the array is still being worked on after \(durationText(timeout))",
          hint: "'ftool raid status' says how far it is")
      }
      if let signal = context.stop.signal {
        line?.clear()
        throw .interrupted(signal: signal, resuming: "the job goes on: only the waiting has ended")
      }
      Machine.sleep(seconds: 0.05)
    }
  }

  private func show(_ status: ArrayStatus, waited: Duration, _ context: CommandContext) {
    var text = "nothing runs on \(status.name)"
    if let operation = status.operation {
      text += "; a \(operation.name) was interrupted: \(operation.measures)"
    }
    context.output.show(
      SimpleReport(
        type: "raid-wait", text,
        json: [
          "array": .string(status.name), "state": .string(status.condition.rawValue),
          "interrupted": .string(status.operation?.name),
          "waited_seconds": .fraction(waited / .seconds(1)),
        ]))
  }
}
