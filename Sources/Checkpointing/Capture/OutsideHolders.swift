import LinuxSystem

/// Finds who outside of the tree holds what the tree could otherwise take with it: afterwards the two would
/// not be connected any more.
struct OutsideHolders {
  private let tree: TreeCapture
  /// Descriptions by where their links in /proc lead.
  private var wanted: [String: [Int]] = [:]

  init(_ tree: TreeCapture) {
    self.tree = tree
    for (index, seen) in tree.seen.enumerated() {
      guard let link = Self.link(of: seen, tree.descriptions[index]) else { continue }
      wanted[link, default: []].append(index)
    }
  }

  private static func link(of seen: SeenDescriptor, _ state: DescriptionState) -> String? {
    switch state.kind {
    case PipeEnd.name, UnixSocket.name, InternetSocket.name, EventCounter.name,
      TimerDescriptor.name,
      EventPoll.name, FileWatch.name:
      seen.info.link
    case PseudoTerminal.name: PseudoTerminal.slaveLink(state)
    default: nil
    }
  }

  /// What can be found: of other users' processes only with the right to look.
  ///
  /// - Parameter copies: processes that are frozen copies of the tree's own.
  /// - Parameter ticks: when the tree stood still, as `ProcessStatus.startTime` counts, if it runs on by now: what it
  ///   has made since then has its descriptors, and is not of that moment.
  func obstacles(besides copies: [ProcessID] = [], until ticks: UInt64 = .max) -> [Obstacle] {
    guard !wanted.isEmpty, let all = try? Files.list("/proc") else { return [] }
    let inside = Set(tree.captures.map(\.process.id) + copies + [.current])
    var obstacles: [Obstacle] = []
    var told: Set<Int> = []
    var confirmed: Set<ProcessID> = []
    for other in all.compactMap({ Int32($0) }).map(ProcessID.init) where !inside.contains(other) {
      for number in (try? DescriptorInfo.numbers(of: other)) ?? [] {
        guard let link = try? Files.linkTarget("\(other.folder)/fd/\(number)"),
          let indices = wanted[link]
        else { continue }
        if isYounger(other, than: ticks, inside) { break }
        for index in indices
        where !told.contains(index) && isHeld(index, link, other, number)
          && (confirmed.contains(other) || holdsOn(other, number, link))
        {
          confirmed.insert(other)
          told.insert(index)
          obstacles.append(obstacle(index, other))
        }
      }
    }
    return obstacles
  }

  private func isYounger(
    _ other: ProcessID, than ticks: UInt64, _ inside: Set<ProcessID>
  ) -> Bool {
    guard ticks < .max, let status = try? ProcessStatus(of: other) else { return false }
    return status.startTime > ticks
      || status.startTime == ticks && inside.contains(status.parent)
  }

  /// A process that has just been made and becomes another program has everything of its maker for a moment.
  private func holdsOn(_ other: ProcessID, _ number: Int32, _ link: String) -> Bool {
    Machine.sleep(seconds: 0.005)
    return (try? Files.linkTarget("\(other.folder)/fd/\(number)")) == link
  }

  /// What has an inode of its own is the same by its name; else it must be the same description.
  private func isHeld(
    _ index: Int, _ link: String, _ other: ProcessID, _ number: Int32
  ) -> Bool {
    guard link.hasPrefix("anon_inode:") else { return true }
    let mine = tree.seen[index].copy.numberForChildren()
    return (try? ProcessID.current.shares(.file, with: other, mine, number)) ?? false
  }

  private func obstacle(_ index: Int, _ other: ProcessID) -> Obstacle {
    let seen = tree.seen[index]
    let program = (try? Files.linkTarget("\(other.folder)/exe")).map { " (\($0))" } ?? ""
    return Obstacle(
      seen.process, seen.place,
      "it is shared with process \(other)\(program), which is outside of the tree",
      remedy: "save a process that is an ancestor of both, or end that one")
  }
}
