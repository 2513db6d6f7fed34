import CLinux
import Glibc
import SystemPackage

// Files that are memory, and what is set on a file besides its content.
extension OwnedDescriptor {
  /// Whether the file lives in memory (tmpfs): then nothing tells when it was last written through a mapping,
  /// and it does not outlive the machine's.
  package borrowing func isInMemory() throws(SystemCallError) -> Bool {
    try filesystemType() == 0x0102_1994
  }

  /// What kind of filesystem it is on: a number of linux/magic.h.
  package borrowing func filesystemType() throws(SystemCallError) -> UInt64 {
    var words = [UInt64](repeating: 0, count: 15)  // struct statfs
    let descriptor = descriptor
    try withAddress(of: &words) { (address) throws(SystemCallError) in
      try kernelCall(.fstatfs, "fstatfs", on: "a file", Int(descriptor), address)
    }
    return words[0]
  }

  /// What may no longer be done to a memfd: fcntl(F_GET_SEALS).
  package borrowing func seals() throws(SystemCallError) -> UInt32 {
    UInt32(truncatingIfNeeded: try control(1034))
  }

  /// Adds seals.
  package borrowing func seal(_ seals: UInt32) throws(SystemCallError) {
    try control(1033, Int(seals))
  }

  /// Whether nobody else has the file open or mapped. Also false where that can't be found out.
  package borrowing func isOnlyOurs() -> Bool {
    // A lease for writing (fcntl(2)) is granted to the only one who has the file open.
    guard (try? control(Self.setLease, Int(F_WRLCK))) != nil else { return false }
    _ = try? control(Self.setLease, Int(F_UNLCK))
    return true
  }

  private static let setLease: Int32 = 1024

  /// Gives it to a user and a group.
  package borrowing func set(user: UInt32, group: UInt32) throws(SystemCallError) {
    try kernelCall(.fchown, "fchown", on: name, Int(descriptor), Int(user), Int(group))
  }

  /// Sets when it was modified last; access is dated the same.
  package borrowing func set(
    modified time: (seconds: Int64, nanoseconds: UInt32)
  ) throws(SystemCallError) {
    var times = [time.seconds, Int64(time.nanoseconds), time.seconds, Int64(time.nanoseconds)]
    let descriptor = descriptor
    try withAddress(of: &times) { (address) throws(SystemCallError) in
      try kernelCall(.utimensat, "utimensat", on: "a file", Int(descriptor), 0, address, 0)
    }
  }

  /// A new open file description of the same file.
  package borrowing func reopen(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    try OwnedDescriptor.open("/proc/self/fd/\(descriptor)", flags: flags)
  }
}
