import LinuxSystem
import SystemPackage

/// Memory that several mappings share and that no file would keep, and files without a name: each is saved
/// once, whoever maps it or has it open.
final class SharedObjects {
  private(set) var states: [ObjectState] = []
  /// Where the content of each is read while the tree stands still.
  private(set) var contents: [ObjectContent] = []
  private var known: [Identity: UInt32] = [:]
  /// Who maps it where, for those that must not be shared with others.
  private var mappings: [(object: UInt32, process: ProcessID, area: MemoryArea)] = []
  /// The device of all memory that the kernel itself keeps as files.
  private lazy var kernelDevice: UInt64? = try? OwnedDescriptor.sharedMemory(
    name: "probe", byteCount: 0
  ).details().device

  private struct Identity: Hashable {
    var device: MemoryArea.DeviceNumbers
    var inode: UInt64
  }

  /// The number of the object behind a mapping, a new one if it was not seen before.
  func number(of area: MemoryArea, in process: ProcessID) throws(CheckpointError) -> UInt32 {
    let number: UInt32
    do throws(CheckpointError) {
      let file = try about(process) { () throws(SystemCallError) in
        try process.openFile(behind: area, flags: 0)
      }
      number = try self.number(
        of: file, named: area.name, in: process, kind: area.isNamedDeleted ? .namedFile : nil)
    } catch {
      if case .system(let failure, _) = error, failure.errno == .noSuchAddressOrDevice {
        throw Self.kernelsOwn(area.name, process)
      }
      // Without rights to open what is mapped, it is read through the mappings.
      guard case .system(let failure, _) = error,
        failure.errno == .notPermitted || failure.errno == .permissionDenied
      else { throw error }
      if let seen = known[Identity(device: area.device, inode: area.inode)] {
        number = seen  // it was open as well
      } else {
        guard area.isShared else { throw unopened(area.name, process) }
        number = try self.number(ofUnopened: area, in: process)
      }
    }
    // It comes back as what the processes share, whether a copy was asked for or not.
    if states[Int(number)].kind == .copiedFile { states[Int(number)].kind = .namedFile }
    if area.isShared { mappings.append((number, process, area)) }
    contents[Int(number)].addMapping(area, of: process)
    let end = area.fileOffset + area.byteCount
    if contents[Int(number)].file == nil && states[Int(number)].byteCount < end {
      states[Int(number)].byteCount = end
    }
    return number
  }

  /// The number of the object that a path of /proc leads to, such as /proc/PID/fd/5. `link` is what /proc
  /// says of it, such as `/memfd:name (deleted)`. `kind` says what to take it for; nil for what it is.
  func number(
    ofFile path: String, named link: String, in process: ProcessID, kind: ObjectState.Kind? = nil
  ) throws(CheckpointError) -> UInt32 {
    let file = try about(process) { () throws(SystemCallError) in
      try OwnedDescriptor.open(path, access: .readOnly)
    }
    return try number(of: file, named: link, in: process, kind: kind)
  }

  private static func kernelsOwn(_ name: String, _ process: ProcessID) -> CheckpointError {
    .obstacles([Obstacle(process, name, "it is memory that the kernel itself works with")])
  }

  private func number(
    of file: consuming OwnedDescriptor, named link: String, in process: ProcessID,
    kind: ObjectState.Kind? = nil
  ) throws(CheckpointError) -> UInt32 {
    let details = try details(of: file, process)
    let identity = Identity(device: details.deviceNumbers, inode: details.inode)
    if let number = known[identity] { return number }
    var state = try state(named: link, inode: details.inode, process)
    if let kind {
      state.kind = kind
      if kind == .namedFile { state.name = link }
    }
    state.byteCount = details.byteCount
    (state.user, state.group) = (details.user, details.group)
    state.permissions = details.mode & 0o7777
    (state.seconds, state.nanoseconds) = details.modified
    let isKernels = details.device == kernelDevice
    guard details.kind == .regular, !state.hasNoName || !isKernels else {
      throw .obstacles([Obstacle(process, link, "it is memory of a driver")])
    }
    switch state.kind {
    case .memoryFile:
      guard (try? file.isInMemory()) == true else {
        throw .obstacles([Obstacle(process, link, "it is memory of huge pages")])
      }
      state.seals = (try? file.seals()) ?? 0
    case .systemV: try describe(&state, process)
    default: break
    }
    return add(state, identity, ObjectContent(file))
  }

  private func details(
    of file: borrowing OwnedDescriptor, _ process: ProcessID
  ) throws(CheckpointError) -> FileDetails {
    do throws(SystemCallError) {
      return try file.details()
    } catch {
      throw .system(error, process: process)
    }
  }

