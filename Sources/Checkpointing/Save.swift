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
    let known =
      options.afterwards == .running
      ? Foreknowledge(of: root, withDescendants: options.withDescendants) : nil
    let file = OwnedDescriptor?.some(descriptor)
    var moment = try Moment(freezer, options, known)
    if let known, !known.isEmpty, moment.copy?.confirms(known) != true {
      // Once more, with everything read while it stands still.
      moment.copy?.remove()
      freezer.release()
      let before = moment.frozen
      moment = try Moment(freezer, options, nil, canBeCopied: moment.copy != nil)
      moment.frozen += before
    }
    defer { moment.copy?.remove() }
    let state = moment.state
    let spaces = try moment.copy?.spaces() ?? moment.tree.stoppedSpaces(of: state)
    let summary = try write(state, spaces, file, options, isDurable)
    try commit()
    if moment.copy == nil { moment.frozen = ContinuousClock.now - moment.start }
    switch options.afterwards {
    case .running: break
    case .stopped: for process in freezer.processes { try? process.id.send(signal: 19) }
    case .dead: end(freezer.processes)
    }
    return SaveReport(state: state, image: summary, frozen: moment.frozen)
  }

  /// Kills them, and waits until they have ended; who made them may then wait for them.
  private static func end(_ processes: [FrozenProcess]) {
    for process in processes { try? process.id.send(signal: 9) }
    for process in processes {
      // The first thread ends after all others. Where the process is our child, its end is for whoever waits
      // for that.
      let isOurs = process.status.parent == .current
      for thread in process.threads.reversed() where !isOurs || thread.id != process.id {
        while let stop = try? thread.wait(), !stop.isEnd { try? thread.resume() }
      }
    }
  }

  /// A tree that was taken down as it stood still, and that runs on where a copy of it was made.
  private struct Moment {
    let tree: TreeCapture
    let state: CheckpointState
    let copy: FrozenTree?
    let start: ContinuousClock.Instant
    var frozen: Duration

    init(
      _ freezer: ProcessFreezer, _ options: SaveOptions, _ known: Foreknowledge?,
      canBeCopied: Bool = true
    ) throws(CheckpointError) {
      (tree, start) = try Checkpoint.capture(freezer, known)
      var state = tree.state()
      state.noteInheritance()
      self.state = state
      // What runs on need not wait until it is written.
      copy =
        options.afterwards == .running && canBeCopied
        ? FrozenTree.make(of: tree, state, options.folder) : nil
      if copy != nil { freezer.release() }
      frozen = ContinuousClock.now - start
    }
  }

  /// Stops a tree and takes it down. What only waits to be taken by a program is given some moments.
  static func capture(
    _ freezer: ProcessFreezer, _ foreknowledge: Foreknowledge? = nil
  ) throws(CheckpointError) -> (tree: TreeCapture, start: ContinuousClock.Instant) {
    let patience = ContinuousClock.now + .seconds(2)
    while true {
      let start = ContinuousClock.now
      try freezer.freeze()
      do throws(CheckpointError) {
        return (try TreeCapture(freezer.processes, foreknowledge), start)
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
