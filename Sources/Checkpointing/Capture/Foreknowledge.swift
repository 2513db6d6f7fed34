import LinuxSystem

/// What is found out of a tree while it still runs, so that it need not stand still for that.
///
/// The kernel tells the flags of areas only together with a count of all their pages, which takes long where
/// there are many. So they are read before; an area that is there unchanged when the process stands still is
/// taken to have the same flags. Whether that was so is seen afterwards, from the copy that was made of it.
final class Foreknowledge {
  private var areas: [ProcessID: [MemoryArea]] = [:]

  /// Where a process has less, to read its areas is quick.
  private static let leastKibibytes: UInt64 = 32 << 10

  /// Of the tree as it is now; processes that come later, or go, are not known.
  init(of root: ProcessID, withDescendants: Bool) {
    var tree = [root]
    var next = 0
    while next < tree.count {
      look(at: tree[next])
      if withDescendants { tree += (try? tree[next].children()) ?? [] }
      next += 1
    }
  }

  private func look(at process: ProcessID) {
    guard let status = try? ProcessStatus(of: process) else { return }
    if status.numbers("RssAnon").first ?? 0 >= Self.leastKibibytes {
      areas[process] = try? MemoryArea.all(of: process)
    }
    ReturnPath.prepare(for: process)
  }

  /// Whether there is anything to be confirmed.
  var isEmpty: Bool { areas.isEmpty }

  /// The areas of a process that stands still; their flags from before where that is possible.
  func areas(of process: ProcessID) throws(SystemCallError) -> [MemoryArea] {
    guard let known = areas[process] else { return try MemoryArea.all(of: process) }
    var areas = try MemoryArea.all(of: process, withFlags: false)
    var next = 0
    for index in areas.indices {
      while next < known.count
        && known[next].addresses.upperBound <= areas[index].addresses.lowerBound
      {
        next += 1
      }
      guard next < known.count, known[next].isSame(as: areas[index]) else {
        return try MemoryArea.all(of: process)
      }
      areas[index].flags = known[next].flags
      areas[index].protectionKey = known[next].protectionKey
    }
    return areas
  }

  /// Whether the flags of the areas that were taken are those of the copy, which has them from the moment when it
  /// was made; those that a copy does not have, of the process now and of its count of locked memory then.
  func isConfirmed(
    of capture: ProcessCapture, by copy: ProcessID
  ) throws(SystemCallError) -> Bool {
    let process = capture.process.id
    if areas[process] == nil { return true }
    let taken = capture.areas.filter { $0.addresses.lowerBound < Self.kernelAddresses }
    let locked = taken.reduce(0) { $0 + ($1.flags.contains("lo") ? $1.byteCount : 0) }
    guard capture.process.status.numbers("VmLck").first ?? 0 == locked >> 10 else { return false }
    let (copied, present) = try Self.areas(of: copy, process)
    var next = 0
    for area in taken where !area.isShared {
      while next < copied.count && copied[next].addresses.upperBound <= area.addresses.lowerBound {
        next += 1
      }
      let other =
        next < copied.count && copied[next].addresses.overlaps(area.addresses) ? copied[next] : nil
      guard area.flags.contains("dc") == (other == nil) else { return false }
      if let other, area.flags(Self.inForks) != other.flags(Self.inForks) { return false }
    }
    var now: [Range<UInt64>: MemoryArea] = [:]
    for area in present { now[area.addresses] = area }
    return taken.allSatisfy { area in
      // What is gone by now was not changed but removed.
      guard let other = now[area.addresses] else { return true }
      let flags = area.isShared ? Self.all : Self.notInForks
      return area.flags(flags) == other.flags(flags)
    }
  }

  /// Of two processes at the same time: the kernel counts the pages of each.
  private static func areas(
    of one: ProcessID, _ other: ProcessID
  ) throws(SystemCallError) -> ([MemoryArea], [MemoryArea]) {
    let readings = Monitor([ProcessID: Result<[MemoryArea], SystemCallError>]())
    runInParallel(workers: 2) { worker in
      let process = worker == 0 ? one : other
      let reading = Result { () throws(SystemCallError) in try MemoryArea.all(of: process) }
      readings.withLock { $0[process] = reading }
    }
    let results = readings.withLock { $0 }
    return (try results[one]!.get(), try results[other]!.get())
  }

  private static let notInForks: Set<String> = ["um", "uw", "ui"]
  private static let all = AreaCapture.chosenFlags.union(AreaCapture.refusedFlags.keys)
  private static let inForks = all.subtracting(notInForks).subtracting(["lo", "lf"])

  /// From here on there is nothing of the process.
  private static let kernelAddresses: UInt64 = 1 << 63
}

extension MemoryArea {
  /// Whether it is the other one, which may have grown or shrunk.
  fileprivate func isSame(as other: MemoryArea) -> Bool {
    addresses.overlaps(other.addresses) && protection == other.protection
      && isShared == other.isShared && device == other.device && inode == other.inode
      && name == other.name
      && (!isBackedByFile
        || fileOffset &- addresses.lowerBound == other.fileOffset &- other.addresses.lowerBound)
  }

  fileprivate func flags(_ some: Set<String>) -> Set<String> { flags.intersection(some) }
}
