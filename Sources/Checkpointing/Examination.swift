import BinaryCodec
import LinuxSystem

/// What is known of a tree before it is saved.
package struct Examination: Sendable {
  /// What stands in the way.
  package var obstacles: [Obstacle] = []
  /// What is read while the tree stands still, as a fork does not hold it.
  package var stillParts: [StillPart] = []
  /// Memory that is the processes' own, bytes.
  package var ownByteCount = 0
  /// Why all of it is read while the tree stands still; nil where a copy of it can be made.
  package var reasonAgainstCopy: String?
  /// About how long a save that lets it run on stops it.
  package var expectedStandstill = Duration.zero

  /// Memory or a file that is read while the tree stands still.
  package struct StillPart: Sendable {
    package var process: ProcessID
    package var place: String
    /// At most.
    package var byteCount: Int
    /// `it is shared`.
    package var reason: String
  }
}

extension Checkpoint {
  /// Everything that keeps a tree from being saved, and what saving it takes; nothing is changed, though it is
  /// stopped for a moment.
  package static func examine(
    _ root: ProcessID, _ options: SaveOptions
  ) throws(CheckpointError) -> Examination {
    let freezer = ProcessFreezer(
      root: root, withDescendants: options.withDescendants, limit: options.freezeLimit)
    defer { freezer.release() }
    var examination = Examination()
    do throws(CheckpointError) {
      let (tree, standstill) = try capture(freezer, options)
      examination.obstacles = OutsideHolders(tree).obstacles()
      examination.forecast(tree, tree.state(), standstill.duration)
    } catch {
      guard case .obstacles(let obstacles) = error else { throw error }
      examination.obstacles = obstacles
    }
    return examination
  }
}

extension Examination {
  fileprivate mutating func forecast(
    _ tree: TreeCapture, _ state: CheckpointState, _ captured: Duration
  ) {
    for index in state.processes.indices { ownByteCount += tree.ownByteCount(ofProcess: index) }
    for process in state.processes {
      for area in process.areas where area.isMissingInForks && area.keepsPages {
        stillParts.append(
          StillPart(
            process: ProcessID(process.id), place: area.place,
            byteCount: Int(clamping: area.byteCount),
            reason: area.flags.contains("dc")
              ? "a fork does not have it (MADV_DONTFORK)"
              : "a fork has zeros there (MADV_WIPEONFORK)"))
      }
    }
    for (index, object) in state.objects.enumerated() {
      stillParts.append(
        StillPart(
          process: ProcessID(state.holder(ofObject: index)), place: object.place,
          byteCount: Int(clamping: object.byteCount), reason: object.reason))
    }
    reasonAgainstCopy = FrozenTree.obstacle(tree, state).map { "\($0.place): \($0.reason)" }
    let still = stillParts.reduce(0) { $0 + $1.byteCount }
    expectedStandstill = captured
    if ownByteCount < FrozenTree.leastByteCount || reasonAgainstCopy != nil {
      expectedStandstill += Rate.storing.time(for: ownByteCount + still)
    } else {
      expectedStandstill += Rate.forking.time(for: ownByteCount) + Rate.reading.time(for: still)
    }
  }

  /// What a machine of the usual kind takes for a GiB, in milliseconds.
  private enum Rate: Int {
    /// To copy the page table of 4 KiB pages.
    case forking = 60
    /// To read and keep it.
    case reading = 500
    /// To read, compress and write it.
    case storing = 3000

    func time(for byteCount: Int) -> Duration {
      .milliseconds(Double(rawValue) * Double(byteCount) / Double(1 << 30))
    }
  }
}

extension CheckpointState {
  /// The first process that maps it or has it open; 0 if none does.
  fileprivate func holder(ofObject index: Int) -> Int32 {
    processes.first { process in
      process.areas.contains { $0.content == .object && $0.object == index }
        || process.descriptors.contains { keeps(object: index, $0) }
    }?.id ?? 0
  }

  private func keeps(object index: Int, _ descriptor: DescriptorState) -> Bool {
    guard descriptions.indices.contains(Int(descriptor.description)) else { return false }
    let description = descriptions[Int(descriptor.description)]
    let detail = description.detail[...]
    return switch description.kind {
    case RegularFile.name: (try? RegularFile.Detail(decoding: detail))?.object == UInt32(index + 1)
    case ObjectFile.name: (try? ObjectFile.Detail(decoding: detail))?.object == UInt32(index)
    default: false
    }
  }
}

extension AreaState {
  /// For messages: `memory at 7f0000001000 ([heap])`.
  fileprivate var place: String {
    "memory at \(String(address, radix: 16))" + (name.isEmpty ? "" : " (\(name))")
  }
}

extension ObjectState {
  fileprivate var place: String {
    switch kind {
    case .anonymous: "shared memory"
    case .memoryFile: "memory (memfd \(name))"
    case .systemV: "System V shared memory \(id)"
    case .deletedFile, .namelessFile: "a file without a name (\(name))"
    case .namedFile, .copiedFile: name
    }
  }

  fileprivate var reason: String {
    switch kind {
    case .anonymous, .systemV, .memoryFile, .namedFile: "it is shared memory"
    case .deletedFile, .namelessFile: "no path leads to it"
    case .copiedFile: "a copy of it was asked for"
    }
  }
}
