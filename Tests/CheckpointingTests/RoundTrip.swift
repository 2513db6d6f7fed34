import BinaryCodec
import LinuxSystem
import Testing

@testable import Checkpointing

/// Saves, kills and restores a process through nothing but memory: what the engine does, without an image.
struct RoundTrip {
  struct Piece {
    var process: Int
    var areas: [Range<UInt64>]
    var bytes: [UInt8]
  }

  struct Content {
    var object: Int
    var offset: UInt64
    var bytes: [UInt8]
  }

  var state: CheckpointState
  var pieces: [Piece] = []
  var contents: [Content] = []

  /// Stops a tree, takes it down and lets it run on.
  init(saving root: ProcessID) throws {
    let freezer = ProcessFreezer(root: root, withDescendants: true, limit: .seconds(10))
    defer { freezer.release() }
    let tree = try Checkpoint.capture(freezer).tree
    state = tree.state()
    for (index, process) in state.processes.enumerated() where process.life != .zombie {
      let id = ProcessID(process.id)
      let source = try StoppedMemory(of: id)
      for piece in try PagePlan(of: id, process.areas).pieces {
        var bytes = [UInt8](repeating: 0, count: piece.reduce(0) { $0 + $1.count })
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try source.read(into: &raw, piece)
        pieces.append(Piece(process: index, areas: piece, bytes: bytes))
      }
    }
    for (index, object) in state.objects.enumerated() {
      var content = try ObjectContent(source: tree.objects.sources[index], object)
      var bytes = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        guard let (offset, count) = try content.read(into: &raw) else { break }
        contents.append(Content(object: index, offset: offset, bytes: Array(bytes.prefix(count))))
      }
    }
  }

  /// Makes the tree again; this process is its parent.
  func restore(_ options: RestoreOptions = RestoreOptions()) throws {
    let decoded = try CheckpointState(decoding: state.encoded()[...])
    #expect(decoded == state)
    let restorer = try TreeRestorer(decoded, options)
    do {
      let memory = try restorer.memory()
      for piece in pieces {
        try memory.fill(space: piece.process, piece.bytes.span.bytes, areas: piece.areas)
      }
      for content in contents {
        try memory.fill(
          object: content.object, content: content.bytes.span.bytes, at: content.offset)
      }
      try restorer.complete()
      try restorer.release()
    } catch {
      restorer.abandon()
      throw error
    }
  }
}
