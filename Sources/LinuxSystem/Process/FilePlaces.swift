import SystemPackage

extension Files {
  /// Gives a file another path where nothing is yet; `fileExists` if something is.
  package static func rename(_ path: String, toFree newPath: String) throws(SystemCallError) {
    do throws(SystemCallError) {
      try call(.renameat2, "renameat2", path, newPath, noReplace)
    } catch  where error.errno == .invalidArgument {
      // A filesystem that can't say so has links, which never replace anything.
      try link(path, to: newPath)
      try unlink(path)
    }
  }

  /// Exchanges what two paths lead to, in one step; `invalidArgument` where the filesystem can't.
  package static func exchange(_ path: String, _ other: String) throws(SystemCallError) {
    try call(.renameat2, "renameat2", path, other, exchanging)
  }

  /// Gives a file a second path where nothing is yet; `fileExists` if something is.
  package static func link(_ path: String, to newPath: String) throws(SystemCallError) {
    try call(.linkat, "linkat", path, newPath, 0)
  }

  /// RENAME_NOREPLACE
  private static let noReplace = 1
  /// RENAME_EXCHANGE
  private static let exchanging = 2
  /// AT_FDCWD
  private static let workingDirectory = -100

  private static func call(
    _ call: KernelCall, _ name: StaticString, _ path: String, _ newPath: String, _ flags: Int
  ) throws(SystemCallError) {
    try withCPath(path, for: "rename") { old throws(SystemCallError) in
      try withCPath(newPath, for: "rename") { new throws(SystemCallError) in
        try kernelCall(
          call, name, on: "\(path) to \(newPath)", workingDirectory, Int(bitPattern: old),
          workingDirectory, Int(bitPattern: new), flags)
      }
    }
  }
}

extension OwnedDescriptor {
  /// Whether the kernel makes up what is read as it is read (proc, sysfs and their like), so that size and time
  /// of the file say nothing.
  package borrowing func isMadeUp() throws(SystemCallError) -> Bool {
    Self.madeUpFilesystems.contains(try filesystemType())
  }

  /// Numbers of linux/magic.h: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, configfs, bpf,
  /// selinuxfs, efivarfs, binfmt_misc, nsfs.
  private static let madeUpFilesystems: Set<UInt64> = [
    0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0x7363_6673,
    0x6265_6570, 0xcafe_4a11, 0xf97c_ff8c, 0xde5e_81e4, 0x4249_4e4d, 0x6e73_6673,
  ]
}

extension KernelCall {
  #if arch(x86_64)
    static let linkat = KernelCall(rawValue: 265)
    static let renameat2 = KernelCall(rawValue: 316)
  #endif
}
