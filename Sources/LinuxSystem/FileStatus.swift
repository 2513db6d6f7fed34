import CLinux
import Glibc
import SystemPackage

/// Which file it is, whatever its name: two paths with one identity are the same bytes.
package struct FileIdentity: Hashable, Sendable {
  /// The filesystem's device number; for a block device, its own.
  package let device: UInt64
  /// The inode number; 0 for a block device, which may have several nodes in several places.
  package let inode: UInt64
  /// Whether `device` is a block device's own number, and not that of a filesystem.
  package let isBlockDevice: Bool

  /// The device number as sysfs and mountinfo write it, such as `8:1`.
  package var deviceNumber: String { "\(clinux_major(device)):\(clinux_minor(device))" }
}

/// What `stat` tells of a file.
package struct FileStatus: Equatable, Sendable {
  /// What kind of file it is, links followed.
  package let kind: FileKind
  /// Which file it is, whatever the path.
  package let identity: FileIdentity
  /// The length of a regular file; 0 for a block device, whose length only an open descriptor knows.
  package let byteCount: Int
  /// What it occupies, holes left out.
  package let allocatedByteCount: Int
  /// The permission bits alone.
  package let permissions: UInt32

  init(_ status: stat) {
    switch status.st_mode & S_IFMT {
    case S_IFREG: kind = .regular
    case S_IFBLK: kind = .block
    case S_IFDIR: kind = .directory
    case S_IFCHR: kind = .character
    case S_IFIFO: kind = .pipe
    default: kind = .other
    }
    identity =
      kind == .block
      ? FileIdentity(device: UInt64(status.st_rdev), inode: 0, isBlockDevice: true)
      : FileIdentity(
        device: UInt64(status.st_dev), inode: UInt64(status.st_ino), isBlockDevice: false)
    byteCount = Int(status.st_size)
    allocatedByteCount = Int(status.st_blocks) * 512  // whatever the filesystem's own blocks are
    permissions = UInt32(status.st_mode & 0o7777)
  }
}
