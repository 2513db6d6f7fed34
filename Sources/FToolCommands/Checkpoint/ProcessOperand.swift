import ArgumentParser
import Checkpointing
import LinuxSystem
import SystemPackage

/// The process at the root of a tree.
package struct ProcessOperand: ParsableArguments {
  @Argument(help: ArgumentHelp("The process, by its number.", valueName: "pid"))
  package var process: Int32

  @Flag(name: .long, help: "With all its descendants. (default)")
  package var tree = false

  @Flag(name: .long, help: "This process only.")
  package var only = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Give up, and let it run on, when it would stand still for longer. (default: 10s until it stands still, then no limit)",
      valueName: "duration"),
    transform: parseDuration)
  package var maxFreeze: Duration?

  /// What becomes of established connections.
  package enum TCP: String, ExpressibleByArgument, CaseIterable, Sendable {
    case fail, close
  }

  @Option(
    name: .long,
    help:
      "What becomes of established TCP connections: fail (they are obstacles) or close (they come back with their other end gone)."
  )
  package var tcp = TCP.fail

  /// What is kept of open files.
  package enum OpenFiles: String, ExpressibleByArgument, CaseIterable, Sendable {
    case reference, copy
  }

  @Option(
    name: .long,
    help: "What is kept of open files: reference (path, size and time) or copy (their content too)."
  )
  package var files = OpenFiles.reference

  package init() {}

  package func validate() throws {
    if tree && only { throw ValidationError("--tree and --only exclude each other") }
    if process <= 0 { throw ValidationError("a process has a number from 1 on") }
    if maxFreeze == .zero {
      throw ValidationError("--max-freeze must be longer than 0: no process is saved in no time")
    }
  }

  /// The process, if there is one that can be saved at all.
  func root() throws(Failure) -> ProcessID {
    let root = ProcessID(process)
    let status: ProcessStatus
    do throws(SystemCallError) {
      status = try ProcessStatus(of: root)
    } catch {
      if root.exists, error.errno != .noSuchFileOrDirectory { throw Failure(error) }
      throw Failure(.notFound, "there is no process \(process)")
    }
    if root == .current { throw Failure(.failed, "ftool cannot save itself") }
    if process == 1 {
      throw Failure(.failed, "process 1 can't be saved: without it there is no other process")
    }
    if status.isKernelThread {
      throw Failure(.failed, "process \(process) is a thread of the kernel, and no program")
    }
    if status.state == "Z" {
      throw Failure(.notFound, "process \(process) has ended; its parent has not asked for it yet")
    }
    if let thread = status.numbers("Tgid").first, thread != UInt64(process) {
      throw Failure(
        .usage, "\(process) is a thread of process \(thread)",
        hint: "name the process: all its threads are saved with it")
    }
    if !only && isAncestorOfThisProcess(root) {
      throw Failure(
        .failed, "ftool itself runs below process \(process), and can't save what it is part of",
        hint: "start ftool from elsewhere, or pass --only to leave the descendants out")
    }
    return root
  }

  private func isAncestorOfThisProcess(_ root: ProcessID) -> Bool {
    var process = ProcessID.current
    while let status = try? ProcessStatus(of: process), status.parent.number > 0 {
      process = status.parent
      if process == root { return true }
    }
    return false
  }

  var options: SaveOptions {
    var options = SaveOptions()
    options.withDescendants = !only
    options.connections = tcp == .close ? .close : .refuse
    options.files = files == .copy ? .copy : .reference
    if let maxFreeze {
      options.freezeLimit = maxFreeze
      options.standstillLimit = maxFreeze
    }
    return options
  }
}
