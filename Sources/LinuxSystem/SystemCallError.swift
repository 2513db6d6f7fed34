import SystemPackage

/// A system call that failed: which, on what, and why.
package struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call as manuals name it, such as `pread`.
  package let call: String
  /// What it was done to: a path as the user wrote it, or a name such as `standard input`.
  package let subject: String
  /// The kernel's reason.
  package let errno: Errno
  /// The bytes that a transfer had moved before it failed; 0 for calls that move none.
  package let transferredByteCount: Int

  /// For calls that are not made through `systemCall`, which reads the reason itself.
  package init(call: String, subject: String, errno: Errno, transferredByteCount: Int = 0) {
    self.call = call
    self.subject = subject
    self.errno = errno
    self.transferredByteCount = transferredByteCount
  }

  /// `pread of disk.img: Input/output error`.
  package var description: String { "\(call) of \(subject): \(errno)" }
}
