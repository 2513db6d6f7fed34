import LinuxSystem

/// What a tree can't have in a pid namespace that is made for it.
enum NamespaceFitness {
  /// Throws obstacles for each.
  static func require(_ restoration: Restoration) throws(CheckpointError) {
    var obstacles: [Obstacle] = []
    let state = restoration.state
    for process in state.processes {
      if process.id == 1 || process.threads.contains(where: { $0.id == 1 }) {
        obstacles.append(
          Obstacle(
            ProcessID(process.id), "its number",
            "in a pid namespace that is made for the tree, 1 is the number of who reaps"))
      }
      for path in [process.workingDirectory, process.root] where isOfProcess(path) {
        obstacles.append(shownByOurs(ProcessID(process.id), path))
      }
    }
    for description in state.descriptions where description.kind == RegularFile.name {
      let detail = try restoration.decode(RegularFile.Detail.self, description.detail)
      if isOfProcess(detail.path) { obstacles.append(shownByOurs(ProcessID(0), detail.path)) }
    }
    if !obstacles.isEmpty { throw .obstacles(obstacles) }
  }

  private static func isOfProcess(_ path: String) -> Bool {
    path.hasPrefix("/proc/") && path.dropFirst(6).first?.isNumber == true
  }

  private static func shownByOurs(_ process: ProcessID, _ path: String) -> Obstacle {
    Obstacle(
      process, path,
      "it is about a process by a number, which outside of the tree's own pid"
        + " namespace is another process's")
  }

  /// What is not quite as it was in a user namespace.
  static func warn(_ restoration: Restoration) {
    for process in restoration.state.processes where process.life != .zombie {
      let credentials = process.credentials
      let unseen = credentials.supplementaryGroups.filter { !credentials.groups.contains($0) }
      if unseen.isEmpty { continue }
      restoration.warn(
        process.id, "its supplementary groups",
        "it has what they give, but sees them as 65534 in its user namespace")
    }
  }
}
