import LinuxSystem

/// Numbers, paths and addresses mean what they mean inside a process's namespaces (namespaces(7)); ours are
/// the only ones that a restore knows.
enum NamespaceCheck {
  private static let kinds = [
    ("ipc", "IPC"), ("mnt", "mount"), ("net", "network"), ("pid", "pid"),
    ("pid_for_children", "pid (for children)"), ("time", "time"), ("user", "user"), ("uts", "UTS"),
  ]

  /// Throws obstacles for each that is not the one of this process.
  static func require(of process: ProcessID) throws(CheckpointError) {
    var obstacles: [Obstacle] = []
    for (file, name) in kinds {
      // A kind that this kernel does not have is the same for all.
      guard let own = try? Files.linkTarget("/proc/self/ns/\(file)") else { continue }
      let its = try about(process) { () throws(SystemCallError) in
        try Files.linkTarget("\(process.folder)/ns/\(file)")
      }
      if its == own || (file == "pid_for_children" && !obstacles.isEmpty) { continue }
      obstacles.append(
        Obstacle(
          process, "its \(name) namespace", "it is another one than that of ftool",
          remedy: "run ftool inside, as with 'nsenter -a -t \(process) ftool checkpoint ...'"))
    }
    if !obstacles.isEmpty { throw .obstacles(obstacles) }
  }
}
