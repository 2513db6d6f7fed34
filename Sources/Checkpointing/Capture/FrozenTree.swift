import BinaryCodec
import LinuxSystem
import SystemPackage

/// The memory of a tree as it was at one moment, to be read while the tree runs on.
///
/// What a fork does not hold is read at once: memory that is shared, and areas with MADV_DONTFORK or
/// MADV_WIPEONFORK.
final class FrozenTree {
  /// By the index of the process.
  private var copies: [Int: FrozenCopy] = [:]
  private var held: [MemorySpace] = []
  private let tree: TreeCapture
  private let state: CheckpointState

  /// Below that, reading costs no more than copying.
  static let leastByteCount = 16 << 20

  /// nil where a copy can't be had, or is not worth its while.
  static func make(of tree: TreeCapture, _ state: CheckpointState, _ folder: String) -> FrozenTree?
  {
    let own = state.processes.indices.reduce(0) { $0 + tree.ownByteCount(ofProcess: $1) }
    return own < leastByteCount ? nil : try? FrozenTree(of: tree, state, holdingIn: folder)
  }

  /// Of a tree that stands still. When it throws, nothing is left of it, and the tree is as it was: then its
  /// memory is to be read while it stands still.
  ///
  /// - Parameter folder: where a file is made for what a fork does not hold, when that is much.
  init(
    of tree: TreeCapture, _ state: CheckpointState, holdingIn folder: String
  ) throws(CheckpointError) {
    self.tree = tree
    self.state = state
    do throws(CheckpointError) {
      try copy()
      try hold(HeldMemory(in: folder, tree.standstill))
    } catch {
      remove()
      throw error
    }
  }

  /// Why no copy of it can be made; nil if there is no reason that could be known before.
  static func obstacle(_ tree: TreeCapture, _ state: CheckpointState) -> Obstacle? {
    // Copies become children of the nearest subreaper, and a process of the tree would notice.
    if let reaper = state.processes.first(where: \.isSubreaper) {
      return Obstacle(
        ProcessID(reaper.id), "its copy", "it would become a child of this subreaper")
    }
    return nil
  }

  private func copy() throws(CheckpointError) {
    if let obstacle = Self.obstacle(tree, state) { throw .obstacles([obstacle]) }
    for (index, process) in state.processes.enumerated() where process.ownsMemory {
      let capture = tree.captures[index]
      copies[index] = try FrozenCopy(of: capture)
    }
  }

  private func hold(_ memory: HeldMemory) throws(CheckpointError) {
    for (index, process) in state.processes.enumerated() where process.ownsMemory {
      let missing = process.areas.filter { $0.isMissingInForks && $0.keepsPages }
      if missing.isEmpty { continue }
      let id = tree.captures[index].process.id
      held.append(
        try memory.hold(
          MemorySpace(
            number: state.space(ofProcess: index), plan: PagePlan(of: id, missing),
            source: try about(id) { () throws(SystemCallError) in try StoppedMemory(of: id) },
            byteCount: 0)))
    }
    for space in tree.objectSpaces(of: state) { held.append(try memory.hold(space)) }
  }

  /// All memory of the tree, which may run on now.
  func spaces() -> [MemorySpace] {
    var spaces: [MemorySpace] = []
    for (index, process) in state.processes.enumerated() {
      guard let copy = copies[index] else { continue }
      var inherited: InheritedPages?
      if let parent = state.parent(ofProcess: index), let copy = copies[parent] {
        inherited = InheritedPages(
          parent: copy.memory.process, source: copy.memory, ranges: process.inherited)
      }
      let number = state.space(ofProcess: index)
      spaces.append(
        MemorySpace(
          number: number,
          plan: PagePlan(
            of: copy.memory.process, process.areas.filter { !$0.isMissingInForks },
            inherited: inherited),
          source: copy.memory, inherited: inherited,
          byteCount: tree.ownByteCount(ofProcess: index)))
      // All of a process is there before its children are made.
      spaces += held.filter { $0.number == number }
    }
    return spaces + held.filter { Int($0.number) >= state.processes.count }
  }

  /// The copies themselves.
  var processes: [ProcessID] { copies.values.map(\.memory.process) }

  /// Whether what was known before was still so when the tree stood still.
  func confirms(_ foreknowledge: Foreknowledge) -> Bool {
    copies.allSatisfy { index, copy in
      (try? foreknowledge.isConfirmed(of: tree.captures[index], by: copy.memory.process)) ?? false
    }
  }

  /// To be called when all was read: the kernel takes the copies' memory apart while the image is finished.
  func letGo() {
    for copy in copies.values { copy.letGo() }
  }

  /// Ends the copies.
  func remove() {
    for copy in copies.values { copy.remove() }
    copies = [:]
    held = []
  }
}
