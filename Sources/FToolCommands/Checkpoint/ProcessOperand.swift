import ArgumentParser
import Checkpointing
import LinuxSystem

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
      "Give up, and let it run on, when it does not stop in this time. (default: 10s)",
      valueName: "duration"),
    transform: parseDuration)
  package var maxFreeze: Duration?

  package init() {}

  package func validate() throws {
    if tree && only { throw ValidationError("--tree and --only exclude each other") }
    if process <= 0 { throw ValidationError("a process has a number from 1 on") }
  }

  /// The process, if there is one that can be saved at all.
  func root() throws(Failure) -> ProcessID {
    let root = ProcessID(process)
    guard root.exists else { throw Failure(.notFound, "there is no process \(process)") }
    if root == .current { throw Failure(.usage, "ftool cannot save itself") }
    return root
  }

  var options: SaveOptions {
    var options = SaveOptions()
    options.withDescendants = !only
    if let maxFreeze { options.freezeLimit = maxFreeze }
    return options
  }
}
