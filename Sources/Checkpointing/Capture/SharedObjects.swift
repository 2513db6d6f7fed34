import LinuxSystem

/// Content that mappings or descriptors share and that no path leads to: each is saved once.
final class SharedObjects {
  private(set) var states: [ObjectState] = []
  /// Where each can be opened while the tree stands still.
  private(set) var sources: [String] = []
  private var known: [[UInt64]: UInt32] = [:]

  /// The number of the object behind a mapping, a new one if it was not seen before.
  func number(of area: MemoryArea, in process: ProcessID) throws(CheckpointError) -> UInt32 {
    let path = process.mappedFile(area.addresses)
    return try about(process) { () throws(SystemCallError) in
      let file = try OwnedDescriptor.open(path, flags: 0)
      return try number(
        of: file, name: area.deletedPath ?? area.name, source: path)
    }
  }

  /// The number of the object behind a descriptor.
  func number(of seen: SeenDescriptor) throws(CheckpointError) -> UInt32 {
    let path = "\(seen.process.folder)/fd/\(seen.info.number)"
    return try about(seen.process) { () throws(SystemCallError) in
      let file = try OwnedDescriptor.open(path, flags: 0)
      return try number(
        of: file, name: seen.info.pathBeforeRemoval, source: path)
    }
  }

  private func number(
    of file: borrowing OwnedDescriptor, name: String, source: String
  ) throws(SystemCallError) -> UInt32 {
    let details = try file.details()
    let key = [details.device, details.inode]
    if let number = known[key] { return number }
    var state = ObjectState()
    state.name = name
    state.byteCount = details.byteCount
    (state.permissions, state.user, state.group) = (
      details.permissions, details.user, details.group
    )
    if name.hasPrefix("/memfd:") {
      state.kind = .memoryFile
      state.seals = UInt32(truncatingIfNeeded: try file.control(Self.getSeals))
    } else if name.hasPrefix("/dev/zero") || name.hasPrefix("/SYSV") {
      state.byteCount = (details.byteCount + 4095) & ~4095
    } else {
      // So the kernel calls what never had a name.
      state.kind = name.hasSuffix("/#\(details.inode)") ? .namelessFile : .removedFile
      (state.seconds, state.nanoseconds) = details.modified
    }
    known[key] = UInt32(states.count)
    states.append(state)
    sources.append(source)
    return UInt32(states.count - 1)
  }

  private static let getSeals: Int32 = 1034
}

/// Reads what is in an object, but for its holes.
struct ObjectContent: ~Copyable {
  private let file: OwnedDescriptor
  private let byteCount: Int
  private var next = 0
  private var end = 0

  init(source: String, _ state: ObjectState) throws(SystemCallError) {
    file = try OwnedDescriptor.open(source, flags: 0)
    byteCount = Int(clamping: state.byteCount)
  }

  /// The next bytes, into the buffer from its start: where they are, and how many. Nil at the end.
  mutating func read(
    into buffer: inout MutableRawSpan
  ) throws(SystemCallError) -> (offset: UInt64, byteCount: Int)? {
    if next >= end {
      guard next < byteCount, let start = file.nextData(from: next), start < byteCount else {
        return nil
      }
      next = start
      end = min(file.nextHole(from: start) ?? byteCount, byteCount)
    }
    let count = try file.read(
      into: &buffer, range: 0..<min(buffer.byteCount, end - next), at: next)
    if count == 0 { return nil }
    defer { next += count }
    return (UInt64(next), count)
  }
}

extension DescriptorInfo {
  /// The path without what the kernel adds to it.
  var pathBeforeRemoval: String {
    link.hasSuffix(" (deleted)") ? String(link.dropLast(10)) : link
  }
}
