import BinaryCodec
import CheckpointFormat
import LinuxSystem
import SystemPackage

/// Why a checkpoint could not be made, or not be brought back.
package enum CheckpointError: Error {
  /// What stands in the way, all of it.
  case obstacles([Obstacle])
  /// Files are not as they were: all of them, and whether all that is wrong is that they are gone.
  case changedFiles([Obstacle], areGone: Bool)
  /// The process ended before it was saved.
  case vanished(ProcessID)
  /// It did not stop in the time that it was given, and what it waits for where that is known.
  case unstoppable(ProcessID, DeepSleep?)
  /// It would have stood still for longer than it may.
  case frozenTooLong(ProcessID, limit: Duration)
  /// Somebody else traces it.
  case traced(ProcessID, by: ProcessID)
  /// The copy from which memory was read has been ended, as memory got short.
  case copyLost
  /// The kernel refused something that was asked about a process, or for one.
  case system(SystemCallError, process: ProcessID?)
  /// A call that the process was to make failed.
  case injected(InjectionError, process: ProcessID)
  /// The number that a process or thread had is somebody else's now.
  case numberTaken(ProcessID)
  /// Rights are missing that this process cannot give: all of them.
  case forbidden([Obstacle])
  /// A pid namespace was needed, and may not be made.
  case noNamespace(NamespaceInit.Failure)
  /// The image can't be written, or read.
  case image(ImageError)
  /// What the image says can't be.
  case malformed(FieldError)
  case inconsistent(Inconsistency)
  /// Whoever watches the job wants it to end.
  case stopped

  /// What a well-made image never says.
  package enum Inconsistency: Sendable {
    case noProcess, unknownParent, unknownDescription, unknownObject, unknownKind(String)
    case overlappingAreas, noThread, registers, pageOutsideAreas
    /// Memory of a process that comes after that of a child that inherits it.
    case memoryBehindChild
  }
}

/// Something that can't be saved or brought back: where, why, and the way around it. Put together they read
/// `process 12: descriptor 5 (socket:[123]): it is connected to a process outside of the tree`.
package struct Obstacle: Equatable, Sendable {
  /// 0 where it is none of the tree.
  package var process: ProcessID
  /// A thing, such as `descriptor 5 (socket:[123])`, or the path of a file.
  package var place: String
  /// A whole sentence with a subject of its own, such as `it is connected to a process outside of the tree`:
  /// lower case, no full stop.
  package var reason: String
  /// What to do, such as `save the process that holds both ends`; may be empty.
  package var remedy: String
  /// It goes away by itself when the processes run on for a moment.
  package var isPassing = false

  /// Something in the way, at this place in a process (0: of the tree as a whole).
  package init(_ process: ProcessID, _ place: String, _ reason: String, remedy: String = "") {
    self.process = process
    self.place = place
    self.reason = reason
    self.remedy = remedy
  }
}

/// Says which process a system call was about.
func about<Value: ~Copyable>(
  _ process: ProcessID?, _ body: () throws(SystemCallError) -> Value
) throws(CheckpointError) -> Value {
  do throws(SystemCallError) {
    return try body()
  } catch {
    if let process, error.errno == .noSuchProcess || error.errno == .noSuchFileOrDirectory,
      !process.exists
    {
      throw .vanished(process)
    }
    throw .system(error, process: process)
  }
}

/// Says in which process a call was to be made.
func inside<Value: ~Copyable>(
  _ process: ProcessID, _ body: () throws(InjectionError) -> Value
) throws(CheckpointError) -> Value {
  do throws(InjectionError) {
    return try body()
  } catch {
    throw .injected(error, process: process)
  }
}

/// Names errors of the image.
func imaging<Value: ~Copyable>(
  _ body: () throws(ImageError) -> Value
) throws(CheckpointError) -> Value {
  do throws(ImageError) {
    return try body()
  } catch {
    throw .image(error)
  }
}
