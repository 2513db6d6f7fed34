import BinaryCodec
import LinuxSystem
import SystemPackage

/// Whether the files that a checkpoint needs are there, and as they were: looked at before anything is made.
struct FileCheck {
  /// What becomes of a file of which the checkpoint has a copy.
  enum Fate: Sendable {
    /// It is as it was, or as good.
    case stays
    /// It is gone, and comes back.
    case returns
    /// It has changed, and goes for the copy.
    case replaced
    /// Nothing of the tree has it any more.
    case unused
  }

  private var fates: [String: Fate] = [:]
  /// What is not as it was, and was accepted.
  private(set) var warnings: [Obstacle] = []
  private var problems: [Obstacle] = []
  private var denials: [Obstacle] = []
  private var areAllGone = true
  private let accepts: Bool

  /// What a process has to do with a file.
  private struct Use {
    var process: Int32
    var place: String
    /// As it was then, and now.
    var path: String
    var presentPath: String
    var fingerprint: FileFingerprint?
    var isFolder = false
    var needs: Files.Access = []
    /// The checkpoint has a copy.
    var hasCopy = false
    /// It is standard output or error.
    var isStandardOutput = false
    /// Of a file that is appended to: what ended there.
    var tail: (byteCount: UInt32, checksum: UInt32)?
  }

  /// Throws `changedFiles` with all that is wrong, or `forbidden` with all that this process may not open or make.
  init(_ restoration: Restoration) throws(CheckpointError) {
    accepts = restoration.options.acceptsChangedFiles
    let uses = try Self.uses(restoration)
    let used = Set(uses.map(\.path))
    for object in restoration.state.objects
    where object.kind == .copiedFile && !used.contains(object.name) {
      fates[object.name] = .unused
    }
    for use in uses { try look(at: use) }
    if !problems.isEmpty { throw .changedFiles(problems, areGone: areAllGone) }
    for object in restoration.state.objects where isMadeInItsFolder(object) {
      require([.writing, .entering], toFolderOf: object.name, restoration)
    }
    for description in restoration.state.descriptions {
      if description.kind == UnixSocket.name,
        let path = try UnixSocket.filePath(of: description, restoration)
      {
        require([.writing, .entering], toFolderOf: path, restoration)
      }
      for (path, needs) in try Self.specialFiles(of: description, restoration) {
        let place = restoration.place(of: path)
        requireAccess(
          Use(process: 0, place: place, path: path, presentPath: place, needs: needs))
      }
    }
    if !denials.isEmpty { throw .forbidden(denials) }
  }

  /// The files that come back from their copies, by the paths that they had.
  var putBack: [(path: String, isReplaced: Bool)] {
    fates.filter { $0.value == .returns || $0.value == .replaced }
      .map { ($0.key, $0.value == .replaced) }.sorted { $0.path < $1.path }
  }

  /// What becomes of the file that had this path.
  func fate(of path: String) -> Fate { fates[path] ?? .stays }

  // MARK: What is needed

  private static func uses(_ restoration: Restoration) throws(CheckpointError) -> [Use] {
    let state = restoration.state
    var uses = try descriptions(restoration)
    var copies: Set<String> = []
    for use in uses where use.hasCopy { copies.insert(use.path) }
    var seen: Set<String> = []
    let written = Set(state.processes.flatMap(\.areas).filter(\.needsWriting).map(\.name))
    for process in state.processes where process.life != .zombie {
      for area in process.areas where area.content == .file && seen.insert(area.name).inserted {
        var use = Use(
          process: process.id, place: "memory (\(area.name))", path: area.name,
          presentPath: restoration.place(of: area.name), fingerprint: area.file)
        use.needs = written.contains(area.name) ? [.reading, .writing] : .reading
        use.hasCopy = copies.contains(area.name)
        uses.append(use)
      }
      for (place, path) in [
        ("its working directory", process.workingDirectory), ("its root", process.root),
      ] where seen.insert(path).inserted {
        uses.append(
          Use(
            process: process.id, place: "\(place) (\(path))", path: path,
            presentPath: restoration.place(of: path), isFolder: true, needs: .entering))
      }
    }
    // Memory of the processes that has a name comes back as it was.
    let made = Set(state.objects.filter { $0.kind == .namedFile }.map(\.name))
    return uses.filter { !made.contains($0.path) }
  }

