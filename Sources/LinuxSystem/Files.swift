import Glibc
import SystemPackage

/// Files by their paths.
package enum Files {
  /// Whether a path leads to something (following links).
  package static func exists(_ path: String) -> Bool { (try? status(of: path)) != nil }

  /// What a path leads to (following links).
  package static func status(of path: String) throws(SystemCallError) -> FileStatus {
    var status = stat()
    try withCPath(path, for: "stat") { pointer throws(SystemCallError) in
      try systemCall("stat", on: path) { unsafe stat(pointer, &status) }
    }
    return FileStatus(status)
  }

  /// The kind of what a path leads to.
  package static func kind(of path: String) throws(SystemCallError) -> FileKind {
    try status(of: path).kind
  }

  /// Which file a path leads to.
  package static func identity(of path: String) throws(SystemCallError) -> FileIdentity {
    try status(of: path).identity
  }

  /// What somebody wants to do with a file or folder; the bits of access(2).
  package struct Access: OptionSet, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package static let reading = Access(rawValue: 4)
    package static let writing = Access(rawValue: 2)
    /// Of a folder: to reach what is in it.
    package static let entering = Access(rawValue: 1)
  }

  /// Throws what keeps this process from that, with the rights that it has now.
  package static func require(_ access: Access, to path: String) throws(SystemCallError) {
    try withCPath(path, for: "access") { pointer throws(SystemCallError) in
      try systemCall("access", on: path) {
        unsafe faccessat(AT_FDCWD, pointer, access.rawValue, AT_EACCESS)
      }
    }
  }

  /// The names in a directory, in order, without `.` and `..`.
  package static func list(_ path: String) throws(SystemCallError) -> [String] {
    let directory = try withCPath(path, for: "opendir") { pointer throws(SystemCallError) in
      guard let directory = unsafe opendir(pointer) else {
        throw SystemCallError(
          call: "opendir", subject: path, errno: Errno(rawValue: Glibc.errno))
      }
      return unsafe directory
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while true {
      Glibc.errno = 0
      guard let entry = unsafe readdir(directory) else {
        let errno = Errno(rawValue: Glibc.errno)
        if errno.rawValue == 0 { break }
        throw SystemCallError(call: "readdir", subject: path, errno: errno)
      }
      // The name is a C string inside the record, good until the next readdir.
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(pathBytes: bytes.prefix { $0 != 0 })
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes a directory; its parents too if asked. One that is there already is an error, unless it was
  /// to be made with its parents.
  package static func makeDirectory(
    _ path: String, permissions: UInt32 = 0o777, withParents: Bool = false
  ) throws(SystemCallError) {
    if withParents {
      if (try? kind(of: path)) == .directory { return }
      let parent = directory(of: path)
      if parent != path && !exists(parent) {
        try makeDirectory(parent, permissions: permissions, withParents: true)
      }
    }
    try withCPath(path, for: "mkdir") { pointer throws(SystemCallError) in
      try systemCall("mkdir", on: path) { unsafe mkdir(pointer, mode_t(permissions)) }
    }
  }

  /// Does something for which this folder is the working one. It is so for all threads of this process meanwhile.
  package static func working(
    in folder: String, _ body: () throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    // O_PATH, O_DIRECTORY
    let before = try OwnedDescriptor.open(".", flags: 0o10200000)
    try withCPath(folder, for: "chdir") { pointer throws(SystemCallError) in
      try systemCall("chdir", on: folder) { unsafe chdir(pointer) }
    }
    var failure: SystemCallError?
    do throws(SystemCallError) { try body() } catch { failure = error }
    try systemCall("fchdir", on: before.name) { fchdir(before.descriptor) }
    if let failure { throw failure }
  }

  /// Gives a file another path, in place of what is there.
  package static func rename(_ path: String, to newPath: String) throws(SystemCallError) {
    try withCPath(path, for: "rename") { old throws(SystemCallError) in
      try withCPath(newPath, for: "rename") { new throws(SystemCallError) in
        try systemCall("rename", on: "\(path) to \(newPath)") { unsafe Glibc.rename(old, new) }
      }
    }
  }

  /// Removes a file's name.
  package static func unlink(_ path: String) throws(SystemCallError) {
    try withCPath(path, for: "unlink") { pointer throws(SystemCallError) in
      try systemCall("unlink", on: path) { unsafe Glibc.unlink(pointer) }
    }
  }

  /// Removes an empty directory.
  package static func removeDirectory(_ path: String) throws(SystemCallError) {
    try withCPath(path, for: "rmdir") { pointer throws(SystemCallError) in
      try systemCall("rmdir", on: path) { unsafe rmdir(pointer) }
    }
  }

  /// Makes a file of this size that is one hole. Exclusive: only if nothing is there; otherwise what is
  /// there goes. A file that could not be given its size does not stay.
  package static func createSparse(
    _ path: String, size: Int, exclusive: Bool = true
  ) throws(SystemCallError) {
    let file = try OwnedDescriptor.open(
      path, access: .readWrite, options: exclusive ? [.create, .exclusive] : [.create, .truncate])
    do throws(SystemCallError) {
      try file.truncate(to: size)
    } catch {
      if exclusive { try? unlink(path) }  // the first error is the one to tell
      throw error
    }
  }

  /// The path without links, `.` and `..`, from the root.
  package static func realPath(_ path: String) throws(SystemCallError) -> String {
    try withCPath(path, for: "realpath") { pointer throws(SystemCallError) in
      guard let real = unsafe realpath(pointer, nil) else {
        throw SystemCallError(
          call: "realpath", subject: path, errno: Errno(rawValue: Glibc.errno))
      }
      defer { unsafe free(real) }
      return unsafe String(pathBytes: UnsafeRawBufferPointer(start: real, count: strlen(real)))
    }
  }

  /// All bytes of a small file (or of one in /proc, which has no size); what is longer than the limit is
  /// an error (`fileTooLarge`), not a part of it.
  package static func contents(
    of path: String, limit: Int = 16 << 20
  ) throws(SystemCallError) -> [UInt8] {
    let file = try OwnedDescriptor.open(path, access: .readOnly)
    // What there is most of fits at once.
    var contents = [UInt8](repeating: 0, count: 4096)
    var count = 0
    while true {
      var span = contents.mutableSpan
      // Safe: bytes have no forbidden patterns.
      var bytes = unsafe span.mutableBytes
      count += try file.read(into: &bytes, range: count..<bytes.byteCount, at: count)
      if count > limit {
        throw SystemCallError(call: "read", subject: path, errno: .fileTooLarge)
      }
      if count < contents.count {
        contents.removeLast(contents.count - count)
        return contents
      }
      contents.append(contentsOf: repeatElement(0, count: contents.count))
    }
  }

  /// The directory that holds a path's last part.
  package static func directory(of path: String) -> String {
    let directory = FilePath(path).removingLastComponent()
    return directory.isEmpty ? "." : directory.string
  }

  /// A name nobody has, in the same directory, for what shall take the path's place.
  package static func temporaryName(beside path: String) -> String {
    let path = FilePath(path)
    let last = path.lastComponent?.string ?? "file"
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    // A name may have 255 bytes, and ours adds to it.
    let name = ".\(String(decoding: last.utf8.prefix(200), as: UTF8.self)).\(random).tmp"
    return path.removingLastComponent().appending(name).string
  }
}
