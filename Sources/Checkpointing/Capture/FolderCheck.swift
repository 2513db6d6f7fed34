import LinuxSystem
import SystemPackage

/// A process's folders have to be found again by their paths.
enum FolderCheck {
  static func require(_ process: ProcessID, _ state: ProcessState) throws(CheckpointError) {
    for (link, path, name) in [
      ("cwd", state.workingDirectory, "its working folder"), ("root", state.root, "its root"),
    ] {
      let present = try about(process) { () throws(SystemCallError) in
        try OwnedDescriptor.open("\(process.folder)/\(link)", flags: pathOnly).details()
      }
      let found = try? OwnedDescriptor.open(path, flags: pathOnly).details()
      if let found, found.device == present.device, found.inode == present.inode { continue }
      throw .obstacles([
        Obstacle(
          process, "\(name) (\(path))", "it has been removed, or something else is in its place")
      ])
    }
  }

  private static let pathOnly: UInt32 = 0o10000000
}