  private static func descriptions(_ restoration: Restoration) throws(CheckpointError) -> [Use] {
    let state = restoration.state
    var uses: [Use] = []
    var details: [(RegularFile.Detail, flags: UInt32)] = []
    for (index, description) in state.descriptions.enumerated()
    where description.kind == RegularFile.name {
      let detail = try restoration.decode(RegularFile.Detail.self, description.detail)
      details.append((detail, description.flags))
      let holder = state.processes.first { process in
        process.descriptors.contains { $0.description == index }
      }
      let number = holder?.descriptors.first { $0.description == index }?.number ?? -1
      var use = Use(
        process: holder?.id ?? 0, place: "descriptor \(number) (\(detail.path))",
        path: detail.path, presentPath: restoration.place(of: detail.path),
        fingerprint: detail.fingerprint, isFolder: detail.isDirectory)
      use.isStandardOutput = number == 1 || number == 2
      use.needs = OpenFlags.access(of: description.flags)
      if detail.object > 0 {
        let object = try restoration.objectState(Int(detail.object) - 1)
        guard object.hasName, object.name == detail.path else {
          throw .inconsistent(.unknownObject)
        }
        use.hasCopy = object.kind == .copiedFile
      }
      uses.append(use)
    }
    let tails = tails(of: details)
    for index in uses.indices { uses[index].tail = tails[uses[index].path] }
    return uses
  }

  /// What is opened without being compared, and how.
  private static func specialFiles(
    of state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> [(path: String, needs: Files.Access)] {
    let asOpened = OpenFlags.access(of: state.flags)
    switch state.kind {
    case PipeEnd.name:
      let detail = try restoration.decode(PipeEnd.Detail.self, state.detail)
      // Both ends are ours for a moment.
      return detail.path.isEmpty
        ? [] : [(detail.path, detail.isQuiet ? .reading : [.reading, .writing])]
    case DeviceFile.name:
      return [(try restoration.decode(DeviceFile.Detail.self, state.detail).path, asOpened)]
    case PathOnly.name:
      return [(try restoration.decode(PathOnly.Detail.self, state.detail).path, [])]
    case KernelFile.name:
      let detail = try restoration.decode(KernelFile.Detail.self, state.detail)
      return detail.process == 0 ? [(detail.path, asOpened)] : []
    case FileWatch.name:
      let detail = try restoration.decode(FileWatch.Detail.self, state.detail)
      return detail.watches.map { ($0.path, .reading) }
    default: return []
    }
  }

  /// The ends of files to which the tree only appends.
  private static func tails(
    of details: [(RegularFile.Detail, flags: UInt32)]
  ) -> [String: (byteCount: UInt32, checksum: UInt32)] {
    var tails: [String: (byteCount: UInt32, checksum: UInt32)] = [:]
    for (detail, flags) in details where flags & OpenFlags.append != 0 {
      if flags & OpenFlags.accessMode == OpenFlags.readOnly { continue }
      let isWhole =
        UInt64(detail.tailByteCount)
        == min(UInt64(FileTail.byteLimit), detail.fingerprint?.byteCount ?? .max)
      if isWhole { tails[detail.path] = (detail.tailByteCount, detail.tailChecksum) }
    }
    for (detail, flags) in details
    where flags & OpenFlags.append == 0
      && flags & OpenFlags.accessMode != OpenFlags.readOnly && flags & OpenFlags.pathOnly == 0
    {
      tails[detail.path] = nil
    }
    return tails
  }

  // MARK: What is there

  private mutating func look(at use: Use) throws(CheckpointError) {
    let present: FileDetails
    do throws(SystemCallError) {
      present = try OwnedDescriptor.open(use.presentPath, flags: OpenFlags.pathOnly).details()
    } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
      return missing(use)
    } catch {
      guard error.errno == .permissionDenied else {
        throw .system(error, process: ProcessID(use.process))
      }
      return deny(use.process, use.place, "it can't be reached: \(error.errno)")
    }
    defer { if fates[use.path] == nil { requireAccess(use) } }
    if use.isFolder {
      if present.kind != .directory { problem(use, "it is no folder any more") }
      return
    }
    guard let saved = use.fingerprint, let difference = saved.difference(from: present) else {
      return
    }
    if hasOnlyGrown(use, saved, present), !(use.hasCopy && accepts) {
      return note(
        use, "it has grown by \(present.byteCount - saved.byteCount) bytes since, and stays so")
    }
    if accepts && use.hasCopy {
      if present.kind != .regular { return problem(use, "it is no regular file any more") }
      fates[use.path] = .replaced
    } else if accepts {
      note(use, "\(difference); this was accepted")
    } else if use.hasCopy {
      problem(
        use, difference,
        remedy:
          "pass --force: then what was saved is put back, and what is there now is kept beside it"
          + (use.isStandardOutput ? "; or lead it elsewhere with --stdio" : ""))
    } else {
      problem(use, difference, remedy: Self.remedy(use))
    }
  }

