import CLinux
import Glibc
import SystemPackage

/// An open file with one owner, closed when the owner lets go.
///
/// All calls at an offset may run at once on several threads. The stream calls, `nextData` and `nextHole`
/// use or move the file's own position: one thread at a time, and not both kinds on one descriptor.
package struct OwnedDescriptor: ~Copyable, Sendable {
  /// What may be done through the descriptor.
  package enum Access: Sendable { case readOnly, writeOnly, readWrite }

  /// How to open; close-on-exec goes without saying.
  package struct Options: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }

    /// Past the page cache. Offsets, counts and memory must then suit `directAlignment`.
    package static let direct = Options(rawValue: 1)
    /// With `create`: only if nothing is there yet. Without, on a block device: only if nobody uses it.
    package static let exclusive = Options(rawValue: 2)
    /// Makes the file, with mode 0666 less the umask, if nothing is there.
    package static let create = Options(rawValue: 4)
    /// What was in the file is gone.
    package static let truncate = Options(rawValue: 8)
    /// Each write goes to the end, whatever offset it names.
    package static let append = Options(rawValue: 16)
    /// Only if it is a directory.
    package static let directory = Options(rawValue: 32)
    /// Not if the last part of the path is a symbolic link.
    package static let noFollow = Options(rawValue: 64)

    fileprivate var flags: CInt {
      var flags: CInt = 0
      if contains(.exclusive) { flags |= O_EXCL }
      if contains(.create) { flags |= O_CREAT }
      if contains(.truncate) { flags |= O_TRUNC }
      if contains(.append) { flags |= O_APPEND }
      if contains(.directory) { flags |= O_DIRECTORY }
      if contains(.noFollow) { flags |= O_NOFOLLOW }
      return flags
    }
  }

  let descriptor: CInt
  /// The path as it was given, for messages.
  package let name: String
  /// Whether it goes past the page cache.
  package private(set) var isDirect: Bool

  /// Takes over a descriptor that is open and nobody else's.
  package init(owning descriptor: CInt, name: String) {
    self.descriptor = descriptor
    self.name = name
    isDirect = false
  }

  // Not retried: Linux has freed the number even when close reports an interruption, and another thread
  // may hold it by then. Errors of written data are for synchronize() to find.
  deinit { close(descriptor) }

  /// Opens a path. `permissions` are for a file that this creates, less the user's mask.
  package static func open(
    _ path: String, access: Access, options: Options = [], permissions: UInt32 = 0o666
  ) throws(SystemCallError) -> OwnedDescriptor {
    let mode: CInt =
      switch access {
      case .readOnly: O_RDONLY
      case .writeOnly: O_WRONLY
      case .readWrite: O_RDWR
      }
    let descriptor = try withCPath(path, for: "open") { pointer throws(SystemCallError) in
      try systemCall("open", on: path) {
        // Safe: the pointer is to our string, which outlives the call.
        unsafe clinux_open(
          pointer, mode | options.flags, options.contains(.direct) ? 1 : 0, permissions)
      }
    }
    var opened = OwnedDescriptor(owning: descriptor, name: path)
    opened.isDirect = options.contains(.direct)
    return opened
  }

  /// From now on past the page cache, as if opened with `direct`; `invalidArgument` if the file cannot.
  package mutating func becomeDirect() throws(SystemCallError) {
    let descriptor = descriptor
    try systemCall("fcntl(O_DIRECT)", on: name) { clinux_set_direct(descriptor) }
    isDirect = true
  }

  /// Keeps the numbers of standard input, output and error from files that are opened later, if the caller
  /// closed one of them: a member must never get what is meant for a terminal, nor be read as input.
  /// To be called before anything is opened. What was closed still cannot be used (`badFileDescriptor`).
  package static func reserveStandardDescriptors() { clinux_reserve_standard_descriptors() }

  /// An owner of its own for the program's standard input.
  package static func standardInput() throws(SystemCallError) -> OwnedDescriptor {
    try duplicate(STDIN_FILENO, name: "standard input")
  }

  /// An owner of its own for the program's standard output.
  package static func standardOutput() throws(SystemCallError) -> OwnedDescriptor {
    try duplicate(STDOUT_FILENO, name: "standard output")
  }

  /// An owner of its own for the program's standard error.
  package static func standardError() throws(SystemCallError) -> OwnedDescriptor {
    try duplicate(STDERR_FILENO, name: "standard error")
  }

  private static func duplicate(
    _ descriptor: CInt, name: String
  ) throws(SystemCallError) -> OwnedDescriptor {
    let own = try systemCall("fcntl", on: name) { clinux_duplicate(descriptor) }
    return OwnedDescriptor(owning: own, name: name)
  }

  /// What the kernel knows of the open file.
  package var status: FileStatus {
    get throws(SystemCallError) {
      var status = stat()
      let descriptor = descriptor
      try systemCall("fstat", on: name) { unsafe fstat(descriptor, &status) }
      return FileStatus(status)
    }
  }

  /// What kind of file it is, asked anew.
  package var kind: FileKind { get throws(SystemCallError) { try status.kind } }
  /// Which file it is, whatever the path.
  package var identity: FileIdentity { get throws(SystemCallError) { try status.identity } }

  /// What the file occupies on its filesystem; 0 for devices.
  package var allocatedByteCount: Int {
    get throws(SystemCallError) { try status.allocatedByteCount }
  }

  /// The bytes of a regular file or block device.
  package var size: Int {
    get throws(SystemCallError) {
      let status = try status
      guard status.kind == .block else { return status.byteCount }
      var byteCount: UInt64 = 0
      let descriptor = descriptor
      try systemCall("ioctl(BLKGETSIZE64)", on: name) {
        unsafe clinux_block_byte_count(descriptor, &byteCount)
      }
      return Int(clamping: byteCount)
    }
  }

  /// The smallest unit of a block device; 512 for everything else.
  package var sectorSize: Int {
    get throws(SystemCallError) {
      guard try kind == .block else { return 512 }
      var byteCount: CInt = 0
      let descriptor = descriptor
      try systemCall("ioctl(BLKSSZGET)", on: name) {
        unsafe clinux_block_sector_byte_count(descriptor, &byteCount)
      }
      return max(512, Int(byteCount))
    }
  }

  /// What offsets, counts and memory addresses must be multiples of when the descriptor is direct.
  package var directAlignment: Int {
    get throws(SystemCallError) {
      if try kind == .block { return try sectorSize }
      var memory: UInt32 = 0
      var offset: UInt32 = 0
      let descriptor = descriptor
      try systemCall("statx", on: name) {
        unsafe clinux_direct_alignment(descriptor, &memory, &offset)
      }
      // A page suits all filesystems that say nothing.
      return offset == 0 ? Machine.pageSize : max(512, Int(offset), Int(memory))
    }
  }

  /// Makes the file this long; what is new reads as zeros.
  package func truncate(to byteCount: Int) throws(SystemCallError) {
    let descriptor = descriptor
    try systemCall("ftruncate", on: name) { ftruncate(descriptor, byteCount) }
  }

  /// Sets the permission bits.
  package func setPermissions(_ permissions: UInt32) throws(SystemCallError) {
    let descriptor = descriptor
    try systemCall("fchmod", on: name) { fchmod(descriptor, mode_t(permissions)) }
  }

  /// Returns when the data is on stable storage, and what is needed to find it (not times of change).
  ///
  /// After an error the kernel has forgotten which writes failed: nothing written since the last success
  /// may be believed, and asking again proves nothing.
  package func synchronize() throws(SystemCallError) {
    let descriptor = descriptor
    try systemCall("fdatasync", on: name) { fdatasync(descriptor) }
  }

  /// As `synchronize`, with all of the file's attributes; for a directory, its entries.
  package func synchronizeAll() throws(SystemCallError) {
    let descriptor = descriptor
    try systemCall("fsync", on: name) { fsync(descriptor) }
  }
}
