import BinaryCodec
import LinuxSystem
import SystemPackage

/// Memory or a file that the checkpoint holds, made again for processes to map and to open.
///
/// Any number of threads may fill it at once.
final class RestoredObject: Sendable {
  let state: ObjectState
  /// What processes inherit; none for a System V segment, which they attach by its number.
  let forReading: Restoration.OpenFile?
  private let forWriting: Restoration.OpenFile?
  /// This process's own way to the content.
  private let content = Monitor(Content())
  /// The file takes its place when it is complete.
  private let replacement: FileReplacement?
  /// A file that is as it was: nothing is made of it, and what the checkpoint has of it is compared with it.
  let isCompared: Bool
  /// A copy of a file that the tree does not have any more: there is nothing but its pages, which may be those of
  /// others, too.
  let isUnused: Bool

  /// Opened when it is needed first: what is open before the tree is made, the tree has open as well.
  private struct Content: Sendable {
    var file: Restoration.OpenFile?
    var mapping: OwnSharedMapping?
  }

  /// The System V segment that this is.
  var segment: ObjectState? { state.kind == .systemV ? state : nil }

  /// - Parameter isWritten: a process maps it, or has it open, so that it may write.
  init(
    _ state: ObjectState, isWritten: Bool, _ restoration: Restoration
  ) throws(CheckpointError) {
    self.state = state
    let path = restoration.place(of: state.name)
    let fate = restoration.fate(of: state.name)
    isCompared = state.kind == .copiedFile && fate == .stays
    isUnused = state.kind == .copiedFile && fate == .unused
    if state.kind == .systemV {
      try Self.makeSegment(state, restoration)
      (forReading, forWriting, replacement) = (nil, nil, nil)
      return
    }
    if isCompared {
      forReading = try restoration.keep(
        try about(nil) { () throws(SystemCallError) in
          try OwnedDescriptor.open(path, flags: OpenFlags.readOnly)
        })
      (forWriting, replacement) = (nil, nil)
      return
    }
    replacement = isUnused ? nil : try Self.replacement(for: state, at: path, restoration)
    let file = try restoration.keep(
      isUnused
        ? try Self.pages(of: state) : try Self.make(state, at: path, replacement, restoration))
    let reading = try about(nil) { () throws(SystemCallError) in
      try file.descriptor.reopen(flags: 0)
    }
    forReading = try restoration.keep(reading)
    // A file that some process has open for writing can't be anybody's program.
    forWriting = isWritten || state.kind == .anonymous || state.kind == .memoryFile ? file : nil
  }

  // MARK: Making

  /// A file that gets a name when it is complete; nil for what gets none, and for one that is shared with others
  /// as it is.
  private static func replacement(
    for state: ObjectState, at path: String, _ restoration: Restoration
  ) throws(CheckpointError) -> FileReplacement? {
    guard state.hasName else { return nil }
    do throws(SystemCallError) {
      if state.kind == .namedFile, Files.exists(path), try isShared(path, restoration) {
        return nil
      }
    } catch {
      throw obstacle(error, path)
    }
    return FileReplacement(
      at: path, keepsPresent: restoration.fate(of: state.name) == .replaced, restoration.journal)
  }

  /// Whether a file in memory is used by others, who shall go on using it.
  private static func isShared(
    _ path: String, _ restoration: Restoration
  ) throws(SystemCallError) -> Bool {
    let file = try OwnedDescriptor.open(path, flags: readWrite)
    let details = try file.details()
    guard details.kind == .regular, details.linkCount == 1, try file.isInMemory() else {
      throw SystemCallError(call: "fstatfs", subject: path, errno: .fileExists)
    }
    if isFree(file) { return false }
    guard restoration.options.acceptsChangedFiles else {
      throw SystemCallError(call: "fcntl(F_SETLEASE)", subject: path, errno: .resourceBusy)
    }
    return true
  }

  private static func make(
    _ state: ObjectState, at path: String, _ replacement: FileReplacement?,
    _ restoration: Restoration
  ) throws(CheckpointError) -> OwnedDescriptor {
    do throws(SystemCallError) {
      switch state.kind {
      case .anonymous: return try anonymous(state, restoration)
      case .memoryFile:
        // A longer one is none that the kernel gave.
        let name = String(pathBytes: state.name.pathBytes.prefix(249))
        return try OwnedDescriptor.memoryFile(name: name, byteCount: Int(state.byteCount))
      case .deletedFile:
        let file = try withoutName(at: path)
        try set(state, on: file)
        return file
      case .namelessFile:
        let folder = FilePath(path).removingLastComponent().string
        let file = try OwnedDescriptor.open(
          folder, flags: readWrite | temporary, permissions: 0o600)
        try set(state, on: file)
        return file
      case .namedFile, .copiedFile:
        guard let replacement else { return try OwnedDescriptor.open(path, flags: readWrite) }
        let file = try replacement.make()
        try set(state, on: file)
        return file
      case .systemV: preconditionFailure("made otherwise")
      }
    } catch {
      throw obstacle(error, path)
    }
  }

