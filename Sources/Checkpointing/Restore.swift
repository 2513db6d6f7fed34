import BinaryCodec
import CheckpointFormat
import LinuxSystem
import Synchronization

/// What was found in an image that is whole.
package struct CheckpointContents: Sendable {
  /// Processes in it, zombies among them.
  package let processCount: Int
  /// As it is in the image: what was all zero or the same elsewhere is not counted.
  package let memoryByteCount: Int
}

/// A tree that could be brought back, as far as can be seen.
package struct RestoreForecast: Sendable {
  /// As it was read from the image.
  package let state: CheckpointState
  /// What would not be quite as it was.
  package let warnings: [Obstacle]
  /// Files that would come back from their copies, by the paths that they had; what is in the place of those that are
  /// replaced would be kept.
  package let putBack: [(path: String, isReplaced: Bool)]
}

/// A tree that runs again.
package struct RestoredTree {
  /// The process at the root, by the number that it has for us: a child of this process or, in a namespace
  /// of its own, of the namespace's reaper.
  package let root: ProcessID
  /// As it was read from the image.
  package let state: CheckpointState
  /// What is not quite as it was.
  package let warnings: [Obstacle]
  /// The processes that were left stopped and had not been stopped when the tree was saved, children first.
  package let stopped: [ProcessID]
  /// The tree has a pid namespace of its own, in which its processes have the numbers that they had.
  package let isInNamespace: Bool
  /// How the root ends is told here, for a tree in a namespace that is not detached.
  package let reports: ReaperReports?
}

extension Checkpoint {
  /// What of a tree is known before any of it is made.
  package static func state(of reader: ImageReader) throws(CheckpointError) -> CheckpointState {
    let bytes = try imaging { () throws(ImageError) in try reader.state() }
    do throws(FieldError) {
      return try CheckpointState(decoding: bytes[...])
    } catch {
      throw .malformed(error)
    }
  }

  /// Reads and checks all of an image: every checksum, and that the state can be understood.
  package static func verify(
    _ reader: ImageReader, _ watch: JobWatch, workers: Int = Machine.cores
  ) throws -> CheckpointContents {
    let state = try state(of: reader)
    let total = try? reader.index().totals.memoryByteCount
    let done = Atomic(0)
    try reader.forEachFrame(workers: workers) { frame in
      guard frame.kind == .block else { return }
      let sum = done.add(frame.bytes.byteCount, ordering: .relaxed).newValue
      try watch.step(done: sum, total: total)
    }
    return CheckpointContents(
      processCount: state.processes.count, memoryByteCount: done.load(ordering: .relaxed))
  }

  /// Brings a tree back from an image that may come from a pipe. It is made as the image is read, stands
  /// still until the last checksum agrees, and then runs; if anything goes wrong none of it is left.
  ///
  /// - Parameter ready: called when all is complete and nothing runs yet; what it throws ends the restore.
  package static func restore(
    _ reader: ImageReader, _ options: RestoreOptions, workers: Int = Machine.cores,
    ready: (ProcessID) throws -> Void = { _ in }
  ) throws -> RestoredTree {
    let state = try state(of: reader)
    let restorer = try TreeRestorer(state, options)
    do {
      try fill(restorer, from: reader, options.watch, workers)
      try restorer.complete()
      try ready(restorer.root)
      try restorer.release()
    } catch {
      restorer.abandon()
      throw error
    }
    return RestoredTree(
      root: restorer.root, state: state, warnings: restorer.warnings,
      stopped: restorer.stopped,
      isInNamespace: restorer.isInNamespace, reports: restorer.reports)
  }

  /// Throws what `restore` would refuse before it makes anything. Nothing is made, and of the image nothing but
  /// the state is read.
  package static func examine(
    _ reader: ImageReader, _ options: RestoreOptions
  ) throws(CheckpointError) -> RestoreForecast {
    let state = try state(of: reader)
    return try TreeRestorer.examine(state, options)
  }

  private static func fill(
    _ restorer: TreeRestorer, from reader: ImageReader, _ watch: JobWatch, _ workers: Int
  ) throws {
    let pageByteCount = reader.header.pageByteCount
    // Where the image is a file its index tells; a pipe tells only at its end.
    let total = try? reader.index().totals.memoryByteCount
    let done = Atomic(0)
    let memory = try restorer.memory()
    try reader.forEachFrame(workers: workers) { space in
      try restorer.begin(space: Int(space))
    } references: { frame in
      try restorer.take(frame, pageByteCount: pageByteCount)
    } _: { frame in
      guard frame.kind == .block else { return }
      try memory.take(frame, pageByteCount: pageByteCount)
      let sum = done.add(frame.bytes.byteCount, ordering: .relaxed).newValue
      try watch.step(done: sum, total: total)
    }
  }
}

extension TreeMemory {
  /// Puts the pages of a block where they belong.
  fileprivate func take(
    _ frame: borrowing ImageFrame, pageByteCount: Int
  ) throws(CheckpointError) {
    var areas: [Range<UInt64>] = []
    areas.reserveCapacity(frame.runs.count)
    for index in 0..<frame.runs.count {
      let run = frame.runs[index]
      areas.append(run.address..<run.address + UInt64(run.pageCount * pageByteCount))
    }
    try fill(space: Int(frame.space), frame.bytes, areas: areas)
  }
}

extension TreeRestorer {
  /// Puts pages in their places that are elsewhere already, and takes away those that shall not be there.
  fileprivate func take(
    _ frame: borrowing ImageFrame, pageByteCount: Int
  ) throws(CheckpointError) {
    var buffer = AlignedBuffer(byteCount: Self.copiedByteCount)
    for index in 0..<frame.references.count {
      let reference = frame.references[index]
      let space = Int(reference.place.space)
      try begin(space: space)
      // That neither runs over the end of all addresses was checked with the frame.
      let start = reference.place.address
      let end = start + UInt64(reference.pageCount * pageByteCount)
      guard let source = reference.source else {
        try drop(start..<end, inSpace: space)
        continue
      }
      var next = start
      while next < end {
        let part = next..<min(end, next + UInt64(Self.copiedByteCount))
        var bytes = buffer.mutableBytes(in: 0..<part.count)
        try memory().read(
          space: Int(source.space), at: source.address + (next - start), into: &bytes)
        try memory().fill(space: space, buffer.bytes.sub(0..<part.count), areas: [part])
        next = part.upperBound
      }
    }
  }

  private static let copiedByteCount = 256 << 10
}
