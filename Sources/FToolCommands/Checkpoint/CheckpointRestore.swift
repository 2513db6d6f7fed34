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
      "The numbers that processes get: same (default), or any: where those are taken, the same in a pid namespace of their own.",
      valueName: "which"))
  package var pid = NumberChoice.same

  @Option(
    name: .long,
    help: ArgumentHelp(
      "What standard files become that led outside, or output that went to a file: inherit (default), null, file:PATH or the number of an open descriptor; or N=WHERE for one of them. May be given again.",
      valueName: "where"))
  package var stdio: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Paths that begin with OLD are found at NEW; may be given again.", valueName: "old=new"))
  package var map: [String] = []

  @Flag(
    name: .long,
    help: "Leave the program stopped; the result says which 'kill -CONT' lets it run.")
  package var stopped = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Read and check the whole file before anything is made: yes, no (default) or only.",
      valueName: "when"))
  package var verify = VerifyChoice.no

  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  /// When the whole file is checked.
  package enum VerifyChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case yes, no, only
  }

  /// Which numbers processes get.
  package enum NumberChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case same, any
  }

  /// In front, standard output is the program's.
  package var writesDataToStandardOutput: Bool { !detach && !write.dryRun && verify != .only }

  package func validate() throws {
    try CheckpointFile.validate(file)
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
    if let pidfile { try checkPlace(pidfile) }
    if write.dryRun { return try rehearse(options, context) }
    let progress = CheckpointProgress("restore", context, global)
    options.watch = progress.watch
    var lease: TerminalLease?
    let tree = try restore(options, progress) { root throws(SystemCallError) in
      try writeNumber(of: root)
      progress.finish()
      if !detach { lease = TerminalLease(to: root) }
    }
    for warning in tree.warnings { context.output.warn(warning.sentence) }
    if detach || lease == nil {
      show(tree, context)
      return .done
    }
    if !tree.stopped.isEmpty { context.output.warn("the program is\(tree.stopped.waysOn)") }
    return try stay(with: tree, lease!, context)
  }

  /// Nothing but a file is written over with the number, and not the image.
  private func checkPlace(_ pidfile: String) throws(Failure) {
    if pidfile.isEmpty || pidfile == "-" {
      throw Failure(
        .usage, "--pidfile: '\(pidfile)' is no file", hint: "the result says the number, too")
    }
    let folder = Files.directory(of: pidfile)
    guard Files.exists(folder) else {
      throw Failure(
        .notFound, "there is no folder \(folder) to write \(pidfile) into",
        hint: "make it, or choose another with --pidfile")
    }
    guard Files.exists(pidfile) || (try? Files.linkTarget(pidfile)) != nil else { return }
    guard let status = try? Files.status(of: pidfile), status.kind == .regular else {
      throw Failure(
        .wouldOverwrite, "\(pidfile) is there already, and not a file",
        hint: "choose another name with --pidfile")
    }
    if file != "-", status.identity == (try? Files.identity(of: file)) {
      throw Failure(
        .wouldOverwrite, "\(pidfile) is the image itself",
        hint: "choose another name with --pidfile")
    }
  }

  /// Says what stands in the way, and makes nothing.
  private func rehearse(
    _ options: RestoreOptions, _ context: CommandContext
  ) throws -> ExitStatus {
    let reader = try CheckpointFile.open(file)
    let forecast: RestoreForecast
    do throws(CheckpointError) {
      forecast = try Checkpoint.examine(reader, options)
    } catch {
      throw Failure(error, CheckpointFile.name(file))
    }
    for warning in forecast.warnings { context.output.warn(warning.sentence) }
    let processes = forecast.state.processes
    context.output.show(
      SimpleReport(
        type: "checkpoint-restore",
        "process \(processes[0].id)"
          + (processes.count > 1 ? " and \(processes.count - 1) of its descendants" : "")
          + " would be restored"
          + forecast.putBack.map { file in
            "\n  \(file.path): it "
              + (file.isReplaced
                ? "has changed, and would be put back; what is there now would be kept beside it"
                : "is gone, and would be put back")
          }.joined(),
        json: [
          "put_back": .array(
            forecast.putBack.map {
              ["file": .string($0.path), "replaces": .bool($0.isReplaced)]
            }),
          "pid": .number(processes[0].id), "file": .string(file),
          "processes": .number(processes.count), "dry_run": .bool(true),
        ]))
    return .done
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
    with tree: RestoredTree, _ lease: TerminalLease, _ context: CommandContext
  ) throws -> ExitStatus {
    let end = try Foreground.wait(
      for: tree.root, lease, early: context.stop.signal, reports: tree.reports)
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
          "pid": .number(tree.root.number), "pid_inside": tree.insideNumber,
          "file": .string(file), "exit_status": .number(status),
          "signal": .number(signal),
        ]))
    return .program(status: status ?? 128 + (signal ?? 0))
  }

  private func options() throws(Failure) -> RestoreOptions {
    var options = RestoreOptions()
    options.numbers = pid == .any ? .any : .same
    options.isDetached = detach
    options.staysStopped = stopped
    options.acceptsChangedFiles = write.force
    options.standardInputIsImage = file == "-"
    for text in stdio {
      let option = try StandardFileOption(text)
      options.redirections.merge(option.redirections) { $1 }
      for (number, place) in option.files {
        if case .descriptor(0) = place, file == "-" {
          throw Failure(.usage, "--stdio: descriptor 0 is the image itself")
        }
        options.standardFiles[number] = place
      }
    }
    for pair in map {
      guard let mapping = PathMapping(pair) else {
        throw Failure(.usage, "--map: '\(pair)' is not OLD=NEW with two absolute paths")
      }
      options.pathMap.append(mapping)
    }
    return options
  }

  private func restore(
    _ options: RestoreOptions, _ progress: CheckpointProgress,
    ready: (ProcessID) throws -> Void
  ) throws -> RestoredTree {
    do {
      return try Checkpoint.restore(try CheckpointFile.open(file), options, ready: ready)
    } catch  where progress.isInterrupted {
      throw progress.interruption("nothing of the program is left; run the same command again")
    } catch let error as CheckpointError {
      throw Failure(error, CheckpointFile.name(file))
    } catch let error as ImageError {
      throw Failure(error, CheckpointFile.name(file))
    }
  }

  private func show(_ tree: RestoredTree, _ context: CommandContext) {
    let count = tree.state.processes.count
    context.output.show(
      SimpleReport(
        type: "checkpoint-restore",
        "restored process \(tree.state.processes[0].id)"
          + (count > 1 ? " and \(count - 1) of its descendants" : "")
          + (tree.isInNamespace
            ? " in a pid namespace of \(count > 1 ? "their" : "its") own: from outside it is process \(tree.root)"
            : "")
          + (tree.stopped.isEmpty ? "" : ";") + tree.stopped.waysOn,
        json: [
          "pid": .number(tree.root.number), "pid_inside": tree.insideNumber,
          "file": .string(file), "processes": .number(count), "stopped": .bool(stopped),
          "stopped_pids": tree.stopped.json,
        ]))
  }
}

extension [ProcessID] {
  /// For the end of a sentence: how those that are left stopped go on, in this order.
  var waysOn: String {
    isEmpty
      ? ""
      : " left stopped: 'kill -CONT \(map(\.description).joined(separator: " "))' lets "
        + "\(count == 1 ? "it" : "them") go on"
  }

  /// Their numbers.
  var json: JSONValue { .array(map { .number($0.number) }) }
}

extension RestoredTree {
  /// The root's number in the tree's own pid namespace; null where that is ours.
  fileprivate var insideNumber: JSONValue {
    isInNamespace ? .number(state.processes[0].id) : .null
  }
}
