import ArgumentParser
import CheckpointFormat
import Checkpointing
import LinuxSystem

/// An image as a user names it.
enum CheckpointFile {
  /// What it is called in a sentence.
  static func name(_ path: String) -> String { path == "-" ? "standard input" : path }

  /// Refuses what cannot be a name.
  static func validate(_ path: String) throws(ValidationError) {
    if path.isEmpty { throw ValidationError("the name of the file is empty") }
  }

  /// Opens it, or standard input.
  static func open(_ path: String) throws(Failure) -> ImageReader {
    let descriptor = try descriptor(path)
    do throws(ImageError) {
      return try ImageReader(descriptor)
    } catch {
      throw Failure(error, name(path))
    }
  }

  private static func descriptor(_ path: String) throws(Failure) -> OwnedDescriptor {
    do throws(SystemCallError) {
      return try path == "-"
        ? OwnedDescriptor.standard(0) : OwnedDescriptor.open(path, access: .readOnly)
    } catch {
      throw Failure(error)
    }
  }

  /// Reads and checks all of it: every checksum, and that the state can be understood.
  static func verify(
    _ path: String, _ context: CommandContext, _ global: GlobalOptions
  ) throws -> SimpleReport {
    let reader = try open(path)
    let progress = CheckpointProgress("verify", context, global)
    do {
      let summary = try Checkpoint.verify(reader, progress.watch)
      progress.finish()
      return report(path, summary)
    } catch  where progress.isInterrupted {
      throw progress.interruption("run the same command again: it begins at the start")
    } catch let error as CheckpointError {
      throw Failure(error, name(path))
    } catch let error as ImageError {
      throw Failure(error, name(path))
    }
  }

  private static func report(_ path: String, _ checked: CheckpointContents) -> SimpleReport {
    SimpleReport(
      type: "checkpoint-verify",
      "\(name(path)) is whole: \(ByteSize(checked.memoryByteCount)) of memory of "
        + "\(checked.processCount) process\(checked.processCount == 1 ? "" : "es")",
      json: [
        "file": .string(path), "whole": .bool(true), "processes": .number(checked.processCount),
        "memory_bytes": .number(checked.memoryByteCount),
      ])
  }
}
