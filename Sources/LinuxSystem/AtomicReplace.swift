import SystemPackage

extension Files {
  /// Puts a new file in the place of an old one so that whoever looks, even after a crash, finds one of
  /// the two and all of it: write beside, sync, rename, sync the directory.
  ///
  /// A link keeps leading to the file. When anything throws, the old file is as it was. An error of the
  /// very last step means that the new file is there, but may be the old one again after a power cut.
  package static func atomicReplace(
    _ path: String, permissions: UInt32 = 0o666,
    _ write: (borrowing OwnedDescriptor) throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    let present = try? status(of: path)
    let target = present == nil ? path : try realPath(path)
    let temporary = temporaryName(beside: target)
    let file = try OwnedDescriptor.open(
      temporary, access: .readWrite, options: [.create, .exclusive], permissions: permissions)
    do throws(SystemCallError) {
      if let present { try file.setPermissions(present.permissions) }
      try write(file)
      try file.synchronizeAll()
      try rename(temporary, to: target)
    } catch {
      try? unlink(temporary)  // the first error is the one to tell
      throw error
    }
    try synchronizeDirectory(directory(of: target))
  }

  /// Makes the names in a directory survive a power cut.
  package static func synchronizeDirectory(_ path: String) throws(SystemCallError) {
    do throws(SystemCallError) {
      try OwnedDescriptor.open(path, access: .readOnly, options: .directory).synchronizeAll()
    } catch  where error.errno == .invalidArgument {
      // A filesystem whose directories need (and know) no sync.
    }
  }
}
