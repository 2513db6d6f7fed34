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
    let state = tree.state()
    let codec = options.codec
    let workers = options.workers
    let file = OwnedDescriptor?.some(descriptor)
    let summary = try write(state, tree, file, codec, workers, isDurable)
    try commit()
    let frozen = ContinuousClock.now - start
    switch options.afterwards {
    case .running: break
    case .stopped: for process in freezer.processes { try? process.id.send(signal: 19) }
    case .dead: for process in freezer.processes { try? process.id.send(signal: 9) }
    }
    return SaveReport(state: state, image: summary, frozen: frozen)
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
    _ state: CheckpointState, _ tree: TreeCapture, _ file: consuming OwnedDescriptor?,
    _ codec: CodecSetting, _ workers: Int, _ isDurable: Bool
  ) throws(CheckpointError) -> ImageSummary {
    var file = file
    let descriptor = file.take()!
    let writer = try writer(descriptor, codec, workers)
    try imaging { () throws(ImageError) in try writer.writeState(state.encoded()) }
    var store = PageStore(writer)
    for (index, process) in state.processes.enumerated() where process.life != .zombie {
      let id = ProcessID(process.id)
      let source = try about(id) { () throws(SystemCallError) in try StoppedMemory(of: id) }
      let plan = try about(id) { () throws(SystemCallError) in
        try PagePlan(of: id, process.areas)
      }
      for piece in plan.pieces {
        try store.store(piece, of: source, space: state.space(ofProcess: index))
      }
    }
    for (index, object) in state.objects.enumerated() {
      try write(object, number: UInt32(index), from: tree.objects.sources[index], to: writer)
    }
    try store.finish()
    return try imaging { () throws(ImageError) in try writer.finish(isDurable: isDurable) }
  }

  /// Writes what is in an object, but for its holes.
  private static func write(
    _ object: ObjectState, number: UInt32, from source: String, to writer: ImageWriter
  ) throws(CheckpointError) {
    var content = try about(nil) { () throws(SystemCallError) in
      try ObjectContent(source: source, object)
    }
    while true {
      var block = try imaging { () throws(ImageError) in try writer.borrow() }
      var piece: (offset: UInt64, byteCount: Int)?
      do throws(SystemCallError) {
        var bytes = block.bytes
        piece = try content.read(into: &bytes)
      } catch {
        throw .system(error, process: nil)
      }
      guard let piece else { return }
      do throws(ImageError) {
        try writer.writeContent(
          block, byteCount: piece.byteCount, object: number, offset: piece.offset)
      } catch {
        throw .image(error)
      }
    }
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
