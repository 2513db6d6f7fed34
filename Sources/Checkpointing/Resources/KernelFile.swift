import BinaryCodec
import LinuxSystem

/// A file or directory in which the kernel shows itself, as those of /proc and /sys: it says something else
/// each time it is read, and much of it is about one process.
enum KernelFile: DescriptorKind {
  static let name = "kernelfile"

  struct Detail: FieldCoded, Equatable {
    var path = ""
    /// Which process of the tree it is about; 0 for none.
    var process: Int32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &path)
      try coder.field(2, &process)
    }
  }

  static var needsProcesses: Bool { true }

  /// By linux/magic.h: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, configfs.
  private static let filesystems: Set<UInt64> = [
    0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0x7363_6673,
    0x6265_6570,
  ]

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    guard seen.info.link.hasPrefix("/"), [.regular, .directory].contains(seen.details.kind),
      let filesystem = try? seen.copy.filesystemType()
    else { return false }
    return filesystems.contains(filesystem)
  }

  /// Programs look into such files, and seldom keep them open.
  private static let remedy = "let the program close it first"

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    var detail = Detail()
    detail.path = seen.info.link
    let parts = detail.path.split(separator: "/")
    if parts.count > 1, parts[0] == "proc", let process = Int32(parts[1]) {
      detail.process = process
      // As it is in the process's own /proc.
      guard
        tree.captures.contains(where: { tree.numbers.number($0.process.id.number) == process })
      else {
        throw seen.passingObstacle(
          "it tells of process \(process), which is outside of the tree", remedy: remedy)
      }
      if parts.count > 3, parts[2] == "task", parts[3] != parts[1] {
        throw seen.passingObstacle("it tells of a thread", remedy: remedy)
      }
    }
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    return try open(detail, state.flags, restoration)
  }

  /// To get there it is read up to there, and what was read is kept: so not before all is as it was, also the list of
  /// a process's memory.
  static func finishAtLast(
    _ state: DescriptionState, _ file: borrowing OwnedDescriptor
  ) throws(CheckpointError) {
    if state.position == 0 || state.flags & OpenFlags.pathOnly != 0 { return }
    do throws(SystemCallError) {
      try file.seek(to: state.position)
    } catch {
      throw .system(error, process: nil)
    }
  }

  private static func open(
    _ detail: Detail, _ flags: UInt32, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    if detail.process == 0 {
      return try about(nil) { () throws(SystemCallError) in
        try OwnedDescriptor.open(
          restoration.place(of: detail.path), flags: flags & ~OpenFlags.ofTheFirstTime)
      }
    }
    guard let process = restoration.standIns?.witness(of: detail.process) else {
      throw .inconsistent(.noProcess)
    }
    return try process.open(detail.path, flags: flags)
  }
}

extension KernelFile {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    (try? Detail(decoding: state.detail[...]))?.path
  }
}
