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
      "What standard files become that led outside: inherit (default) or file:PATH.",
      valueName: "where"))
  package var stdio: String?

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

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let options = try options()
    if verify != .no {
      guard file != "-" else {
        throw Failure(.usage, "--verify reads the file twice, and standard input can be read once")
      }
      try CheckpointFile.verify(file)
      if verify == .only {
        context.output.show(CheckpointFile.verified(file, type: "checkpoint-restore"))
        return .done
      }
    }
    let (root, state, warnings) = try restore(options)
    for warning in warnings { context.output.warn(warning.sentence) }
    if let pidfile {
      try Files.atomicReplace(pidfile, permissions: 0o644) { (file) throws(SystemCallError) in
        let text = Array("\(root)\n".utf8)
        // Safe: bytes have no padding.
        try file.write(unsafe text.span.bytes, range: 0..<text.count, at: 0)
      }
    }
    if detach {
      show(root, state, context)
      return .done
    }
    switch try Foreground.wait(for: root, early: context.stop.signal) {
    case .exited(let status): return .program(status: status)
    case .killed(let signal): return .program(status: 128 + signal)
    }
  }

  private func options() throws(Failure) -> RestoreOptions {
    var options = RestoreOptions()
    options.isDetached = detach
    options.staysStopped = stopped
    options.acceptsChangedFiles = force
    switch stdio {
    case nil, "inherit": break
    case let text? where text.hasPrefix("file:") && text.count > 5:
      options.standardFiles = .file(String(text.dropFirst(5)))
    case let text?:
      throw Failure(.usage, "--stdio: '\(text)' is neither inherit nor file:PATH")
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
    _ options: RestoreOptions
  ) throws -> (root: ProcessID, state: CheckpointState, warnings: [Obstacle]) {
    do {
      return try Checkpoint.restore(try CheckpointFile.open(file), options)
    } catch let error as CheckpointError {
      throw Failure(error)
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
