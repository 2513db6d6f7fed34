import Glibc
import SystemPackage

extension OwnedDescriptor {
  /// Who gets signals: 0 a thread, 1 a process, 2 a group; and its number, 0 for nobody.
  package borrowing func owner() throws(SystemCallError) -> (kind: Int32, number: Int32) {
    var words: [Int32] = [0, 0]
    let (descriptor, name) = (descriptor, name)
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.fcntl, "fcntl(F_GETOWN_EX)", on: name, Int(descriptor), 16, address)
    }
    return (words[0], words[1])
  }

  /// Whether a number is a descriptor that this program was given when it was started: ours are closed by exec.
  package static func isInherited(_ number: Int32) -> Bool {
    let flags = try? kernelCall(
      .fcntl, "fcntl", on: "descriptor \(number)", Int(number), Int(F_GETFD))
    return flags.map { $0 & Int(FD_CLOEXEC) == 0 } ?? false
  }

  package borrowing func isTerminal() -> Bool { isatty(descriptor) == 1 }

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