  private static func pages(of state: ObjectState) throws(CheckpointError) -> OwnedDescriptor {
    try about(nil) { () throws(SystemCallError) in
      try OwnedDescriptor.memoryFile(name: "unused", byteCount: Int(clamping: state.byteCount))
    }
  }

  private static func obstacle(_ error: SystemCallError, _ path: String) -> CheckpointError {
    let obstacle = Obstacle(ProcessID(0), path, reason(for: error), remedy: remedy(for: error))
    return [.permissionDenied, .notPermitted].contains(error.errno)
      ? .forbidden([obstacle]) : .obstacles([obstacle])
  }

  /// A file that is removed at once, under the name that it had where that is free: /proc still shows it.
  private static func withoutName(at path: String) throws(SystemCallError) -> OwnedDescriptor {
    for attempt in 0..<100 {
      let name = attempt == 0 ? path : "\(path).\(attempt)"
      do throws(SystemCallError) {
        let file = try OwnedDescriptor.open(
          name, flags: readWrite | createExclusively, permissions: 0o600)
        try Files.unlink(name)
        return file
      } catch  where error.errno == .fileExists {
        continue
      }
    }
    throw SystemCallError(call: "open", subject: path, errno: .fileExists)
  }

  private static let readWrite: UInt32 = 2
  /// O_TMPFILE
  private static let temporary: UInt32 = 0o20200000
  /// O_CREAT | O_EXCL | O_NOFOLLOW
  private static let createExclusively: UInt32 = 0o100 | 0o200 | 0o400000

  /// Whether nobody else has the file open. Those who have just ended may still be on their way out of it, and
  /// whoever looks at their memory keeps it for a moment.
  private static func isFree(_ file: borrowing OwnedDescriptor) -> Bool {
    let patience = ContinuousClock.now + .seconds(1)
    while !file.isOnlyOurs() {
      if ContinuousClock.now > patience { return false }
      Machine.sleep(seconds: 0.002)
    }
    return true
  }

  private static func reason(for error: SystemCallError) -> String {
    switch error.errno {
    case .resourceBusy: "it is used by a process that is not of the tree"
    case .fileExists:
      "it was a file in memory or without a name, and now there is something else in its place"
    default: "it could not be made again: \(error)"
    }
  }

  private static func remedy(for error: SystemCallError) -> String {
    switch error.errno {
    case .resourceBusy: "end that process, or pass --force to share what it has there now"
    case .fileExists, .noSuchFileOrDirectory: "lead its folder elsewhere with --map"
    default: ""
    }
  }

  private static func set(
    _ state: ObjectState, on file: borrowing OwnedDescriptor
  ) throws(SystemCallError) {
    try file.truncate(to: Int(state.byteCount))
    let present = try file.details()
    if present.user != state.user || present.group != state.group {
      try file.set(user: state.user, group: state.group)
    }
    try file.set(modified: (state.seconds, state.nanoseconds))
  }

  /// Memory that shows itself as what it was; where that is not allowed, memory with another name.
  private static func anonymous(
    _ state: ObjectState, _ restoration: Restoration
  ) throws(SystemCallError) -> OwnedDescriptor {
    do throws(SystemCallError) {
      return try OwnSharedMapping(byteCount: state.byteCount).descriptor()
    } catch  where error.errno == .notPermitted || error.errno == .permissionDenied {
      restoration.warn(
        0, "anonymous memory that processes share",
        "/proc shows it as a memfd now: anything else wants CAP_CHECKPOINT_RESTORE")
      return try OwnedDescriptor.memoryFile(
        name: "anonymous", byteCount: Int(state.byteCount))
    }
  }

  private static func makeSegment(
    _ state: ObjectState, _ restoration: Restoration
  ) throws(CheckpointError) {
    let place = "System V shared memory \(state.id)"
    do throws(SystemCallError) {
      // One that nobody has attached is what the tree has left.
      if let found = try? SystemVMemory(status: state.id), found.key == state.key,
        found.attachmentCount == 0
      {
        try SystemVMemory.remove(state.id)
      }
      try SystemVMemory.make(
        id: state.id, key: state.isRemoved ? 0 : state.key, byteCount: state.byteCount,
        mode: state.permissions)
      restoration.journal.madeSegment(state.id)
      var segment = try SystemVMemory(status: state.id)
      if segment.user != state.user || segment.group != state.group {
        (segment.user, segment.group) = (state.user, state.group)
        try segment.setOwner()
      }
      if state.isLocked { try SystemVMemory.lock(state.id) }
    } catch {
      if error.errno == .notPermitted || error.errno == .permissionDenied {
        throw .forbidden([
          Obstacle(
            ProcessID(0), place, "its number may not be chosen: \(error)",
            remedy: "restore it as root or with CAP_CHECKPOINT_RESTORE")
        ])
      }
      let isTaken = error.errno == .fileExists || error.errno == .noSpace
      throw .obstacles([
        Obstacle(
          ProcessID(0), place,
          isTaken
            ? "it can't come back, as its number or key is another segment's"
            : "it could not be made again: \(error)",
          remedy: isTaken ? "see ipcs(1), and remove that one with ipcrm(1)" : "")
      ])
    }
  }

