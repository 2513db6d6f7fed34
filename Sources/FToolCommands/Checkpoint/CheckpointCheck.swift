import ArgumentParser
import Checkpointing
import LinuxSystem

/// `ftool checkpoint check`: whether a tree can be saved.
package struct CheckpointCheck: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether a program can be saved, and what stands in the way.",
    discussion: "The program is stopped for a moment and runs on. Nothing is written.")

  @OptionGroup package var operand: ProcessOperand
  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let root = try operand.root()
    let obstacles: [Obstacle]
    do throws(CheckpointError) {
      obstacles = try Checkpoint.obstacles(of: root, operand.options)
    } catch {
      throw Failure(error)
    }
    let text =
      obstacles.isEmpty
      ? "process \(root) can be saved"
      : "process \(root) can't be saved:\n"
        + obstacles.map { "  \($0.sentence)\n" }.joined()
    context.output.show(
      SimpleReport(
        type: "checkpoint-check", text,
        json: [
          "pid": .number(root.number), "can_be_saved": .bool(obstacles.isEmpty),
          "obstacles": .array(obstacles.map(\.json)),
        ]))
    return obstacles.isEmpty ? .done : .failed
  }
}

extension Obstacle {
  /// In one line.
  var sentence: String {
    let subject = process.number > 0 ? "process \(process): " : ""
    return "\(subject)\(place) \(reason)" + (remedy.isEmpty ? "" : ": \(remedy)")
  }

  var json: JSONValue {
    [
      "pid": .number(process.number), "place": .string(place), "reason": .string(reason),
      "remedy": .string(remedy.isEmpty ? nil : remedy),
    ]
  }
}
