import BinaryCodec
import LinuxSystem
import Testing

@testable import Checkpointing

/// Saves, kills and restores a process through nothing but memory: what the engine does, without an image.
struct RoundTrip {
  struct Piece: Sendable {
    /// A process, or behind all of them an object.
    var space: Int
    var areas: [Range<UInt64>]
    var bytes: [UInt8]
  }

  var state: CheckpointState
  /// The mappings of each process, as the kernel showed them.
  var areas: [[MemoryArea]]
  var pieces: [Piece] = []

  /// Stops a tree, takes it down and lets it run on.
  ///
  /// - Parameter isCopied: its memory is read from a frozen copy, while it runs on.
  init(saving root: ProcessID, isCopied: Bool = false) throws {
    let freezer = ProcessFreezer(root: root, withDescendants: true, limit: .seconds(10))
    defer { freezer.release() }
    let tree = try Checkpoint.capture(freezer).tree
    state = tree.state()
    areas = tree.captures.map(\.areas)
    let copy = isCopied ? try FrozenTree(of: tree, state, holdingIn: "/tmp") : nil
    defer { copy?.remove() }
    if copy != nil {
      freezer.release()
      Machine.sleep(seconds: 0.03)
    }
    for space in try copy?.spaces() ?? tree.stoppedSpaces(of: state) {
      try space.forEachPiece { (piece) throws(CheckpointError) in
        var bytes = [UInt8](repeating: 0, count: piece.byteCount)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try space.source.read(into: &raw, piece.areas)
        pieces.append(Piece(space: Int(space.number), areas: piece.areas, bytes: bytes))
      }
    }
  }

  /// Makes the tree again; this process is its parent.
  func restore(_ options: RestoreOptions = RestoreOptions()) throws {
    let decoded = try CheckpointState(decoding: state.encoded()[...])
    #expect(decoded == state)
    // Programs that ran on have written to their files.
    var options = options
    options.acceptsChangedFiles = true
    let restorer = try TreeRestorer(decoded, options)
    do {
      let memory = try restorer.memory()
      let pieces = pieces
      let failure = Monitor<(any Error)?>(nil)
      runInParallel(workers: 2) { worker in
        do {
          for piece in stride(from: worker, to: pieces.count, by: 2).lazy.map({ pieces[$0] }) {
            try memory.fill(space: piece.space, piece.bytes.span.bytes, areas: piece.areas)
          }
        } catch {
          failure.withLock { $0 = error }
        }
      }
      if let failure = failure.withLock({ $0 }) { throw failure }
      try restorer.complete()
      try restorer.release()
    } catch {
      restorer.abandon()
      throw error
    }
  }
}
