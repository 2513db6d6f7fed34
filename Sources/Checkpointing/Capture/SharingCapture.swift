import LinuxSystem
import SystemPackage

/// Finds out what processes have together without being threads of one: kcmp(2) tells an order among all that
/// there are, so each is compared with few others.
struct SharingCapture {
  private(set) var obstacles: [Obstacle] = []
  /// By process, for those that have something of another.
  private(set) var found: [ProcessID: SharingState] = [:]

  /// Of processes in the order of the tree, none of them a zombie.
  init(_ processes: [ProcessID], rootParent: ProcessID) throws(CheckpointError) {
    let kinds: [(SharedResource, WritableKeyPath<SharingState, Int32>, String)] = [
      (.memory, \.memory, "its memory"), (.descriptors, \.descriptors, "its descriptors"),
      (.filesystem, \.filesystem, "its folders and umask"),
      (.signalHandlers, \.signalActions, "its signal handlers"),
    ]
    for (resource, place, name) in kinds {
      var owners: [ProcessID] = []  // in the kernel's order
      for process in processes {
        let (index, isThere) = try Self.search(process, resource, owners)
        if isThere {
          found[process, default: SharingState()][keyPath: place] = owners[index].number
        } else {
          owners.insert(process, at: index)
        }
      }
      // Whoever made the root may have it in common with the tree.
      if rootParent.number > 0, !processes.contains(rootParent),
        let (_, isThere) = try? Self.search(rootParent, resource, owners), isThere
      {
        obstacles.append(
          Obstacle(
            processes[0], name,
            "process \(rootParent), which is outside of the tree, has it as well",
            remedy: "save that process"))
      }
    }
  }

  private static func search(
    _ process: ProcessID, _ resource: SharedResource, _ owners: [ProcessID]
  ) throws(CheckpointError) -> (index: Int, isThere: Bool) {
    var low = 0
    var high = owners.count
    while low < high {
      let middle = (low + high) / 2
      let order = try about(process) { () throws(SystemCallError) in
        try process.order(of: resource, with: owners[middle])
      }
      switch order {
      case 0: return (middle, true)
      case 1: high = middle
      default: low = middle + 1
      }
    }
    return (low, false)
  }
}
