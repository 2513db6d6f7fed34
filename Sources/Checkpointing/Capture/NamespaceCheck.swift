import LinuxSystem

/// Numbers, paths and addresses mean what they mean inside a process's namespaces (namespaces(7)); ours are
/// the only ones that a restore knows.
enum NamespaceCheck {
  private static let kinds = [
    ("ipc", "IPC"), ("mnt", "mount"), ("net", "network"), ("pid", "pid"),
    ("pid_for_children", "pid (for children)"), ("time", "time"), ("user", "user"), ("uts", "UTS"),
  ]

  /// Those that a thread may have for itself.
  private static let threadKinds = [
    ("ipc", "IPC"), ("mnt", "mount"), ("net", "network"), ("time", "time"), ("uts", "UTS"),
  ]

  /// Throws an obstacle where a thread is in another namespace than its process.
  static func require(ofThreads threads: [ProcessID], of process: ProcessID) throws(CheckpointError)
  {
    for thread in threads where thread != process {
      for (file, name) in threadKinds {
        guard let common = try? Files.linkTarget("\(process.folder)/ns/\(file)"),
          let own = try? Files.linkTarget("\(thread.folder)/ns/\(file)"), own != common
        else { continue }
        throw .obstacles([
          Obstacle(
            process, "thread \(thread)", "it is in another \(name) namespace than its process")
        ])
      }
    }
  }

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
