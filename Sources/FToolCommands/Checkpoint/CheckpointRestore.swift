import ArgumentParser
import CheckpointFormat
import Checkpointing
import LinuxSystem

/// `ftool checkpoint restore`: brings a tree back.
package struct CheckpointRestore: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Bring a saved program back, with the numbers that it had.",
    discussion: """
      Without --detach ftool stays in front: it passes signals on, and ends as the program ends. The \
      program runs only when every checksum of the file agrees; otherwise none of it is left.
      """)

  @Argument(
    help: ArgumentHelp(
      "What 'ftool checkpoint save' wrote, or - for standard input.", valueName: "file"),
    completion: .file())
  package var file: String

  @Flag(name: .long, help: "Return when the program runs, and leave it to itself.")
  package var detach = false

  @Option(
    name: .long, help: ArgumentHelp("Write the number of the process there.", valueName: "file"),
    completion: .file())
  package var pidfile: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "What standard files become that led outside: inherit (default), null, file:PATH or the number of an open descriptor; or N=WHERE for one of them. May be given again.",
      valueName: "where"))
  package var stdio: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Paths that begin with OLD are found at NEW; may be given again.", valueName: "old=new"))
  package var map: [String] = []

  @Flag(name: .long, help: "Leave the program stopped; 'kill -CONT' lets it run.")
  package var stopped = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Read and check the whole file before anything is made: yes, no (default) or only.",
      valueName: "when"))
  package var verify = VerifyChoice.no

  @Flag(name: .shortAndLong, help: "Restore although files have changed since.")
  package var force = false

  @OptionGroup package var global: GlobalOptions

  package init() {}

  /// When the whole file is checked.
  package enum VerifyChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case yes, no, only
  }

  /// In front, standard output is the program's.
  package var writesDataToStandardOutput: Bool { !detach && verify != .only }

  package func validate() throws {
    if file == "-" && verify == .yes {
      throw ValidationError(
        "--verify yes reads the file twice, and standard input can be read once")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    var options = try options()
    if verify != .no {
      let report = try CheckpointFile.verify(file, context, global)
      if verify == .only {
        context.output.show(report)
        return .done
      }
    }
    let progress = CheckpointProgress("restore", context, global)
    options.watch = progress.watch
    var lease: TerminalLease?
    let (root, state, warnings) = try restore(options, progress) { root throws(SystemCallError) in
      try writeNumber(of: root)
      progress.finish()
      if !detach { lease = TerminalLease(to: root) }
    }
    for warning in warnings { context.output.warn(warning.sentence) }
    if detach || lease == nil {
      show(root, state, context)
      return .done
    }
    return try stay(with: root, lease!, context)
  }

  private func writeNumber(of root: ProcessID) throws(SystemCallError) {
    guard let pidfile else { return }
    try Files.atomicReplace(pidfile, permissions: 0o644) { (file) throws(SystemCallError) in
      let text = Array("\(root)\n".utf8)
      // Safe: bytes have no padding.
      try file.write(unsafe text.span.bytes, range: 0..<text.count, at: 0)
    }
  }

  /// Ends as the program ends. It has said by itself what it had to say.
  private func stay(
    with root: ProcessID, _ lease: TerminalLease, _ context: CommandContext
  ) throws -> ExitStatus {
    let end = try Foreground.wait(for: root, lease, early: context.stop.signal)
    lease.takeBack()
    let (status, signal): (Int32?, Int32?) =
      switch end {
      case .exited(let status): (status, nil)
      case .killed(let signal): (nil, signal)
      }
    context.output.show(
      SimpleReport(
        type: "checkpoint-restore", "",
        json: [
          "pid": .number(root.number), "file": .string(file), "exit_status": .number(status),
          "signal": .number(signal),
        ]))
    return .program(status: status ?? 128 + (signal ?? 0))
  }

  private func options() throws(Failure) -> RestoreOptions {
    var options = RestoreOptions()
    options.isDetached = detach
    options.staysStopped = stopped
    options.acceptsChangedFiles = force
    options.standardInputIsImage = file == "-"
    for text in stdio {
      for (number, place) in try StandardFileOption(text).files {
        if case .descriptor(0) = place, file == "-" {
          throw Failure(.usage, "--stdio: descriptor 0 is the image itself")
        }
        options.standardFiles[number] = place
      }
    }
    for pair in map {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].hasPrefix("/"), parts[1].hasPrefix("/") else {
        throw Failure(.usage, "--map: '\(pair)' is not OLD=NEW with two absolute paths")
      }
      options.pathMap.append((String(parts[0]), String(parts[1])))
    }
    return options
  }

  private func restore(
    _ options: RestoreOptions, _ progress: CheckpointProgress,
    ready: (ProcessID) throws -> Void
  ) throws -> (root: ProcessID, state: CheckpointState, warnings: [Obstacle]) {
    do {
      return try Checkpoint.restore(try CheckpointFile.open(file), options, ready: ready)
    } catch  where progress.isInterrupted {
      throw progress.interruption("nothing of the program is left; run the same command again")
    } catch let error as CheckpointError {
      throw Failure(error, file)
    } catch let error as ImageError {
      throw Failure(error, file)
    }
  }

  private func show(_ root: ProcessID, _ state: CheckpointState, _ context: CommandContext) {
    let count = state.processes.count
    context.output.show(
      SimpleReport(
        type: "checkpoint-restore",
        "restored process \(root)" + (count > 1 ? " and \(count - 1) of its descendants" : ""),
        json: [
          "pid": .number(root.number), "file": .string(file), "processes": .number(count),
          "stopped": .bool(stopped),
        ]))
  }
}
