import LinuxSystem

/// One of the memories of a tree: which of its pages are saved, and where they are read.
struct MemorySpace: Sendable {
  /// Which memory it is, as `CheckpointState` numbers them.
  let number: UInt32
  let plan: PagePlan
  let source: any MemorySource
  /// What the process has of its parent.
  var inherited: InheritedPages?
  /// About how much it will be.
  let byteCount: Int

  /// Calls the body with one piece after the other; when it returns, they were all there.
  func forEachPiece(
    _ body: (PagePiece) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try plan.forEachPiece(body)
    try confirm()
  }

  /// To be called when all has been read: throws if some of it may have been gone by then.
  func confirm() throws(CheckpointError) {
    try source.confirm()
    try inherited?.source.confirm()
  }
}

extension TreeCapture {
  /// All memory of the tree, to be read before it is released.
  func stoppedSpaces(of state: CheckpointState) throws(CheckpointError) -> [MemorySpace] {
    var sources: [Int: StoppedMemory] = [:]
    for (index, process) in state.processes.enumerated() where process.ownsMemory {
      let id = captures[index].process.id
      sources[index] = try about(id) { () throws(SystemCallError) in try StoppedMemory(of: id) }
    }
    var spaces: [MemorySpace] = []
    for (index, process) in state.processes.enumerated() {
      guard let source = sources[index] else { continue }
      var inherited: InheritedPages?
      if let parent = state.parent(ofProcess: index), let memory = sources[parent] {
        inherited = InheritedPages(
          parent: captures[parent].process.id, source: memory, ranges: process.inherited)
      }
      spaces.append(
        MemorySpace(
          number: state.space(ofProcess: index),
          plan: PagePlan(of: captures[index].process.id, process.areas, inherited: inherited),
          source: source, inherited: inherited, byteCount: ownByteCount(ofProcess: index)))
    }
    return spaces + objectSpaces(of: state)
  }

  /// How much memory of its own a process has.
  func ownByteCount(ofProcess index: Int) -> Int {
    let status = captures[index].process.status
    let kibibytes = ["RssAnon", "VmSwap"].reduce(0) { $0 + (status.numbers($1).first ?? 0) }
    return Int(clamping: kibibytes << 10)
  }

  /// The memory that processes of the tree share, to be read before it is released.
  func objectSpaces(of state: CheckpointState) -> [MemorySpace] {
    // Files last: where one is as it was, its content is not made again, and nothing else shall refer to it.
    let indices = state.objects.indices
    let copied = indices.filter { state.objects[$0].kind == .copiedFile }
    return (indices.filter { !copied.contains($0) } + copied).map { index in
      let content = objects.contents[index]
      let runs = content.runs(byteCount: state.objects[index].byteCount)
      return MemorySpace(
        number: state.space(ofObject: index), plan: PagePlan(of: runs), source: content,
        byteCount: runs.reduce(0) { $0 + $1.count })
    }
  }
}
