import BinaryCodec
import LinuxSystem

/// Which arrays were used here, and where their members were: a cache of paths in
/// `$XDG_STATE_HOME/ftool` (for root `/var/lib/ftool`). Losing it loses nothing, since members describe
/// themselves; what it says is checked against them.
struct ArrayRegistry {
  struct Entry: Equatable {
    var arrayID: Identifier
    var name: String
    var paths: [String]

    /// By its name, with or without the host.
    func matches(_ wanted: String) -> Bool {
      name == wanted || name.split(separator: ":", maxSplits: 1).last.map(String.init) == wanted
    }
  }

  private let path: String?
  /// As many paths from before as there are ever members: those that are gone for ever have to go some time.
  private static let pathLimit = 512

  init(_ context: CommandContext) {
    if let state = context.environment("XDG_STATE_HOME"), state.hasPrefix("/") {
      path = "\(state)/ftool/arrays"
    } else if Machine.userID == 0 {
      path = "/var/lib/ftool/arrays"
    } else if let home = context.environment("HOME"), home.hasPrefix("/") {
      path = "\(home)/.local/state/ftool/arrays"
    } else {
      path = nil
    }
  }

  /// What is known: a line an array, its UUID, name and members' paths, with tabs between.
  var entries: [Entry] {
    guard let path, let bytes = try? Files.contents(of: path, limit: 1 << 20) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count >= 3, let id = Identifier(fields[0]) else { return nil }
      return Entry(arrayID: id, name: fields[1], paths: Array(fields[2...]))
    }
  }

  /// Remembers where an array's members are. A registry that can't be written is done without.
  ///
  /// - Parameters:
  ///   - paths: where they are now.
  ///   - keeps: whether a path that is known from before, and is not among them, stays known.
  func remember(
    _ arrayID: Identifier, name: String, paths: [String], keeps: (String) -> Bool
  ) {
    guard let path else { return }
    let absolute = paths.compactMap { try? Files.realPath($0) }.filter {
      !$0.contains("\t") && !$0.contains("\n")
    }
    guard !absolute.isEmpty else { return }
    var entries = self.entries
    let before = entries.first { $0.arrayID == arrayID }
    let kept = (before?.paths ?? []).filter { absolute.contains($0) || keeps($0) }
      .suffix(Self.pathLimit)
    let entry = Entry(
      arrayID: arrayID, name: name, paths: kept + absolute.filter { !kept.contains($0) })
    if entry == before { return }
    for index in entries.indices { entries[index].paths.removeAll(where: absolute.contains) }
    entries.removeAll { $0.arrayID == arrayID || $0.paths.isEmpty }
    entries.append(entry)
    let text = entries.suffix(1000).map { entry in
      ([entry.arrayID.description, entry.name] + entry.paths).joined(separator: "\t") + "\n"
    }.joined()
    try? Files.makeDirectory(Files.directory(of: path), withParents: true)
    let bytes = Array(text.utf8)
    try? Files.atomicReplace(path) { (file) throws(SystemCallError) in
      try file.writeStream(bytes.rawBytes, range: 0..<bytes.count)
    }
  }
}
