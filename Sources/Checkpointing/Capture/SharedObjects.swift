import LinuxSystem

/// Memory that several mappings share and that no path leads to: each is saved once.
final class SharedObjects {
  private(set) var states: [ObjectState] = []
  /// Where each can be opened while the tree stands still.
  private(set) var sources: [String] = []
  private var known: [[UInt64]: UInt32] = [:]

  /// The number of the object behind a mapping, a new one if it was not seen before.
  func number(of area: MemoryArea, in process: ProcessID) throws(CheckpointError) -> UInt32 {
    let path = process.mappedFile(area.addresses)
    let details = try about(process) { () throws(SystemCallError) in
      try OwnedDescriptor.open(path, flags: 0o10000000).details()
    }
    let key = [details.device, details.inode]
    if let number = known[key] { return number }
    var state = ObjectState()
    state.byteCount = (details.byteCount + 4095) & ~4095
    state.name = area.deletedPath ?? area.name
    known[key] = UInt32(states.count)
    states.append(state)
    sources.append(path)
    return UInt32(states.count - 1)
  }
}
