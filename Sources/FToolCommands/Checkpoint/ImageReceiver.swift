import CheckpointFormat
import Checkpointing
import LinuxSystem
import SystemPackage

/// A command that takes an image from a pipe, and on whose end it depends what becomes of the program.
struct ImageReceiver {
  private let command: String

  /// How long it may take to end after there is nothing more for it.
  private static let patienceSeconds = 5.0

  init(_ command: String) { self.command = command }

  /// The tree stands still until the command has ended well, but for one that runs on from a copy. Whatever goes
  /// wrong, and whatever the command says, it runs on.
  func save(
    _ root: ProcessID, _ options: SaveOptions, isInterrupted: () -> Bool
  ) throws -> SaveReport {
    let ends = try OwnedDescriptor.makePipe()
    let writing = OwnedDescriptor(owning: ends.writing, name: "the pipe into '\(command)'")
    let child = try start(OwnedDescriptor(owning: ends.reading, name: "a pipe"))
    do {
      return try Checkpoint.save(root, to: writing, options, isDurable: false) {
        try wait(for: child, root, isInterrupted)
      }
    } catch CheckpointError.image(.system(let error)) where error.errno == .brokenPipe {
      if let failure = failure(end(of: child), root) { throw failure }
      throw CheckpointError.image(.system(error))
    } catch {
      if isInterrupted() { child.terminate() }
      _ = end(of: child)
      throw error
    }
  }

  /// Our end of what it reads from is closed then: nobody but the command has it.
  private func start(_ input: consuming OwnedDescriptor) throws(SystemCallError) -> PipedCommand {
    try PipedCommand(command, input: input)
  }

  /// It has got all of the image, and this process has closed its end.
  private func wait(
    for child: PipedCommand, _ root: ProcessID, _ isInterrupted: () -> Bool
  ) throws {
    while true {
      if let end = try child.end() {
        if let failure = failure(end, root) { throw failure }
        return
      }
      if isInterrupted() { throw CheckpointError.stopped }
      Machine.sleep(seconds: 0.005)
    }
  }

  /// Of one that there is nothing more for.
  private func end(of child: PipedCommand) -> Foreground.End? {
    if let end = child.waitForEnd(seconds: Self.patienceSeconds) { return end }
    child.terminate()
    return child.waitForEnd(seconds: Self.patienceSeconds)
  }

  /// nil where it ended well.
  private func failure(_ end: Foreground.End?, _ root: ProcessID) -> Failure? {
    let how: String
    switch end {
    case .exited(status: 0): return nil
    case .exited(let status): how = "ended with status \(status)"
    case .killed(let signal): how = "was ended by signal \(signal)"
    case nil: how = "reads no more and does not end"
    }
    return Failure(
      .inputOutput, "the command '\(command)' \(how); process \(root) runs on",
      hint: "what the command said tells why; then run the same command again")
  }
}
