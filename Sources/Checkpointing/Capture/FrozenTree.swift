import BinaryCodec
import LinuxSystem
import SystemPackage

/// The memory of a tree as it was at one moment, to be read while the tree runs on.
///
/// What a fork does not hold is read at once: memory that is shared, and areas with MADV_DONTFORK or
/// MADV_WIPEONFORK.
final class FrozenTree {
  private var copies: [(space: UInt32, copy: FrozenCopy, areas: [AreaState])] = []
  private var taken: [MemorySpace] = []

  /// Below that, reading costs no more than copying.
  static let leastByteCount: UInt64 = 16 << 20

  /// nil where a copy can't be had, or is not worth its while.
  static func make(of tree: TreeCapture, _ state: CheckpointState) -> FrozenTree? {
    let own = tree.captures.reduce(0) { sum, capture in
      sum + (capture.process.status.numbers("RssAnon").first ?? 0) << 10
    }
    return own < leastByteCount ? nil : try? FrozenTree(of: tree, state)
  }

  /// Of a tree that stands still. When it throws, nothing is left of it, and the tree is as it was: then its
  /// memory is to be read while it stands still.
  init(of tree: TreeCapture, _ state: CheckpointState) throws(CheckpointError) {
    do throws(CheckpointError) {
      try take(tree, state)
    } catch {
      remove()
      throw error
    }
  }

  private func take(_ tree: TreeCapture, _ state: CheckpointState) throws(CheckpointError) {
    // Copies become children of the nearest subreaper, and a process of the tree would notice.
    if let reaper = state.processes.first(where: \.isSubreaper) {
      throw .obstacles([
        Obstacle(ProcessID(reaper.id), "its copy", "it would become a child of this subreaper")
      ])
    }
    for (index, process) in state.processes.enumerated() where process.life != .zombie {
      let capture = tree.captures[index]
      // A filter might end the process for a call that it never made.
      guard capture.process.status.numbers("Seccomp").first ?? 0 == 0 else {
        throw .obstacles([
          Obstacle(
            ProcessID(process.id), "its copy", "it can't be made by a process with seccomp filters")
        ])
      }
      let number = state.space(ofProcess: index)
      copies.append(
        (number, try FrozenCopy(of: capture), process.areas.filter { !$0.isMissingInForks }))
    }
    for (index, process) in state.processes.enumerated() where process.life != .zombie {
      let missing = process.areas.filter(\.isMissingInForks)
      let id = tree.captures[index].process.id
      try about(id) { () throws(SystemCallError) in
        taken.append(
          try MemorySpace(
            number: state.space(ofProcess: index), plan: PagePlan(of: id, missing),
            source: StoppedMemory(of: id)
          ).taken())
      }
    }
    for space in tree.objectSpaces(of: state) {
      try about(nil) { () throws(SystemCallError) in taken.append(try space.taken()) }
    }
  }

  /// All memory of the tree, which may run on now.
  func spaces() throws(CheckpointError) -> [MemorySpace] {
    var spaces: [MemorySpace] = []
    for (space, copy, areas) in copies {
      spaces.append(
        try about(nil) { () throws(SystemCallError) in
          MemorySpace(
            number: space, plan: try PagePlan(of: copy.memory.process, areas), source: copy.memory)
        })
    }
    return spaces + taken
  }

  /// Ends the copies.
  func remove() {
    for copy in copies { copy.copy.remove() }
    copies = []
    taken = []
  }
}

extension AreaState {
  /// Whether a fork does not have what this area holds.
  var isMissingInForks: Bool { flags.contains("dc") || flags.contains("wf") }
}

/// Pages that were read already.
private final class TakenMemory: MemorySource {
  private let pieces: [UInt64: [UInt8]]

  init(_ pieces: [UInt64: [UInt8]]) { self.pieces = pieces }

  func read(into buffer: inout MutableRawSpan, _ areas: [Range<UInt64>]) throws(SystemCallError) {
    guard let first = areas.first?.lowerBound, let piece = pieces[first] else {
      preconditionFailure("a piece of another plan")
    }
    buffer.copy(piece, at: 0)
  }
}

extension MemorySpace {
  /// The same, read now.
  fileprivate func taken() throws(SystemCallError) -> MemorySpace {
    var pieces: [UInt64: [UInt8]] = [:]
    for piece in plan.pieces {
      guard plan.byteCount < Self.takenByteLimit else {
        throw SystemCallError(call: "read", subject: "shared memory", errno: .noMemory)
      }
      var bytes = [UInt8](repeating: 0, count: piece.reduce(0) { $0 + $1.count })
      var span = bytes.mutableSpan
      // Safe: bytes have no forbidden patterns.
      var raw = unsafe span.mutableBytes
      try source.read(into: &raw, piece)
      pieces[piece[0].lowerBound] = bytes
    }
    return MemorySpace(number: number, plan: plan, source: TakenMemory(pieces))
  }

  /// More is not kept twice in memory.
  private static let takenByteLimit: UInt64 = 1 << 30
}
