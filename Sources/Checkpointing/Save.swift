import BinaryCodec
import CheckpointFormat
import Compression
import LinuxSystem

/// How a tree is saved.
package struct SaveOptions: Sendable {
  /// What becomes of the tree when its image is complete.
  package enum Afterwards: Sendable {
    case running, stopped, dead
  }

  package var afterwards = Afterwards.running
  package var withDescendants = true
  package var codec = CodecSetting.standard
  package var workers = Machine.cores
  /// How long the tree may stand still while it is stopped; then it runs on, unsaved.
  package var freezeLimit = Duration.seconds(10)
  /// Where a file may be made for memory that can't be read while the tree runs on.
  package var folder = Machine.environment("TMPDIR") ?? "/var/tmp"
  package var watch = JobWatch()

  package init() {}
}

/// What a save did.
package struct SaveReport: Sendable {
  package var state: CheckpointState
  package var image: ImageSummary
  /// How long the tree stood still.
  package var frozen: Duration
}

/// Saving.
package enum Checkpoint {
  /// Everything that keeps a tree from being saved; nothing is changed, though it is stopped for a moment.
  package static func obstacles(
    of root: ProcessID, _ options: SaveOptions
  ) throws(CheckpointError) -> [Obstacle] {
    let freezer = ProcessFreezer(
      root: root, withDescendants: options.withDescendants, limit: options.freezeLimit)
    try freezer.freeze()
    defer { freezer.release() }
    do throws(CheckpointError) {
      _ = try TreeCapture(freezer.processes)
      return []
    } catch {
      guard case .obstacles(let obstacles) = error else { throw error }
      return obstacles
    }
  }

  /// Saves a tree as an image into the file or pipe. Whatever goes wrong, the tree runs on. With
  /// `afterwards` other than running, what is to become of it happens when `commit` has returned: only then
  /// is the image where it belongs.
  package static func save(
    _ root: ProcessID, to descriptor: consuming OwnedDescriptor, _ options: SaveOptions,
    isDurable: Bool, commit: () throws -> Void
  ) throws -> SaveReport {
    let freezer = ProcessFreezer(
      root: root, withDescendants: options.withDescendants, limit: options.freezeLimit)
    defer { freezer.release() }
    let (tree, start) = try capture(freezer)
    var state = tree.state()
    state.noteInheritance()
    let file = OwnedDescriptor?.some(descriptor)
    // What runs on need not wait until it is written.
    let copy =
      options.afterwards == .running ? FrozenTree.make(of: tree, state, options.folder) : nil
    defer { copy?.remove() }
    if copy != nil { freezer.release() }
    var frozen = ContinuousClock.now - start
    let spaces = try copy?.spaces() ?? tree.stoppedSpaces(of: state)
    let summary = try write(state, spaces, file, options, isDurable)
    try commit()
    if copy == nil { frozen = ContinuousClock.now - start }
    switch options.afterwards {
    case .running: break
    case .stopped: for process in freezer.processes { try? process.id.send(signal: 19) }
    case .dead: end(freezer)
    }
    return SaveReport(state: state, image: summary, frozen: frozen)
  }

  /// Kills them, and waits until their numbers are free, or need but to be waited for. They are let go of
  /// first, stopped so that they do nothing more: a process that ends while it is traced stays until its
  /// tracer has gone.
  private static func end(_ freezer: ProcessFreezer) {
    let processes = freezer.processes.map(\.id)
    for process in processes { try? process.send(signal: 19) }
    freezer.release()
    for process in processes { try? process.send(signal: 9) }
    let patience = ContinuousClock.now + .seconds(10)
    for process in processes {
      while ContinuousClock.now < patience, let status = try? ProcessStatus(of: process),
        status.state != "Z" && status.state != "X"
      {
        Machine.sleep(seconds: 0.001)
      }
    }
  }

  /// Stops a tree and takes it down. What only waits to be taken by a program is given some moments.
  static func capture(
    _ freezer: ProcessFreezer
  ) throws(CheckpointError) -> (tree: TreeCapture, start: ContinuousClock.Instant) {
    let patience = ContinuousClock.now + .seconds(2)
    while true {
      let start = ContinuousClock.now
      try freezer.freeze()
      do throws(CheckpointError) {
        return (try TreeCapture(freezer.processes), start)
      } catch {
        guard case .obstacles(let obstacles) = error, obstacles.allSatisfy(\.isPassing),
          ContinuousClock.now < patience
        else { throw error }
      }
      freezer.release()
      Machine.sleep(seconds: 0.003)
    }
  }

  private static func write(
    _ state: CheckpointState, _ spaces: [MemorySpace], _ file: consuming OwnedDescriptor?,
    _ options: SaveOptions, _ isDurable: Bool
  ) throws(CheckpointError) -> ImageSummary {
    var file = file
    let descriptor = file.take()!
    try options.watch.step(done: 0, total: nil)
    let writer = try writer(descriptor, options.codec, options.workers)
    try imaging { () throws(ImageError) in try writer.writeState(state.encoded()) }
    var store = PageStore(writer)
    var total = spaces.reduce(0) { $0 + $1.byteCount }
    var done = 0
    for space in spaces {
      try space.forEachPiece { (piece) throws(CheckpointError) in
        try store.store(piece, of: space)
        done += piece.byteCount
        total = max(done, total)
        try options.watch.step(done: done, total: total)
      }
      try store.writeReferences()
    }
    return try imaging { () throws(ImageError) in try writer.finish(isDurable: isDurable) }
  }

  private static func writer(
    _ descriptor: consuming OwnedDescriptor, _ codec: CodecSetting, _ workers: Int
  ) throws(CheckpointError) -> ImageWriter {
    do throws(ImageError) {
      return try ImageWriter(descriptor, codec: codec, workers: workers)
    } catch {
      throw .image(error)
    }
  }
}
