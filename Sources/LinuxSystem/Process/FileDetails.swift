import CLinux
import Glibc
import SystemPackage

/// All that fstat(2) tells which a checkpoint wants to know.
package struct FileDetails: Equatable, Sendable {
  /// Type and permission bits.
  package let mode: UInt32
  /// The device that it is on.
  package let device: UInt64
  /// Which file it is there.
  package let inode: UInt64
  /// The device number of a device node.
  package let node: UInt64
  /// How many names it has.
  package let linkCount: UInt64
  /// How long it is.
  package let byteCount: UInt64
  /// Who owns it.
  package let user: UInt32
  /// The group that owns it.
  package let group: UInt32
  /// Last modification.
  package let modified: (seconds: Int64, nanoseconds: UInt32)

  /// Whether nothing of it has changed, but who owns it.
  package static func == (one: FileDetails, other: FileDetails) -> Bool {
    one.mode == other.mode && one.device == other.device && one.inode == other.inode
      && one.node == other.node && one.linkCount == other.linkCount
      && one.byteCount == other.byteCount && one.modified == other.modified
  }

  /// What it is, by its mode.
  package enum Kind: Sendable {
    case regular, directory, character, block, pipe, socket, link
    /// epoll, eventfd and the like, which have no place in any directory.
    case anonymous
  }

  /// What it is.
  package var kind: Kind {
    switch mode & S_IFMT {
    case S_IFREG: .regular
    case S_IFDIR: .directory
    case S_IFCHR: .character
    case S_IFBLK: .block
    case S_IFIFO: .pipe
    case S_IFSOCK: .socket
    case S_IFLNK: .link
    default: .anonymous
    }
  }

  package var permissions: UInt32 { mode & 0o7777 }

  /// Major and minor number of a device node.
  package var nodeNumbers: (major: UInt32, minor: UInt32) {
    (clinux_major(node), clinux_minor(node))
  }

  /// Major and minor number of the device that it is on.
  package var deviceNumbers: MemoryArea.DeviceNumbers {
    MemoryArea.DeviceNumbers(major: clinux_major(device), minor: clinux_minor(device))
  }

  init(_ status: stat) {
    mode = status.st_mode
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    node = UInt64(status.st_rdev)
    linkCount = UInt64(status.st_nlink)
    byteCount = UInt64(bitPattern: Int64(status.st_size))
    user = status.st_uid
    group = status.st_gid
    modified = (Int64(status.st_mtim.tv_sec), UInt32(truncatingIfNeeded: status.st_mtim.tv_nsec))
  }
}

extension OwnedDescriptor {
  /// What is open.
  package borrowing func details() throws(SystemCallError) -> FileDetails {
    var status = stat()
    let descriptor = descriptor
    try systemCall("fstat", on: name) { unsafe fstat(descriptor, &status) }
    return FileDetails(status)
  }

  /// Opens a path with the flags of open(2) as they are; close-on-exec is added.
  package static func open(
    _ path: String, flags: UInt32, permissions: UInt32 = 0
  ) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try withCPath(path, for: "open") { pointer throws(SystemCallError) in
      try kernelCall(
        .open, "open", on: path, Int(bitPattern: pointer), Int(flags | UInt32(O_CLOEXEC)),
        Int(permissions))
    }
    return OwnedDescriptor(owning: CInt(descriptor), name: path)
  }

  /// Where the next read or write begins.
  package borrowing func seek(to position: UInt64) throws(SystemCallError) {
    try kernelCall(
      .lseek, "lseek", on: name, Int(descriptor), Int(bitPattern: UInt(position)), Int(SEEK_SET))
  }

  /// fcntl(2) with a number.
  @discardableResult
  package borrowing func control(_ command: Int32, _ argument: Int = 0) throws(SystemCallError)
    -> Int
  {
    try kernelCall(.fcntl, "fcntl", on: name, Int(descriptor), Int(command), argument)
  }

  /// The number of the descriptor, for calls that another process makes after it has inherited it.
  package borrowing func numberForChildren() -> Int32 { descriptor }

  /// Another descriptor of the same open file description, not below `lowest`.
  package borrowing func duplicate(from lowest: Int32) throws(SystemCallError) -> OwnedDescriptor {
    let made = try control(F_DUPFD_CLOEXEC, Int(lowest))
    return OwnedDescriptor(owning: CInt(made), name: name)
  }

  /// Which of the events of poll(2) are there now; POLLERR and POLLHUP are always told.
  package borrowing func readyEvents(_ events: Int16 = 0) throws(SystemCallError) -> Int16 {
    var request: [UInt64] = [
      UInt64(UInt32(bitPattern: descriptor)) | UInt64(UInt16(bitPattern: events)) << 32
    ]
    let name = name
    try withAddress(of: &request) { (address) throws(SystemCallError) in
      try kernelCall(.poll, "poll", on: name, address, 1, 0)
    }
    return Int16(truncatingIfNeeded: request[0] >> 48)
  }

  /// A copy of one of this process's standard descriptors.
  package static func standard(_ number: Int32) throws(SystemCallError) -> OwnedDescriptor {
    let made = try kernelCall(
      .fcntl, "fcntl", on: "descriptor \(number)", Int(number), Int(F_DUPFD_CLOEXEC), 3)
    return OwnedDescriptor(owning: CInt(made), name: "descriptor \(number)")
  }

  /// Memory that is shared by all who map it, zeros at first.
  package static func sharedMemory(
    name: String, byteCount: Int
  ) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try withCPath(name, for: "memfd_create") { pointer throws(SystemCallError) in
      try kernelCall(.memfdCreate, "memfd_create", on: name, Int(bitPattern: pointer), 1)
    }
    let memory = OwnedDescriptor(owning: CInt(descriptor), name: name)
    try memory.truncate(to: byteCount)
    return memory
  }

  /// The same, with seals that can be set.
  package static func memoryFile(
    name: String, byteCount: Int
  ) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try withCPath(name, for: "memfd_create") { pointer throws(SystemCallError) in
      // MFD_CLOEXEC | MFD_ALLOW_SEALING
      try kernelCall(.memfdCreate, "memfd_create", on: name, Int(bitPattern: pointer), 3)
    }
    let memory = OwnedDescriptor(owning: CInt(descriptor), name: name)
    try memory.truncate(to: byteCount)
    return memory
  }

  /// A short path to it for this process and others of its user, as long as it is open.
  package var pathForAll: String { "\(ProcessID.current.folder)/fd/\(descriptor)" }

  /// A new pipe: what is written to the second comes out of the first.
  package static func makePipe(
    flags: Int32 = 0
  ) throws(SystemCallError) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    try withAddress(of: &ends) { (address) throws(SystemCallError) in
      try kernelCall(.pipe2, "pipe2", on: "a pipe", address, Int(flags | O_CLOEXEC))
    }
    return (ends[0], ends[1])
  }
}
