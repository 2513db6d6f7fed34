import LinuxSystem
import SystemPackage

/// What mappings of a process are, from the lines that /proc has of them.
struct AreaCapture {
  private let process: ProcessID
  private let objects: SharedObjects
  /// The file that was looked at last: its mappings are mostly in a row.
  private var last: (area: MemoryArea, file: SeenFile)?

  private struct SeenFile {
    let details: FileDetails
    let isMadeUp: Bool
  }

  init(of process: ProcessID, _ objects: SharedObjects) {
    (self.process, self.objects) = (process, objects)
  }

  /// The flags of VmFlags that somebody chose with mmap or madvise (Documentation/filesystems/proc.rst).
  static let chosenFlags: Set<String> = [
    "gd", "nr", "lo", "hg", "nh", "dd", "dc", "wf", "mg", "rr", "sr", "ac", "gu",
    "mw", "lf", "dp", "sl",
  ]

  /// What keeps an area from being saved, by its flag.
  static let refusedFlags = [
    "io": "it is a device's memory", "pf": "it is a device's memory",
    "ht": "it has huge pages of hugetlbfs", "ss": "it is a shadow stack",
    "um": "it is watched with userfaultfd", "uw": "it is watched with userfaultfd",
    "ui": "it is watched with userfaultfd",
  ]

  /// nil for what every process has without asking.
  mutating func state(of area: MemoryArea) throws(CheckpointError) -> AreaState? {
    if area.name == "[vsyscall]" || area.name == "[uprobes]" { return nil }
    var state = AreaState()
    state.address = area.addresses.lowerBound
    state.byteCount = area.byteCount
    state.protection = area.protection.rawValue
    state.isShared = area.isShared
    state.name = area.name
    state.offset = area.fileOffset
    state.flags = area.flags.intersection(Self.chosenFlags).sorted()
    if area.name == "[vdso]" || area.name.hasPrefix("[vvar") {
      state.content = .kernel
      return state
    }
    for flag in area.flags.sorted() {
      if let reason = Self.refusedFlags[flag] { throw obstacle(area, reason) }
    }
    if area.protectionKey != 0 { throw obstacle(area, "it has a protection key") }
    if !area.isBackedByFile {
      state.content = .anonymous
      return state
    }
    if try isObject(area) {
      state.content = .object
      state.object = try objects.number(of: area, in: process)
      return state
    }
    let file = try file(behind: area)
    if !area.isShared, file.details.kind == .character, file.details.nodeNumbers == Self.zeros {
      // Memory without a file, as it was made before there was MAP_ANONYMOUS.
      (state.content, state.name, state.offset) = (.anonymous, "", 0)
      return state
    }
    state.content = .file
    guard file.details.kind == .regular else {
      throw obstacle(area, "it is a mapping of something that is no file")
    }
    if !file.isMadeUp { state.file = FileFingerprint(file.details) }
    state.name = try path(of: area)
    return state
  }

  /// The kernel writes a newline as `\012`, and leaves that alone where it is part of a name.
  private func path(of area: MemoryArea) throws(CheckpointError) -> String {
    if !area.name.contains("\n") { return area.name }
    let lines = area.name.split(separator: "\n", omittingEmptySubsequences: false)
    for path in [area.name, lines.joined(separator: "\\012")]
    where process.namesFile(behind: area, path) {
      return path
    }
    throw obstacle(area, "its path no longer leads to it")
  }

  private mutating func file(behind area: MemoryArea) throws(CheckpointError) -> SeenFile {
    if let last, last.area.device == area.device, last.area.inode == area.inode,
      last.area.name == area.name
    {
      return last.file
    }
    let process = process
    let file = try about(process) { () throws(SystemCallError) in
      let file = try process.openFile(behind: area, flags: Self.pathOnly)
      return SeenFile(details: try file.details(), isMadeUp: try file.isMadeUp())
    }
    last = (area, file)
    return file
  }

  /// Whether the checkpoint has to hold what is mapped. A file in memory that is written through its mapping
  /// is memory of the processes that has a name.
  private func isObject(_ area: MemoryArea) throws(CheckpointError) -> Bool {
    if area.deletedPath != nil || !area.name.hasPrefix("/") { return true }
    guard area.isShared && area.flags.contains("mw") else { return false }
    do throws(SystemCallError) {
      let file = try process.openFile(behind: area, flags: 0)
      let details = try file.details()
      guard details.kind == .regular && details.linkCount == 1 else { return false }
      return try file.isInMemory()
    } catch {
      return false
    }
  }

  /// /dev/zero
  private static let zeros: (major: UInt32, minor: UInt32) = (1, 5)
  private static let pathOnly: UInt32 = 0o10000000

  private func obstacle(_ area: MemoryArea, _ reason: String) -> CheckpointError {
    let place =
      "memory at \(String(area.addresses.lowerBound, radix: 16))"
      + (area.name.isEmpty ? "" : " (\(area.name))")
    return .obstacles([Obstacle(process, place, reason)])
  }
}

extension ProcessID {
  /// Whether a path leads to the file behind a mapping.
  func namesFile(behind area: MemoryArea, _ path: String) -> Bool {
    let pathOnly: UInt32 = 0o10000000
    guard path.hasPrefix("/"),
      let here = try? OwnedDescriptor.open(path, flags: pathOnly).details(),
      here.inode == area.inode,
      let theirs = try? openFile(behind: area, flags: pathOnly).details()
    else { return false }
    return here.inode == theirs.inode && here.device == theirs.device
  }

  /// The file behind a mapping, whatever its path is now. Who may not follow the kernel's own link to it goes
  /// by its path, or as the process's program, where that leads to the same file.
  func openFile(
    behind area: MemoryArea, flags: UInt32
  ) throws(SystemCallError) -> OwnedDescriptor {
    let (from, to) = (area.addresses.lowerBound, area.addresses.upperBound)
    let link = "\(folder)/map_files/\(String(from, radix: 16))-\(String(to, radix: 16))"
    do throws(SystemCallError) {
      return try OwnedDescriptor.open(link, flags: flags)
    } catch {
      guard error.errno == .notPermitted || error.errno == .permissionDenied else { throw error }
      for place in (area.name.hasPrefix("/") ? [area.name] : []) + ["\(folder)/exe"] {
        guard (try? Files.status(of: place))?.identity.inode == area.inode,
          let file = try? OwnedDescriptor.open(place, flags: flags),
          (try? file.details())?.inode == area.inode
        else { continue }
        return file
      }
      throw error
    }
  }
}