  // MARK: Use

  /// The descriptor that a process maps.
  func number(forWriting: Bool) throws(CheckpointError) -> UInt64 {
    guard let file = forWriting ? self.forWriting : forReading else {
      throw .inconsistent(.unknownObject)
    }
    return file.number
  }

  /// A new open file description of it.
  func reopen(flags: UInt32) throws(CheckpointError) -> OwnedDescriptor {
    guard let file = forWriting ?? forReading else { throw .inconsistent(.unknownObject) }
    return try about(nil) { () throws(SystemCallError) in
      try file.descriptor.reopen(flags: flags)
    }
  }

  /// Puts pages where they were: so many bytes at each of these offsets, one after the other.
  func fill(_ pages: RawSpan, _ areas: [Range<UInt64>]) throws(CheckpointError) {
    var done = 0
    for area in areas {
      guard area.upperBound <= state.pages.upperBound, done + area.count <= pages.byteCount else {
        throw .inconsistent(.pageOutsideAreas)
      }
      // What lies behind the end of a file is no part of it.
      let end = min(area.upperBound, max(area.lowerBound, state.byteCount))
      let range = done..<done + Int(end - area.lowerBound)
      if isCompared {
        try compare(pages.sub(range), at: area.lowerBound)
        done += area.count
        continue
      }
      try about(nil) { () throws(SystemCallError) in
        let content = try opened()
        if let file = content.file {
          try file.descriptor.write(pages, range: range, at: Int(area.lowerBound))
        } else {
          try content.mapping?.write(pages, range: range, at: area.lowerBound)
        }
      }
      done += area.count
    }
  }

  private func compare(_ saved: RawSpan, at offset: UInt64) throws(CheckpointError) {
    var buffer = AlignedBuffer(byteCount: max(1, saved.byteCount))
    var present = buffer.mutableBytes
    let got: Int
    do throws(SystemCallError) {
      got =
        try forReading?.descriptor.read(
          into: &present, range: 0..<saved.byteCount, at: Int(offset)) ?? 0
    } catch {
      throw .system(error, process: nil)
    }
    if got == saved.byteCount, present.bytes.sub(0..<got).equals(saved) { return }
    throw .changedFiles(
      [
        Obstacle(
          ProcessID(0), state.name,
          "at byte \(offset) it holds something else than when it was saved, though nothing else shows that",
          remedy: "move it away: then what was saved is put back")
      ], areGone: false)
  }

  /// Reads back what was put there.
  func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(CheckpointError) {
    let count = buffer.byteCount
    guard offset <= state.pages.upperBound, UInt64(count) <= state.pages.upperBound - offset else {
      throw .inconsistent(.pageOutsideAreas)
    }
    buffer.zero()
    do throws(SystemCallError) {
      let content = try opened()
      if let file = content.file {
        _ = try file.descriptor.read(into: &buffer, range: 0..<count, at: Int(offset))
      } else {
        try content.mapping?.read(into: &buffer, range: 0..<count, at: offset)
      }
    } catch {
      throw .system(error, process: nil)
    }
  }

  private func opened() throws(SystemCallError) -> Content {
    try content.withLock { content throws(SystemCallError) in
      if let forReading, content.file == nil {
        content.file = Restoration.OpenFile(try forReading.descriptor.reopen(flags: Self.readWrite))
      } else if state.kind == .systemV && content.mapping == nil {
        content.mapping = try OwnSharedMapping(attaching: state.id, byteCount: state.byteCount)
      }
      return content
    }
  }

  /// To be called when all processes have mapped it and it is filled, and before any runs. Returns where that is
  /// now which was in its place and is kept.
  func finish() throws(CheckpointError) -> String? {
    if isCompared || isUnused { return nil }
    let kept = try about(nil) { () throws(SystemCallError) -> String? in
      if state.isRemoved && state.kind == .systemV { try SystemVMemory.remove(state.id) }
      guard let file = try opened().file else { return nil }
      // What was not opened when it was saved has neither.
      let isKnownMemory = state.kind == .memoryFile && state.seconds != 0
      if isKnownMemory {
        let present = try file.descriptor.details()
        if present.user != state.user || present.group != state.group {
          try file.descriptor.set(user: state.user, group: state.group)
        }
      }
      if state.kind != .anonymous { try file.descriptor.setPermissions(state.permissions & 0o7777) }
      if state.kind == .memoryFile && state.seals != 0 { try file.descriptor.seal(state.seals) }
      if state.hasName || state.hasNoName || isKnownMemory {
        try file.descriptor.set(modified: (state.seconds, state.nanoseconds))
      }
      return try replacement?.commit(file.descriptor)
    }
    content.withLock { $0 = Content() }
    return kept
  }
}
