import LinuxSystem

// A process that was made when its parent's memory was complete has all of that. What it shall have of it
// stays, so that the two share those pages until one of them writes; the rest goes.
extension ProcessBuilder {
  /// Lays out the memory of a process that is a fork of one with the parent's.
  func layOutMemory(inheritedFrom parent: ProcessState) throws(CheckpointError) {
    try take()
    guard let parts = Inheritance(of: state, from: parent).limited(to: state.inherited) else {
      throw .inconsistent(.pageOutsideAreas)
    }
    inherited = parts.filter { $0.area.keepsPages }.map(\.kept)
    try removeAll(but: parts.map(\.kept) + [injector.scratch])
    try setPersonalityForMapping()
    let kept = Dictionary(uniqueKeysWithValues: parts.map { ($0.area.address, $0) })
    for area in state.areas where area.content != .kernel {
      if let part = kept[area.address] { try grow(part) } else { try map(area) }
    }
    try tellNeighboursApart(kept, parent)
  }

  private func removeAll(but ranges: [Range<UInt64>]) throws(CheckpointError) {
    let id = id
    let present = try about(id) { () throws(SystemCallError) in
      try MemoryArea.all(of: id, withFlags: false).map(\.addresses)
    }
    let all = [0..<Self.endOfAddresses]
    for gap in all.subtracting(ranges.sorted { $0.lowerBound < $1.lowerBound })
    where present.contains(where: { $0.overlaps(gap) }) {
      try call(.munmap, "munmap", gap.lowerBound, gap.upperBound - gap.lowerBound)
    }
  }

  /// Makes an area as long as it shall be.
  private func grow(_ part: Inheritance.Part) throws(CheckpointError) {
    let end = part.area.addresses.upperBound
    if part.kept.upperBound == end { return }
    let kept = part.kept
    let grown = try inside(id) { () throws(InjectionError) in
      try injector.callForResult(
        .mremap, [kept.lowerBound, UInt64(kept.count), end - kept.lowerBound, 0, 0])
    }
    if grown >= 0 { return }
    var rest = part.area
    rest.address = kept.upperBound
    rest.byteCount = end - kept.upperBound
    try map(rest)
  }

  /// What keeps areas of the parent apart for now may not be needed here, and the other way round.
  private func tellNeighboursApart(
    _ kept: [UInt64: Inheritance.Part], _ parent: ProcessState
  ) throws(CheckpointError) {
    let apart = Set(parent.neighboursApart.map(\.address))
    let wanted = Set(state.neighboursApart.map(\.address))
    for area in state.areas where area.content == .anonymous {
      let isApart = kept[area.address].map { apart.contains($0.origin.address) } ?? false
      if isApart == wanted.contains(area.address) { continue }
      try call(
        .madvise, "madvise", area.address, area.byteCount,
        isApart ? area.dumpAdvice : area.otherDumpAdvice)
    }
  }

  /// Gives up pages that the parent has and this process has not.
  func drop(_ addresses: Range<UInt64>) throws(CheckpointError) {
    try take()
    // MADV_DONTNEED
    try call(
      .madvise, "madvise(MADV_DONTNEED)", addresses.lowerBound, UInt64(addresses.count), 4)
  }
}
