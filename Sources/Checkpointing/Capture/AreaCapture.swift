import LinuxSystem

/// What a mapping is, from the line that /proc has of it.
enum AreaCapture {
  /// The flags of VmFlags that somebody chose with mmap or madvise (Documentation/filesystems/proc.rst).
  private static let chosenFlags: Set<String> = [
    "gd", "nr", "lo", "hg", "nh", "dd", "dc", "wf", "mg", "rr", "sr", "ac", "gu",
    "mw",
  ]

  /// nil for what every process has without asking.
  static func state(
    of area: MemoryArea, in process: ProcessID, _ objects: SharedObjects
  ) throws(CheckpointError) -> AreaState? {
    if area.name == "[vsyscall]" || area.name == "[uprobes]" { return nil }
    var state = AreaState()
    state.address = area.addresses.lowerBound
    state.byteCount = area.byteCount
    state.protection = area.protection.rawValue
    state.isShared = area.isShared
    state.name = area.name
    state.offset = area.fileOffset
    state.flags = area.flags.intersection(chosenFlags).sorted()
    if area.name == "[vdso]" || area.name.hasPrefix("[vvar") {
      state.content = .kernel
      return state
    }
    if area.flags.contains("io") || area.flags.contains("pf") {
      throw obstacle(process, area, "is a device's memory")
    }
    if area.flags.contains("ht") { throw obstacle(process, area, "has huge pages of hugetlbfs") }
    if !area.isBackedByFile {
      state.content = .anonymous
      return state
    }
    if area.deletedPath != nil {
      state.content = .object
      state.object = try objects.number(of: area, in: process)
      return state
    }
    state.content = .file
    let details = try about(process) { () throws(SystemCallError) in
      try OwnedDescriptor.open(process.mappedFile(area.addresses), flags: pathOnly).details()
    }
    state.file = FileFingerprint(details)
    return state
  }

  private static let pathOnly: UInt32 = 0o10000000

  private static func obstacle(
    _ process: ProcessID, _ area: MemoryArea, _ reason: String
  ) -> CheckpointError {
    let place =
      "memory at \(String(area.addresses.lowerBound, radix: 16))"
      + (area.name.isEmpty ? "" : " (\(area.name))")
    return .obstacles([Obstacle(process, place, reason)])
  }
}

extension ProcessID {
  /// What leads to the file behind a mapping, whatever its path is now.
  func mappedFile(_ addresses: Range<UInt64>) -> String {
    let (from, to) = (addresses.lowerBound, addresses.upperBound)
    return "\(folder)/map_files/\(String(from, radix: 16))-\(String(to, radix: 16))"
  }
}