  private static func remedy(_ use: Use) -> String {
    "put the old file back, or pass --force if you know that the present one is as good"
      + (use.isStandardOutput ? ", or lead it elsewhere with --stdio" : "")
      + (use.isStandardOutput && use.tail == nil
        ? "; a log that the program only appends to (>>) may have grown" : "")
      + "; 'save --files copy' keeps open files with the image"
  }

  private mutating func missing(_ use: Use) {
    let folder = Files.directory(of: use.presentPath)
    if use.hasCopy && Files.exists(folder) {
      fates[use.path] = .returns
      return
    }
    let place = use.presentPath == use.path ? "" : " from \(use.presentPath)"
    problems.append(
      Obstacle(
        ProcessID(use.process), use.place,
        use.hasCopy ? "its folder is gone\(place)" : "it is gone\(place)",
        remedy: use.hasCopy
          ? "make the folder, or lead it elsewhere with --map"
          : "put it back, or lead its path elsewhere with --map"
            + (use.isStandardOutput ? ", or that output with --stdio" : "")))
  }

  /// What is made in its folder, and not in memory.
  private func isMadeInItsFolder(_ object: ObjectState) -> Bool {
    switch object.kind {
    case .deletedFile, .namelessFile, .namedFile: true
    case .copiedFile: [.returns, .replaced].contains(fate(of: object.name))
    case .anonymous, .memoryFile, .systemV: false
    }
  }

  private mutating func requireAccess(_ use: Use) {
    if use.needs.isEmpty { return }
    do throws(SystemCallError) {
      try Files.require(use.needs, to: use.presentPath)
    } catch {
      if error.errno == .noSuchFileOrDirectory { return }
      let wish =
        switch use.needs {
        case .reading: "opened for reading"
        case .writing: "opened for writing"
        case .entering: "entered"
        default: "opened for reading and writing"
        }
      deny(use.process, use.place, "it may not be \(wish): \(error.errno)")
    }
  }

  private mutating func require(
    _ access: Files.Access, toFolderOf path: String, _ restoration: Restoration
  ) {
    let place = restoration.place(of: path)
    do throws(SystemCallError) {
      try Files.require(access, to: Files.directory(of: place))
    } catch {
      // What is gone is told when it is made.
      if error.errno == .noSuchFileOrDirectory { return }
      deny(0, place, "it may not be made in its folder: \(error.errno)")
    }
  }

  private mutating func deny(_ process: Int32, _ place: String, _ reason: String) {
    let denial = Obstacle(
      ProcessID(process), place, reason,
      remedy: "restore it as root or as one who may, or lead its path elsewhere with --map")
    if !denials.contains(denial) { denials.append(denial) }
  }

  private func hasOnlyGrown(_ use: Use, _ saved: FileFingerprint, _ present: FileDetails) -> Bool {
    guard let tail = use.tail, present.kind == .regular, present.byteCount > saved.byteCount,
      let file = try? OwnedDescriptor.open(use.presentPath, flags: OpenFlags.readOnly),
      let found = try? FileTail(of: file, end: saved.byteCount)
    else { return false }
    return found.byteCount == tail.byteCount && found.checksum == tail.checksum
  }

  private mutating func note(_ use: Use, _ reason: String) {
    let warning = Obstacle(ProcessID(use.process), use.place, reason)
    if !warnings.contains(warning) { warnings.append(warning) }
  }

  private mutating func problem(_ use: Use, _ reason: String, remedy: String = "") {
    areAllGone = false
    problems.append(Obstacle(ProcessID(use.process), use.place, reason, remedy: remedy))
  }
}

extension FileFingerprint {
  /// In what a file that was found differs from this one; nil if in nothing that counts.
  func difference(from present: FileDetails) -> String? {
    guard present.kind == .regular else { return "it is no regular file any more" }
    let other =
      device == 0 || (present.device, present.inode) == (device, inode)
      ? "" : ", and another file is in its place"
    if present.byteCount != byteCount {
      return "it has \(present.byteCount) bytes and had \(byteCount)\(other)"
    }
    if present.modified != (seconds, nanoseconds) {
      let isLater = present.modified > (seconds, nanoseconds)
      return "it was modified at another time, which is \(isLater ? "later" : "earlier")\(other)"
    }
    return nil
  }
}
