import CheckpointFormat
import Checkpointing
import LinuxSystem

/// An image as a user names it.
enum CheckpointFile {
  /// Opens it, or standard input.
  static func open(_ path: String) throws(Failure) -> ImageReader {
    let descriptor = try descriptor(path)
    do throws(ImageError) {
      return try ImageReader(descriptor)
    } catch {
      throw Failure(error, path)
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
  static func verify(_ path: String) throws(Failure) {
    let reader = try open(path)
    do throws(CheckpointError) {
      _ = try Checkpoint.state(of: reader)
    } catch {
      throw Failure(error)
    }
    do throws(ImageError) {
      try reader.verify()
    } catch {
      throw Failure(error, path)
    }
  }

  static func verified(_ path: String, type: String) -> SimpleReport {
    SimpleReport(
      type: type, "\(path) is whole", json: ["file": .string(path), "whole": .bool(true)])
  }
}
