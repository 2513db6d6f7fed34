import LinuxSystem

/// One of the memories of a tree: which of its pages are saved, and where they are read.
struct MemorySpace: Sendable {
  /// Which memory it is, as `CheckpointState` numbers them.
  let number: UInt32
  let plan: PagePlan
  let source: any MemorySource
}

extension TreeCapture {
  /// All memory of the tree, to be read before it is released.
  func stoppedSpaces(of state: CheckpointState) throws(CheckpointError) -> [MemorySpace] {
    var spaces: [MemorySpace] = []
    for (index, process) in state.processes.enumerated() where process.life != .zombie {
      let id = captures[index].process.id
      spaces.append(
        try about(id) { () throws(SystemCallError) in
          MemorySpace(
            number: state.space(ofProcess: index), plan: try PagePlan(of: id, process.areas),
            source: try StoppedMemory(of: id))
        })
    }
    return spaces + objectSpaces(of: state)
  }

  /// The memory that processes of the tree share, to be read before it is released.
  func objectSpaces(of state: CheckpointState) -> [MemorySpace] {
    state.objects.indices.map { index in
      let content = objects.contents[index]
      return MemorySpace(
        number: state.space(ofObject: index), plan: PagePlan(of: content, state.objects[index]),
        source: content)
    }
  }
}
