import BinaryCodec
import CheckpointFormat
import LinuxSystem

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

  /// Brings a tree back from an image that may come from a pipe. It is made as the image is read, stands
  /// still until the last checksum agrees, and then runs; if anything goes wrong none of it is left.
  ///
  /// - Returns: the process at the root, a child of this one, and what is not quite as it was.
  package static func restore(
    _ reader: ImageReader, _ options: RestoreOptions, workers: Int = Machine.cores
  ) throws -> (root: ProcessID, state: CheckpointState, warnings: [Obstacle]) {
    let state = try state(of: reader)
    let restorer = try TreeRestorer(state, options)
    do {
      let memory = try restorer.memory()
      let pageByteCount = reader.header.pageByteCount
      try reader.forEachFrame(workers: workers) { frame in
        try memory.take(frame, pageByteCount: pageByteCount)
      }
      try restorer.complete()
      try restorer.release()
    } catch {
      restorer.abandon()
      throw error
    }
    return (restorer.root, state, restorer.warnings)
  }
}

extension TreeMemory {
  /// Puts the pages of a frame where they belong.
  fileprivate func take(
    _ frame: borrowing ImageFrame, pageByteCount: Int
  ) throws(CheckpointError) {
    switch frame.kind {
    case .block:
      var areas: [Range<UInt64>] = []
      areas.reserveCapacity(frame.runs.count)
      for index in 0..<frame.runs.count {
        let run = frame.runs[index]
        areas.append(run.address..<run.address + UInt64(run.pageCount * pageByteCount))
      }
      try fill(space: Int(frame.space), frame.bytes, areas: areas)
    case .references:
      var buffer = AlignedBuffer(byteCount: pageByteCount)
      for index in 0..<frame.references.count {
        let reference = frame.references[index]
        for page in 0..<reference.pageCount {
          let step = UInt64(page * pageByteCount)
          var bytes = buffer.mutableBytes
          try read(
            space: Int(reference.source.space), at: reference.source.address &+ step, into: &bytes)
          let (place, overflow) = reference.place.address.addingReportingOverflow(step)
          guard !overflow, place < UInt64.max - UInt64(pageByteCount) else {
            throw .inconsistent(.pageOutsideAreas)
          }
          try fill(
            space: Int(reference.place.space), buffer.bytes,
            areas: [place..<place + UInt64(pageByteCount)])
        }
      }
    case .content:
      try fill(object: Int(frame.space), content: frame.bytes, at: frame.offset)
    default: break
    }
  }
}
