import LinuxSystem
import SystemPackage

/// An object while its tree is brought back.
final class RestoredObject {
  /// Open for writing, and once more for reading only.
  let file: Restoration.OpenFile
  let readable: Restoration.OpenFile

  init(_ file: Restoration.OpenFile, readable: Restoration.OpenFile) {
    self.file = file
    self.readable = readable
  }

  /// An empty one of the right size. `path`: where a file had its name.
  static func make(
    _ state: ObjectState, at path: String
  ) throws(CheckpointError) -> OwnedDescriptor {
    try about(nil) { () throws(SystemCallError) in
      let file =
        switch state.kind {
        case .memory: try OwnedDescriptor.sharedMemory(name: state.name, byteCount: 0)
        case .memoryFile: try memoryFile(state)
        case .removedFile: try removedFile(path)
        case .namelessFile:
          // O_TMPFILE, for reading and writing
          try OwnedDescriptor.open(
            FilePath(path).removingLastComponent().string, flags: ObjectFile.temporary | 2,
            permissions: 0o600)
        }
      try file.truncate(to: Int(state.byteCount))
      if state.kind != .memory {
        let details = try file.details()
        if (details.user, details.group) != (state.user, state.group) {
          try file.setOwner(user: state.user, group: state.group)
        }
        try file.setPermissions(state.permissions & 0o7777)
      }
      return file
    }
  }

  private static func memoryFile(_ state: ObjectState) throws(SystemCallError) -> OwnedDescriptor {
    let name = String(state.name.dropFirst("/memfd:".count))
    return try OwnedDescriptor.sealableMemory(name: name)
  }

  /// Under the name that it had while that is free, as the name is still seen in /proc.
  private static func removedFile(_ path: String) throws(SystemCallError) -> OwnedDescriptor {
    for attempt in 0..<100 {
      let name = attempt == 0 ? path : "\(path).\(attempt)"
      do throws(SystemCallError) {
        let file = try OwnedDescriptor.open(
          name, access: .readWrite, options: [.create, .exclusive, .noFollow], permissions: 0o600)
        try Files.unlink(name)
        return file
      } catch  where error.errno == .fileExists {
        continue
      }
    }
    throw SystemCallError(call: "open", subject: path, errno: .fileExists)
  }

  /// When its content is there: what may not change it any more.
  func finish(_ state: ObjectState) throws(CheckpointError) {
    try about(nil) { () throws(SystemCallError) in
      switch state.kind {
      case .memory: break
      case .memoryFile:
        let present = UInt32(truncatingIfNeeded: try file.descriptor.control(Self.getSeals))
        let missing = state.seals & ~present
        if missing != 0 { try file.descriptor.control(Self.addSeals, Int(missing)) }
      case .removedFile, .namelessFile:
        try file.descriptor.setModificationTime(
          seconds: state.seconds, nanoseconds: state.nanoseconds)
      }
    }
  }

  private static let addSeals: Int32 = 1033
  private static let getSeals: Int32 = 1034
}
