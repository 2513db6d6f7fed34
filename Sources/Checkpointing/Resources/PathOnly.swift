import BinaryCodec
import LinuxSystem

/// A descriptor that only stands for a place (O_PATH), where that is no regular file and no directory.
enum PathOnly: DescriptorKind {
  static let name = "path"

  struct Detail: FieldCoded, Equatable {
    var path = ""
    /// What is there: the type of st_mode.
    var type: UInt32 = 0

    mutating func code(_ coder: inout FieldCoder) throws(FieldError) {
      try coder.field(1, &path)
      try coder.field(2, &type)
    }
  }

  /// A socket of the tree makes its file anew.
  static var needsProcesses: Bool { true }

  static func recognises(_ seen: SeenDescriptor) -> Bool {
    seen.info.flags & OpenFlags.pathOnly != 0
      && ![.regular, .directory].contains(seen.details.kind)
  }

  static func detail(
    of seen: SeenDescriptor, _ tree: TreeCapture
  ) throws(CheckpointError) -> [UInt8] {
    let path = seen.info.link
    let named =
      path.hasPrefix("/")
      ? try seen.details(at: path, flags: noFollow) : nil
    guard named?.inode == seen.details.inode, named?.device == seen.details.device else {
      throw seen.obstacle("it stands for something that its path does not lead to")
    }
    var detail = Detail()
    detail.path = path
    detail.type = seen.details.mode & typeBits
    return detail.encoded()
  }

  static func reopen(
    _ state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    let detail = try restoration.decode(Detail.self, state.detail)
    if detail.type == socket { try UnixSocket.makeAll(restoration) }
    let path = restoration.place(of: detail.path)
    let file = try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.open(path, flags: state.flags | OpenFlags.pathOnly | noFollow)
    }
    let found = try about(nil) { () throws(SystemCallError) in try file.details() }
    guard found.mode & typeBits == detail.type else {
      throw .obstacles([Obstacle(ProcessID(0), path, "it is something else than it was")])
    }
    return file
  }

  private static let typeBits: UInt32 = 0o170000
  private static let socket: UInt32 = 0o140000
  /// O_NOFOLLOW
  private static let noFollow: UInt32 = 0o400000
}

extension PathOnly {
  static func summary(_ state: DescriptionState, _ checkpoint: CheckpointState) -> String? {
    (try? Detail(decoding: state.detail[...]))?.path
  }
}
