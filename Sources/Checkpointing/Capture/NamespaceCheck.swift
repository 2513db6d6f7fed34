import LinuxSystem

/// Numbers, paths and addresses mean what they mean inside a process's namespaces (namespaces(7)); ours are
/// the only ones that a restore knows.
///
/// But a tree may live in a pid namespace below ours, as those that a restore makes: its numbers are told to
/// us as well. With it come a mount namespace that differs from ours in nothing but /proc, and a user
/// namespace in which everybody has the same number as outside.
enum NamespaceCheck {
  private static let kinds = [
    ("ipc", "IPC"), ("net", "network"), ("time", "time"), ("uts", "UTS"),
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

  /// Throws obstacles for each that is not the one of this process, nor as good. `root`: the process at the
  /// tree's root, whose pid namespace all of them have.
  static func require(
    of process: FrozenProcess, root: ProcessID, _ numbers: TreeNumbers
  ) throws(CheckpointError) {
    let id = process.id
    var obstacles: [Obstacle] = []
    func add(_ name: String, _ reason: String = ofOthers, remedy: String? = nil) {
      obstacles.append(
        Obstacle(
          id, "its \(name) namespace", reason,
          remedy: remedy ?? "run ftool inside, as with 'nsenter -a -t \(id) ftool checkpoint ...'"))
    }
    for (file, name) in kinds where try !isSame(file, of: id, as: .current) { add(name) }
    if try !isSame("pid", of: id, as: root) {
      add("pid", numbers.areOurs ? ofOthers : "it is another one than that of process \(root)")
    } else if !numbers.areOurs && numbers.number(id.number) == 1 {
      add(
        "pid", "it is the first process there, without which there is no other",
        remedy: "save a process that it has made")
    } else if try !isSame("pid_for_children", of: id, as: id, "pid") {
      add("pid (for children)")
    }
    if try !isSame("mnt", of: id, as: .current) {
      let (theirs, ours) = try about(id) { () throws(SystemCallError) in
        (try id.mounts(), try ProcessID.current.mounts())
      }
      if theirs != ours { add("mount") }
    }
    if try !isSame("user", of: id, as: .current) {
      if try !hasOurNumbers(id) {
        add("user")
      } else if process.status.set("CapPrm") != 0 {
        add("user", "it has capabilities there, which are worth nothing elsewhere")
      }
    }
    if !obstacles.isEmpty { throw .obstacles(obstacles) }
  }

  private static let ofOthers = "it is another one than that of ftool"

  /// A kind that this kernel does not have is the same for all.
  private static func isSame(
    _ file: String, of id: ProcessID, as other: ProcessID, _ otherFile: String? = nil
  ) throws(CheckpointError) -> Bool {
    guard let wanted = try? Files.linkTarget("\(other.folder)/ns/\(otherFile ?? file)") else {
      return true
    }
    return try about(id) { () throws(SystemCallError) in
      try Files.linkTarget("\(id.folder)/ns/\(file)")
    } == wanted
  }

  /// Users and groups that are known there are the same ones by the same numbers.
  private static func hasOurNumbers(_ id: ProcessID) throws(CheckpointError) -> Bool {
    try about(id) { () throws(SystemCallError) in
      let lines = try id.numberMap("uid_map") + id.numberMap("gid_map")
      return lines.allSatisfy { $0.count == 3 && $0[0] == $0[1] }
    }
  }
}
