import ArgumentParser
import CheckpointFormat
import Checkpointing
import Compression
import LinuxSystem
import SystemPackage

/// `ftool checkpoint save`: keeps a running tree in a file.
package struct CheckpointSave: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "save", abstract: "Keep a running program and its descendants in one file.",
    discussion: """
      The program is stopped, saved and runs on, unless --leave says otherwise. Whatever goes wrong, it \
      runs on and no file is left.
      """)

  /// What becomes of the program.
  enum Leave: String, ExpressibleByArgument, CaseIterable, Sendable {
    case running, stopped, dead
  }

  @OptionGroup package var operand: ProcessOperand

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file, or - for standard output. (default: PID-TIME.ftc)", valueName: "file"),
    completion: .file())
  package var output: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A command of a shell that reads the image from its standard input. Only when it ends well, what --leave says happens.",
      valueName: "command"))
  package var into: String?

  @Option(
    name: .long,
    help: "What becomes of the program when the file is safe: running, stopped or dead.")
  var leave = Leave.running

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How memory is compressed: zstd[:N], lz4, zlib[:N] or none. (default: zstd:1 where it is built in, else zlib:1)",
      valueName: "codec"))
  package var compress: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How many threads compress. (default: one per processor)", valueName: "count"))
  package var threads: Int?

  @OptionGroup package var write: WriteOptions
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package var writesDataToStandardOutput: Bool { output == "-" }

  package func validate() throws {
    if let threads, !(1...64).contains(threads) {
      throw ValidationError("--threads is a number from 1 to 64")
    }
    if output == "" || into == "" {
      throw ValidationError("\(output == "" ? "--output" : "--into") is empty")
    }
    if output != nil && into != nil {
      throw ValidationError("--output and --into exclude each other")
    }
  }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let root = try operand.root()
    var options = operand.options
    options.afterwards =
      switch leave {
      case .running: .running
      case .stopped: .stopped
      case .dead: .dead
      }
    if let compress { options.codec = try codec(compress) }
    if let threads { options.workers = threads }
    let path = output ?? "\(root)-\(UTCTime.now.compact).ftc"
    if into == nil { try checkPlace(path) }
    if write.dryRun { return try rehearse(root, options, path, context) }
    let progress = CheckpointProgress("save", context, global)
    options.watch = progress.watch
    do {
      let report =
        if let into {
          try ImageReceiver(into).save(root, options) { progress.isInterrupted }
        } else {
          try save(root, options, path)
        }
      progress.finish()
      show(report, path, context)
      return .done
    } catch  where progress.isInterrupted {
      throw progress.interruption("process \(root) runs on, and no file was kept")
    } catch CheckpointError.image(let error) {
      throw Failure(error, into != nil ? "the pipe" : path == "-" ? "standard output" : path)
    } catch let error as CheckpointError {
      throw Failure(error)
    }
  }

  /// Nothing that somebody still needs is written over.
  private func checkPlace(_ path: String) throws(Failure) {
    if path == "-" {
      if Terminal.isTerminal(.standardOutput) {
        throw Failure(
          .usage, "standard output is a terminal, which an image is nothing for",
          hint: "name a file with -o, or send it through a pipe")
      }
      return
    }
    let folder = Files.directory(of: path)
    guard Files.exists(folder) else {
      throw Failure(
        .notFound, "there is no folder \(folder) to write \(path) into",
        hint: "make it, or choose another with -o")
    }
    do throws(SystemCallError) {
      try Files.require([.writing, .entering], to: folder)
    } catch {
      throw Failure(
        Failure.status(of: error.errno), "\(path) may not be made in its folder: \(error.errno)",
        hint: "choose another with -o")
    }
    let kind = try? Files.kind(of: path)
    // A link that leads nowhere is there, too.
    if kind == nil, (try? Files.linkTarget(path)) == nil { return }
    guard kind == .regular || kind == nil else {
      throw Failure(
        .wouldOverwrite,
        "\(path) is there already, and not a file",
        hint: kind == .directory
          ? "name a file in it"
          : "name a file; a pipe or device can be written with '-o - > \(path)'")
    }
    if !write.force { throw isThere(path) }
  }

  private func isThere(_ path: String) -> Failure {
    Failure(
      .wouldOverwrite, "\(path) is there already", hint: "choose another name, or pass --force")
  }

  private func codec(_ text: String) throws(Failure) -> CodecSetting {
    guard let setting = CodecSetting(text) else {
      let name = text.prefix { $0 != ":" }
      if let levels = Codec.allCases.first(where: { $0.name == name })?.levels {
        throw Failure(
          .usage,
          "--compress: \(name) has the levels \(levels.lowerBound) to \(levels.upperBound), and none is '\(text.dropFirst(name.count + 1))'"
        )
      }
      throw Failure(
        .usage, "--compress: '\(text)' is none of zstd[:N], lz4, zlib[:N] and none")
    }
    guard setting.codec.isBuiltIn else {
      throw Failure(
        .usage, "this ftool was built without \(setting.codec.name)",
        hint: "install its development package and build ftool again, or choose another codec")
    }
    return setting
  }

  /// Says what stands in the way, and writes nothing.
  private func rehearse(
    _ root: ProcessID, _ options: SaveOptions, _ path: String, _ context: CommandContext
  ) throws -> ExitStatus {
    do throws(CheckpointError) {
      let obstacles = try Checkpoint.examine(root, options).obstacles
      if !obstacles.isEmpty { throw .obstacles(obstacles) }
    } catch {
      throw Failure(error)
    }
    context.output.show(
      SimpleReport(
        type: "checkpoint-save", "process \(root) would be saved \(place(path))",
        json: [
          "pid": .number(root.number), "file": .string(into == nil ? path : nil),
          "command": .string(into), "dry_run": .bool(true),
        ]))
    return .done
  }

  private func save(
    _ root: ProcessID, _ options: SaveOptions, _ path: String
  ) throws -> SaveReport {
    if path == "-" {
      let output = try OwnedDescriptor.standard(1)
      return try Checkpoint.save(root, to: output, options, isDurable: false) {}
    }
    var options = options
    options.folder = Files.directory(of: path)
    let temporary = Files.temporaryName(beside: path)
    let file = try OwnedDescriptor.open(
      temporary, access: .readWrite, options: [.create, .exclusive], permissions: 0o600)
    do {
      try file.setPermissions(0o600)  // whatever the umask has left of it
      return try Checkpoint.save(root, to: file, options, isDurable: true) {
        try putInPlace(temporary, path)
        try Files.synchronizeDirectory(Files.directory(of: path))
      }
    } catch {
      try? Files.unlink(temporary)  // the first error is the one to tell
      throw error
    }
  }

  /// What has come to be there while the image was written is replaced only with force, and if it is a file.
  private func putInPlace(_ temporary: String, _ path: String) throws {
    do throws(SystemCallError) {
      if !write.force { return try Files.rename(temporary, toFree: path) }
    } catch  where error.errno == .fileExists {
      throw isThere(path)
    } catch {
      // A filesystem that can do neither that nor links; what else is wrong is so here as well.
    }
    try checkPlace(path)
    try Files.rename(temporary, to: path)
  }

  /// Where it goes, for a sentence.
  private func place(_ path: String) -> String {
    if let into { return "into '\(into)'" }
    return "to \(path == "-" ? "standard output" : path)"
  }

  private func show(_ report: SaveReport, _ path: String, _ context: CommandContext) {
    let memory = report.image.totals.memoryByteCount
    let milliseconds = report.frozen / .milliseconds(1)
    let count = report.state.processes.count
    let copies = report.state.objects.filter { $0.kind == .copiedFile }.map(\.name)
    context.output.show(
      SimpleReport(
        type: "checkpoint-save",
        "saved process \(operand.process)"
          + (count > 1 ? " and \(count - 1) of its descendants" : "")
          + " \(place(path)): \(ByteSize(memory)) of memory "
          + (copies.isEmpty ? "" : "and \(copies.count) open file\(copies.count == 1 ? "" : "s") ")
          + "in \(ByteSize(report.image.storedByteCount)), "
          + "stopped for \(Int(milliseconds.rounded(.up)))ms" + (report.stopped.isEmpty ? "" : ";")
          + report.stopped.waysOn,
        json: [
          "pid": .number(operand.process), "file": .string(into == nil ? path : nil),
          "command": .string(into), "processes": .number(count),
          "threads": .number(report.state.processes.reduce(0) { $0 + $1.threads.count }),
          "memory_bytes": .number(memory),
          "file_bytes": .number(report.image.storedByteCount),
          "copied_files": .array(copies.map { .string($0) }),
          "frozen_seconds": .fraction(report.frozen / .seconds(1)),
          "left": .string(leave.rawValue), "stopped_pids": report.stopped.json,
        ]))
  }
}
