/// What of a process's memory may still be what fork(2) gave it: the areas that its parent has in the same
/// places. Its pages there are those of the parent, as long as nobody writes to them.
struct Inheritance {
  /// An area of the process that a fork of its parent has, from its start on.
  struct Part {
    let area: AreaState
    /// The part of it that the fork has.
    let kept: Range<UInt64>
    /// The parent's area that it is of.
    let origin: AreaState
  }

  /// In the order of the addresses.
  let parts: [Part]

  /// Nothing at all, where one of the two has become another program since.
  init(of child: ProcessState, from parent: ProcessState) {
    let areas = parent.areas.sorted { $0.address < $1.address }
    let ownAreas = child.areas.sorted { $0.address < $1.address }
    // The kernel puts its pages in another place for each program that is started.
    let kernelAreas = areas.filter { $0.content == .kernel }
    guard child.life != .zombie, parent.life != .zombie, !kernelAreas.isEmpty,
      kernelAreas == ownAreas.filter({ $0.content == .kernel })
    else {
      parts = []
      return
    }
    var parts: [Part] = []
    var next = 0
    for area in ownAreas {
      while next < areas.count && areas[next].addresses.upperBound <= area.address { next += 1 }
      if next == areas.count { break }
      guard area.isContinuation(of: areas[next]) else { continue }
      let end = min(area.addresses.upperBound, areas[next].addresses.upperBound)
      parts.append(Part(area: area, kept: area.address..<end, origin: areas[next]))
    }
    self.parts = parts
  }

  /// The memory of which that is, neighbours joined.
  var ranges: [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    for part in parts where part.area.keepsPages {
      if let last = ranges.last, last.upperBound == part.kept.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<part.kept.upperBound
      } else {
        ranges.append(part.kept)
      }
    }
    return ranges
  }

  /// The parts that there are when it is only so much memory that is the parent's; nil if that is not
  /// possible.
  func limited(to ranges: [Range<UInt64>]) -> [Part]? {
    var next = 0
    let parts = parts.filter { part in
      guard part.area.keepsPages else { return true }
      while next < ranges.count && ranges[next].upperBound <= part.kept.lowerBound { next += 1 }
      return next < ranges.count && ranges[next].lowerBound <= part.kept.lowerBound
        && part.kept.upperBound <= ranges[next].upperBound
    }
    let found = parts.reduce(0) { $0 + ($1.area.keepsPages ? $1.kept.count : 0) }
    return found == ranges.reduce(0) { $0 + $1.count } ? parts : nil
  }
}

extension AreaState {
  /// Whether a fork of a process that has the other one has the beginning of this one.
  fileprivate func isContinuation(of other: AreaState) -> Bool {
    guard other.addresses.contains(address), !other.isMissingInForks, !isDroppable else {
      return false
    }
    // What grew since is only memory without a file; what is in several pieces is made anew.
    if content != .anonymous || isShared || flags.contains("gu") {
      guard addresses.upperBound <= other.addresses.upperBound, guards == other.guards else {
        return false
      }
    }
    guard
      content == .anonymous || content == .kernel
        || offset &- address == other.offset &- other.address
    else { return false }
    return content == other.content && isShared == other.isShared
      && protection == other.protection && name == other.name && flags == other.flags
      && file == other.file && object == other.object
  }

  /// Whether a fork does not have what this area holds.
  var isMissingInForks: Bool { flags.contains("dc") || flags.contains("wf") }
}

extension CheckpointState {
  /// Notes what processes have of their parents: their pages there are saved only where they are others.
  mutating func noteInheritance() {
    let plan = BirthPlan(processes, isDetached: true)
    for index in processes.indices {
      // One that a sibling makes has that one's memory.
      guard !plan.isMadeBySibling(processes[index].id), let parent = parent(ofProcess: index)
      else { continue }
      let ranges = Inheritance(of: processes[index], from: processes[parent]).ranges
      processes[index].inheritedRanges = ranges.flatMap { [$0.lowerBound, $0.upperBound] }
    }
  }

  /// The index of a process's parent; nil if it is outside.
  func parent(ofProcess index: Int) -> Int? {
    let id = processes[index].parent
    guard id != 0, id != processes[index].id else { return nil }
    return processes.firstIndex { $0.id == id }
  }
}

extension ProcessState {
  /// Where its memory is what its parent has at the same addresses, but for what the image says.
  var inherited: [Range<UInt64>] {
    stride(from: 0, to: inheritedRanges.count, by: 2).map {
      inheritedRanges[$0]..<inheritedRanges[$0 + 1]
    }
  }
}
