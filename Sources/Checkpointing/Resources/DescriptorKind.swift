import BinaryCodec
import LinuxSystem
import SystemPackage

/// A kind of open file description: how it is seen, taken down and opened again. A new kind is a type that
/// conforms, in a file of its own, and a place in `DescriptorKinds`.
protocol DescriptorKind: Sendable {
  /// What it is called in images; never changed.
  static var name: String { get }
  /// Whether this kind knows what was seen. The first kind that does has it.
  static func recognises(_ seen: SeenDescriptor) -> Bool
  /// What `reopen` will need besides flags and position. Throws `obstacles` for what can't be saved.
  static func detail(of seen: SeenDescriptor, _ tree: TreeCapture) throws(CheckpointError)
    -> [UInt8]
  /// What people know it by, such as its path, and what it leads to; nil where its kind says it all.
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String?
  /// Called when all descriptors of the tree are known.
  static func settle(_ tree: TreeCapture) throws(CheckpointError)
  /// Whether it can be opened only when the processes of the tree are there.
  static var needsProcesses: Bool { get }
  /// Descriptors below this number are asked for, besides those that processes have.
  static func numberLimit(_ detail: [UInt8], _ restoration: Restoration) throws(CheckpointError)
    -> Int32
  /// Opens it again, in this process.
  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor
  /// Called once, when processes and all descriptions are there, and no process has its descriptors yet.
  static func fill(_ restoration: Restoration) throws(CheckpointError)
  /// Called for each process that has it, before the process's descriptors get their numbers.
  static func prepare(_ state: DescriptionState, in builder: ProcessBuilder) throws(CheckpointError)
  /// Called at the end, when nothing is opened any more and everything is in its place.
  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError)
  /// Called after that, when processes are asked for nothing any more and their memory is as they will find it.
  static func finishAtLast(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor
  ) throws(CheckpointError)
}

/// What most kinds have nothing to do for.
extension DescriptorKind {
  static var needsProcesses: Bool { false }
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? { nil }
  static func settle(_ tree: TreeCapture) throws(CheckpointError) {}
  static func fill(_ restoration: Restoration) throws(CheckpointError) {}
  static func numberLimit(
    _ detail: [UInt8], _ restoration: Restoration
  ) throws(CheckpointError) -> Int32 { 0 }
  static func prepare(
    _ state: DescriptionState, in builder: ProcessBuilder
  ) throws(CheckpointError) {}
  static func finish(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor, _ restoration: Restoration
  ) throws(CheckpointError) {}
  static func finishAtLast(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor
  ) throws(CheckpointError) {}
}

/// All kinds.
enum DescriptorKinds {
  static let all: [any DescriptorKind.Type] = [
    PathOnly.self, HungTerminal.self, ControllingTerminal.self, ExternalFile.self,
    PipeEnd.self, DeviceFile.self, KernelFile.self, ObjectFile.self, RegularFile.self,
    EventCounter.self, TimerDescriptor.self, SignalDescriptor.self, EventPoll.self, UnixSocket.self,
    InternetSocket.self, NetlinkSocket.self,
    ProcessDescriptor.self, FileWatch.self, PseudoTerminal.self,
  ]

  static func kind(named name: String) -> (any DescriptorKind.Type)? {
    all.first { $0.name == name }
  }
}

/// A descriptor of a frozen process, and a copy of it in our hands.
final class SeenDescriptor {
  let process: ProcessID
  let info: DescriptorInfo
  /// The same open file description.
  let copy: OwnedDescriptor
  let details: FileDetails

  init(
    _ number: Int32, of process: ProcessID, _ handle: borrowing OwnedDescriptor
  ) throws(SystemCallError) {
    self.process = process
    info = try DescriptorInfo(number, of: process)
    copy = try handle.takeDescriptor(number)
    details = try copy.details()
  }

  /// What a path leads to; nil if to nothing, or to nothing that may be seen from here.
  func details(at path: String, flags: UInt32 = 0) throws(CheckpointError) -> FileDetails? {
    do throws(SystemCallError) {
      return try OwnedDescriptor.open(path, flags: OpenFlags.pathOnly | flags).details()
    } catch {
      // That no descriptor is left says nothing of the path.
      let isOurFault = [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory]
        .contains(error.errno)
      if isOurFault { throw .system(error, process: nil) }
      return nil
    }
  }

  /// For messages.
  var place: String { "descriptor \(info.number) (\(info.link))" }

  func obstacle(_ reason: String, remedy: String = "") -> CheckpointError {
    .obstacles([Obstacle(process, place, reason, remedy: remedy)])
  }

  /// Something that may be gone in a moment: most often it only has to be taken by the program.
  func passingObstacle(
    _ reason: String, remedy: String = "try again when the program has taken it"
  ) -> CheckpointError {
    var obstacle = Obstacle(process, place, reason, remedy: remedy)
    obstacle.isPassing = true
    return .obstacles([obstacle])
  }
}
