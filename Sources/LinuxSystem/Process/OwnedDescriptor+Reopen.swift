import Glibc
import SystemPackage

extension OwnedDescriptor {
  /// A new open file description of the same file.
  package borrowing func reopen(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    try OwnedDescriptor.open("/proc/self/fd/\(descriptor)", flags: flags)
  }

  /// Who gets signals: 0 a thread, 1 a process, 2 a group; and its number, 0 for nobody.
  package borrowing func owner() throws(SystemCallError) -> (kind: Int32, number: Int32) {
    var words: [Int32] = [0, 0]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.fcntl, "fcntl(F_GETOWN_EX)", on: name, Int(descriptor), 16, address)
    }
    return (words[0], words[1])
  }

  /// flock(2), without waiting.
  package borrowing func lockWhole(exclusively: Bool) throws(SystemCallError) {
    try kernelCall(.flock, "flock", on: name, Int(descriptor), exclusively ? 6 : 5)
  }

  /// A lock of the open file description, without waiting: `struct flock`.
  package borrowing func lock(words: [UInt64]) throws(SystemCallError) {
    var words = words
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.fcntl, "fcntl(F_OFD_SETLK)", on: name, Int(descriptor), 37, address)
    }
  }

  /// Sets when the file was last modified.
  package borrowing func setModificationTime(
    seconds: Int64, nanoseconds: UInt32
  ) throws(SystemCallError) {
    // UTIME_OMIT for the time of access
    var times: [Int64] = [0, (1 << 30) - 2, seconds, Int64(nanoseconds)]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &times) { (address) throws(SystemCallError) in
      try kernelCall(.utimensat, "utimensat", on: name, Int(descriptor), 0, address, 0)
    }
  }

  /// Memory that can be sealed, of this name, empty.
  package static func sealableMemory(name: String) throws(SystemCallError) -> OwnedDescriptor {
    let descriptor = try withCPath(name, for: "memfd_create") { pointer throws(SystemCallError) in
      // MFD_CLOEXEC | MFD_ALLOW_SEALING
      try kernelCall(.memfdCreate, "memfd_create", on: name, Int(bitPattern: pointer), 3)
    }
    return OwnedDescriptor(owning: CInt(descriptor), name: name)
  }
}

extension Files {
  /// Gives what a path leads to a user and a group.
  package static func setOwner(_ path: String, user: UInt32, group: UInt32) throws(SystemCallError)
  {
    try withCPath(path, for: "chown") { pointer throws(SystemCallError) in
      try systemCall("chown", on: path) { unsafe chown(pointer, user, group) }
    }
  }

  /// Sets the permission bits of what a path leads to.
  package static func setPermissions(_ path: String, _ permissions: UInt32) throws(SystemCallError)
  {
    try withCPath(path, for: "chmod") { pointer throws(SystemCallError) in
      try systemCall("chmod", on: path) { unsafe chmod(pointer, mode_t(permissions)) }
    }
  }
}
