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

  /// What is kept of open files that have a name.
  package enum OpenFiles: Sendable {
    /// Where they are, and how they look.
    case reference
    /// Their content too.
    case copy
  }

  /// What becomes of connections to elsewhere.
  package enum TCPConnections: Sendable {
    /// They are obstacles.
    case refuse
    /// They come back as connections whose other end is gone.
    case close
  }

  /// What becomes of the tree when it is saved.
  package var afterwards = Afterwards.running
  /// Whether all processes that it made are saved with it.
  package var withDescendants = true
  /// What is kept of open files.
  package var files = OpenFiles.reference
  /// What becomes of established connections.
  package var connections = TCPConnections.refuse
  /// How memory is compressed.
  package var codec = CodecSetting.standard
  /// How many threads compress.
  package var workers = Machine.cores
  /// How long it may take until all of the tree stands still; then it runs on, unsaved.
  package var freezeLimit = Duration.seconds(10)
  /// How long a tree that is to run on may stand still in all; nil for as long as it takes.
  package var standstillLimit: Duration?
  /// Where a file may be made for memory that can't be read while the tree runs on.
  package var folder = Machine.environment("TMPDIR") ?? "/var/tmp"
  /// Told of the progress, and asked whether to go on.
  package var watch = JobWatch()

  /// The tree runs on, and all of it is saved with the standard codec on all cores.
  package init() {}
}

/// What a save did.
package struct SaveReport: Sendable {
  /// As it is in the image.
  package var state: CheckpointState
  /// How much is in it.
  package var image: ImageSummary
  /// How long the tree stood still.
  package var frozen: Duration
  /// The processes that are left stopped and were not before, children first.
  package var stopped: [ProcessID]
}

/// Saving.
package enum Checkpoint {
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
    // Looked up before it counts.
    _ = (ProcessorFeatures.here, Machine.kernelRelease)
    if let known, !known.isEmpty { Rehearsal.play(options) }
    let file = OwnedDescriptor?.some(descriptor)
    var moment = try Moment(freezer, options, known)
    var frozen = moment.duration
    if let known, !known.isEmpty, moment.copy?.confirms(known) != true {
      // Once more, with everything read while it stands still.
      moment.copy?.remove()
      freezer.release()
      moment = try Moment(freezer, options, nil, canBeCopied: moment.copy != nil)
      frozen += moment.duration
    }
    defer { moment.copy?.remove() }
    let outside = OutsideHolders(moment.tree).obstacles(
      besides: moment.copy?.processes ?? [], until: moment.ticks)
    if !outside.isEmpty { throw CheckpointError.obstacles(outside) }
    let spaces = try moment.copy?.spaces() ?? moment.tree.stoppedSpaces(of: moment.state)
    let summary = try write(moment, spaces, file, options, isDurable)
    try commit()
    if moment.copy == nil { frozen = moment.standstill.duration }
    var stopped: [ProcessID] = []
    switch options.afterwards {
    case .running: break
    case .stopped: stopped = freezer.releaseStopped()
    case .dead: end(freezer)
    }
    return SaveReport(state: moment.state, image: summary, frozen: frozen, stopped: stopped)
  }

  /// Kills them as they stand, and waits until their numbers are free, or need but to be waited for. Who made them
  /// is told of their ends and of nothing else.
  private static func end(_ freezer: ProcessFreezer) {
    for process in freezer.processes { try? process.id.send(signal: 9) }
    let patience = ContinuousClock.now + .seconds(10)
    for process in freezer.processes {
      // The first thread ends after all others; where the process is our child, its end is for whoever waits
      // for that.
      let isOurs = process.status.parent == .current
      for thread in process.threads.reversed() where !isOurs || thread.id != process.id {
        takeEnd(of: thread, until: patience)
      }
      while ContinuousClock.now < patience, let status = try? ProcessStatus(of: process.id),
        status.state != "Z" && status.state != "X"
      {
        Machine.sleep(seconds: 0.001)
      }
    }
  }

  /// As the tracer, who is told first: until then nobody else is.
  private static func takeEnd(of thread: TracedThread, until patience: ContinuousClock.Instant) {
    while thread.isAttached, ContinuousClock.now < patience {
      do throws(SystemCallError) {
        guard let stop = try thread.wait(blocking: false) else {
          Machine.sleep(seconds: 0.0005)
          continue
        }
        if !stop.isEnd { try thread.resume() }
      } catch {
        return  // it has ended already
      }
    }
  }

  /// A tree that was taken down as it stood still, and that runs on where a copy of it was made.
  private struct Moment {
    let tree: TreeCapture
    let state: CheckpointState
    let copy: FrozenTree?
    let standstill: Standstill
    /// How long it stood still for that.
    let duration: Duration
    /// When it did: what was made afterwards is no part of it.
    let ticks: UInt64

    init(
      _ freezer: ProcessFreezer, _ options: SaveOptions, _ known: Foreknowledge?,
      canBeCopied: Bool = true
    ) throws(CheckpointError) {
      (tree, standstill) = try Checkpoint.capture(freezer, options, known)
      var state = tree.state()
      state.noteInheritance()
      self.state = state
      // What runs on need not wait until it is written.
      copy =
        options.afterwards == .running && canBeCopied
        ? FrozenTree.make(of: tree, state, options.folder) : nil
      freezer.unpin()
      ticks = Machine.ticks
      do throws(CheckpointError) {
        try standstill.check()
      } catch {
        copy?.remove()
        throw error
      }
      if copy != nil {
        freezer.release()
        standstill.end()
      }
      duration = standstill.duration
    }
  }

  /// Stops a tree and takes it down. What only waits to be taken by a program is given some moments.
  static func capture(
    _ freezer: ProcessFreezer, _ options: SaveOptions = SaveOptions(),
    _ foreknowledge: Foreknowledge? = nil
  ) throws(CheckpointError) -> (tree: TreeCapture, standstill: Standstill) {
    let patience = ContinuousClock.now + .seconds(2)
    while true {
      let limit = options.afterwards == .running ? options.standstillLimit : nil
      let standstill = Standstill(of: freezer.root, limit: limit, options.watch)
      do throws(CheckpointError) {
        try freezer.freeze()
        return (
          try TreeCapture(freezer.processes, options, standstill, foreknowledge), standstill
        )
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
    _ moment: Moment, _ spaces: [MemorySpace], _ file: consuming OwnedDescriptor?,
    _ options: SaveOptions, _ isDurable: Bool
  ) throws(CheckpointError) -> ImageSummary {
    let standstill = moment.standstill
    var file = file
    let descriptor = file.take()!
    try standstill.step(done: 0, total: nil)
    let writer = try writer(descriptor, options.codec, options.workers)
    return try standstill.guarding(writer) { () throws(CheckpointError) in
      try write(moment, spaces, writer, isDurable)
    }
  }

  private static func write(
    _ moment: Moment, _ spaces: [MemorySpace], _ writer: ImageWriter, _ isDurable: Bool
  ) throws(CheckpointError) -> ImageSummary {
    let standstill = moment.standstill
    try imaging { () throws(ImageError) in try writer.writeState(moment.state.encoded()) }
    var total = spaces.reduce(0) { $0 + $1.byteCount }
    let store = PageStore(writer, expectedByteCount: total)
    var done = 0
    for space in spaces {
      try space.plan.forEachPiece { (piece) throws(CheckpointError) in
        try store.store(piece, of: space)
        done += piece.byteCount
        total = max(done, total)
        try standstill.step(done: done, total: total)
      }
      try store.finish(space)
    }
    moment.copy?.letGo()
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
