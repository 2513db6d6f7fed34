import ArgumentParser
import CheckpointFormat
import Checkpointing
import LinuxSystem

/// `ftool checkpoint show`: what is inside a file.
package struct CheckpointShow: Verb {
  package static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what a saved program consists of.",
    discussion:
      "Only the description of the processes is read, not their memory, so that it takes no time.")

  @Argument(
    help: ArgumentHelp(
      "What 'ftool checkpoint save' wrote, or - for standard input.", valueName: "file"),
    completion: .file())
  package var file: String

  @OptionGroup package var global: GlobalOptions

  package init() {}

  package func validate() throws { try CheckpointFile.validate(file) }

  package func perform(_ context: CommandContext) throws -> ExitStatus {
    let reader = try CheckpointFile.open(file)
    do throws(CheckpointError) {
      let state = try Checkpoint.state(of: reader)
      context.output.show(
        CheckpointReport(file: file, state: state, index: try index(of: reader)))
    } catch {
      throw Failure(error, CheckpointFile.name(file))
    }
    // Who writes into the pipe shall not find it closed.
    if file == "-" {
      do throws(ImageError) {
        try reader.skipRest()
      } catch {
        throw Failure(error, CheckpointFile.name(file))
      }
    }
    return .done
  }

  /// nil for a pipe, which tells its sizes only at its end.
  private func index(of reader: ImageReader) throws(CheckpointError) -> ImageIndex? {
    guard file != "-", (try? Files.kind(of: file)) == .regular else { return nil }
    do throws(ImageError) { return try reader.index() } catch { throw .image(error) }
  }
}

/// What `show` says.
struct CheckpointReport: Report {
  let file: String
  let state: CheckpointState
  let index: ImageIndex?

  var type: String { "checkpoint-show" }

  private var time: UTCTime {
    UTCTime(
      secondsSinceEpoch: Int64(clamping: state.savedAt),
      microseconds: state.savedAtNanoseconds / 1000)
  }

  func text(_ style: TextStyle) -> String {
    var text = "saved \(time.rfc3339)"
    if let index {
      text +=
        ": \(ByteSize(index.totals.memoryByteCount)) of memory in \(ByteSize(index.storedByteCount))"
    }
    text += "\n"
    var table = TextTable(
      ["PID", "PARENT", "STATE", "THREADS", "FILES", "MAPPED", "PROGRAM"],
      alignments: [.trailing, .trailing, .leading, .trailing, .trailing, .trailing])
    for process in state.processes {
      table.append([
        "\(process.id)", process.parent == 0 ? "-" : "\(process.parent)", "\(process.life)",
        "\(process.threads.count)", "\(process.descriptors.count)",
        "\(ByteSize(process.mappedByteCount))", process.executable,
      ])
    }
    text += table.text(style)
    for process in state.processes where !process.descriptors.isEmpty {
      text += "\ndescriptors of \(process.id)\n"
      for descriptor in process.descriptors {
        let what = state.summary(ofDescription: Int(descriptor.description))
        text += "  \(descriptor.number)  \(kind(of: descriptor))" + (what.map { ": \($0)" } ?? "")
        text += "\n"
      }
    }
    return text
  }

  private func kind(of descriptor: DescriptorState) -> String {
    let index = Int(descriptor.description)
    guard state.descriptions.indices.contains(index) else { return "?" }
    return state.descriptions[index].kind
  }

  var json: JSONValue {
    [
      "file": .string(file), "saved": .time(time), "kernel": .string(state.kernel),
      "memory_bytes": .number(index?.totals.memoryByteCount),
      "file_bytes": .number(index?.storedByteCount),
      "processes": .array(
        state.processes.map { process in
          [
            "pid": .number(process.id), "parent": .number(process.parent),
            "process_group": .number(process.processGroup), "session": .number(process.session),
            "state": .string("\(process.life)"), "program": .string(process.executable),
            "directory": .string(process.workingDirectory),
            "threads": .array(process.threads.map { .number($0.id) }),
            "mapped_bytes": .number(process.mappedByteCount),
            "descriptors": .array(
              process.descriptors.map {
                [
                  "number": .number($0.number), "kind": .string(kind(of: $0)),
                  "what": .string(state.summary(ofDescription: Int($0.description))),
                  "description": .number($0.description),
                  "closes_on_exec": .bool($0.closesOnExec),
                ]
              }),
          ]
        }),
    ]
  }
}

extension ProcessState {
  /// Of address space.
  fileprivate var mappedByteCount: Int {
    areas.reduce(0) { $0 + Int(clamping: $1.byteCount) }
  }
}
