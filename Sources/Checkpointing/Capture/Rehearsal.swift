import LinuxSystem

/// What is done to a tree while it stands still, done once before to a process of our own: the first time that code
/// runs, its pages and types have to be brought in, which takes longer than what the code does.
enum Rehearsal {
  /// Whatever fails here will fail again where it counts.
  static func play(_ options: SaveOptions) {
    guard let stub = try? StubProcess.makeCompanion() else { return }
    let freezer = ProcessFreezer(root: stub, withDescendants: true, limit: .seconds(1))
    defer {
      try? stub.send(signal: 9)
      freezer.release()
      try? stub.waitForEnd()
    }
    guard (try? freezer.freeze()) != nil,
      let tree = try? TreeCapture(freezer.processes, options)
    else { return }
    var state = tree.state()
    state.noteInheritance()
    (try? FrozenTree(of: tree, state, holdingIn: options.folder))?.remove()
  }
}
