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
    do throws(CheckpointError) {
      let examination = try Checkpoint.examine(root, operand.options)
      context.output.show(CheckReport(root: root, examination: examination))
      return examination.obstacles.isEmpty ? .done : .failed
    } catch {
      throw Failure(error)
    }
  }
}

/// What `check` says.
private struct CheckReport: Report {
  let root: ProcessID
  let examination: Examination

  var type: String { "checkpoint-check" }

  func text(_ style: TextStyle) -> String {
    let obstacles = examination.obstacles
    guard obstacles.isEmpty else {
      let count = obstacles.count == 1 ? "1 obstacle" : "\(obstacles.count) obstacles"
      return "process \(root) can't be saved: \(count)\n" + obstacles.map(\.lines).joined()
    }
    var text = "process \(root) can be saved\n"
    text +=
      "  it would stand still for about \(milliseconds)ms, with \(ByteSize(examination.ownByteCount)) of memory of its own\n"
    if let reason = examination.reasonAgainstCopy {
      text += "  all of its memory is read while it stands still: \(reason)\n"
    }
    for (part, count) in partsByPlace {
      let pieces = count == 1 ? "" : ", \(count) pieces"
      text +=
        "  read while it stands still: process \(part.process): \(part.place)\(pieces), up to \(ByteSize(part.byteCount)): \(part.reason)\n"
    }
    return text
  }

  /// Some programs have thousands of which the same is to be said.
  private var partsByPlace: [(part: Examination.StillPart, count: Int)] {
    var parts: [(part: Examination.StillPart, count: Int)] = []
    var places: [String: Int] = [:]
    for part in examination.stillParts {
      let key = "\(part.process) \(part.place) \(part.reason)"
      if let known = places[key] {
        parts[known].part.byteCount += part.byteCount
        parts[known].count += 1
      } else {
        places[key] = parts.count
        parts.append((part, 1))
      }
    }
    return parts
  }

  private var milliseconds: Int {
    Int((examination.expectedStandstill / .milliseconds(1)).rounded(.up))
  }

  var json: JSONValue {
    [
      "pid": .number(root.number), "can_be_saved": .bool(examination.obstacles.isEmpty),
      "obstacles": .array(examination.obstacles.map(\.json)),
      "expected_freeze_seconds": .fraction(examination.expectedStandstill / .seconds(1)),
      "own_bytes": .number(examination.ownByteCount),
      "no_copy_because": .string(examination.reasonAgainstCopy),
      "read_while_stopped": .array(
        examination.stillParts.map { part in
          [
            "pid": .number(part.process.number), "place": .string(part.place),
            "bytes": .number(part.byteCount), "reason": .string(part.reason),
          ]
        }),
    ]
  }
}

extension Obstacle {
  /// Where and why: `process 12: descriptor 5 (socket:[123]): it is connected to ...`.
  var sentence: String {
    let subject = process.number > 0 ? "process \(process): " : ""
    return "\(subject)\(place): \(reason)"
  }

  /// With what to do on a line of its own.
  fileprivate var lines: String {
    "  \(sentence)\n" + (remedy.isEmpty ? "" : "    to do: \(remedy)\n")
  }

  var json: JSONValue {
    [
      "pid": .number(process.number), "place": .string(place), "reason": .string(reason),
      "remedy": .string(remedy.isEmpty ? nil : remedy),
    ]
  }
}