  private func number(
    ofUnopened area: MemoryArea, in process: ProcessID
  ) throws(CheckpointError) -> UInt32 {
    let identity = Identity(device: area.device, inode: area.inode)
    var state = try state(named: area.name, inode: area.inode, process)
    guard state.kind == .anonymous || state.kind == .memoryFile || state.kind == .systemV else {
      throw unopened(area.name, process)
    }
    state.permissions = 0o777
    if state.kind == .systemV { try describe(&state, process) }
    return add(state, identity, ObjectContent())
  }

  private func unopened(_ name: String, _ process: ProcessID) -> CheckpointError {
    .obstacles([
      Obstacle(
        process, name, "it is mapped, and may not be opened to save its content",
        remedy: "run with CAP_CHECKPOINT_RESTORE or as root")
    ])
  }

  private func add(
    _ state: ObjectState, _ identity: Identity, _ content: ObjectContent
  ) -> UInt32 {
    let number = UInt32(states.count)
    known[identity] = number
    states.append(state)
    contents.append(content)
    return number
  }

  private func state(
    named link: String, inode: UInt64, _ process: ProcessID
  ) throws(CheckpointError) -> ObjectState {
    var state = ObjectState()
    let suffix = " (deleted)"
    let name = link.hasSuffix(suffix) ? String(link.dropLast(suffix.count)) : link
    if name == "/dev/zero" || name.hasPrefix("[anon_shmem:") {
      state.kind = .anonymous
    } else if name.hasPrefix("/memfd:") {
      state.kind = .memoryFile
      state.name = String(name.dropFirst("/memfd:".count))
    } else if name.hasPrefix("/SYSV"), name.utf8.count == 13 {
      state.kind = .systemV
      state.id = Int32(truncatingIfNeeded: inode)
    } else if !name.hasPrefix("/") || name.hasPrefix("/[aio]") {
      throw Self.kernelsOwn(link, process)
    } else if name == "/secretmem" {
      throw .obstacles([Obstacle(process, link, "it is memory that nobody else may read")])
    } else if name.hasSuffix("/#\(inode)") {
      // So the kernel calls what never had a name.
      state.kind = .namelessFile
      state.name = name
    } else {
      state.kind = link.hasSuffix(suffix) ? .deletedFile : .namedFile
      state.name = name
    }
    return state
  }

  private func describe(_ state: inout ObjectState, _ process: ProcessID) throws(CheckpointError) {
    let (theirs, ours) = try about(process) { () throws(SystemCallError) in
      (
        try Files.linkTarget("\(process.folder)/ns/ipc"), try Files.linkTarget("/proc/self/ns/ipc")
      )
    }
    guard theirs == ours else {
      throw .obstacles([
        Obstacle(
          process, "System V shared memory \(state.id)",
          "it is in another IPC namespace than this one")
      ])
    }
    let id = state.id
    let segment = try about(process) { () throws(SystemCallError) in
      try SystemVMemory(status: id)
    }
    state.key = segment.key
    state.byteCount = segment.byteCount
    (state.user, state.group) = (segment.user, segment.group)
    state.permissions = segment.mode & 0o777
    state.isRemoved = segment.isRemoved
    state.isLocked = segment.isLocked
  }

  // MARK: Others

  /// What is shared with a process outside of the tree can't be saved: afterwards it would not be shared.
  func outsiders(of tree: Set<ProcessID>) -> [Obstacle] {
    let inner = mappings.filter { states[Int($0.object)].kind != .namedFile }
    guard !inner.isEmpty, let all = try? Files.list("/proc") else { return [] }
    var wanted: [Identity: Int] = [:]
    for (index, mapping) in inner.enumerated() {
      wanted[Identity(device: mapping.area.device, inode: mapping.area.inode)] = index
    }
    var obstacles: [Obstacle] = []
    for other in all.compactMap({ Int32($0) }).map(ProcessID.init) where !tree.contains(other) {
      let areas = (try? MemoryArea.all(of: other, withFlags: false)) ?? []
      for area in areas where area.isShared && area.isBackedByFile {
        guard
          let index = wanted.removeValue(
            forKey: Identity(device: area.device, inode: area.inode))
        else { continue }
        let mapping = inner[index]
        obstacles.append(
          Obstacle(
            mapping.process,
            "memory at \(String(mapping.area.addresses.lowerBound, radix: 16)) (\(mapping.area.name))",
            "it is shared with process \(other), which is outside of the tree",
            remedy: "save a process that is an ancestor of both"))
      }
    }
    return obstacles
  }
}
