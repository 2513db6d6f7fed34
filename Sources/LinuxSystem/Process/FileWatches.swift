import Glibc
import SystemPackage

// inotify(7), and files by their handles.
extension OwnedDescriptor {
  package static func fileWatches(flags: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    let made = try kernelCall(
      .inotifyInit1, "inotify_init1", on: "watches", Int(flags | UInt32(O_CLOEXEC)))
    return OwnedDescriptor(owning: CInt(made), name: "watches")
  }

  /// Watches a path; returns the watch's number.
  package borrowing func addWatch(_ path: String, events: UInt32) throws(SystemCallError) -> Int32 {
    let descriptor = descriptor
    return try withCPath(path, for: "inotify_add_watch") { pointer throws(SystemCallError) in
      Int32(
        try kernelCall(
          .inotifyAddWatch, "inotify_add_watch", on: path, Int(descriptor),
          Int(bitPattern: pointer), Int(events)))
    }
  }

  package borrowing func removeWatch(_ number: Int32) throws(SystemCallError) {
    try kernelCall(.inotifyRmWatch, "inotify_rm_watch", on: name, Int(descriptor), Int(number))
  }

  /// Takes all events that wait; only where reading does not block.
  package borrowing func discardInput() throws(SystemCallError) {
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let (descriptor, name, count) = (descriptor, name, bytes.count)
    while try readyEvents(Int16(POLLIN)) & Int16(POLLIN) != 0 {
      try withAddress(of: &bytes) { (address) throws(SystemCallError) in
        try kernelCall(.read, "read", on: name, Int(descriptor), address, count)
      }
    }
  }

  /// A file by its handle (`struct file_handle`), on the filesystem of this one; only its place is opened.
  package borrowing func openHandle(
    type: Int32, _ handle: [UInt8]
  ) throws(SystemCallError) -> OwnedDescriptor {
    var bytes: [UInt8] = []
    for word in [UInt32(handle.count), UInt32(bitPattern: type)] {
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    bytes += handle
    let (descriptor, name) = (descriptor, name)
    let made = try withAddress(of: &bytes) { (address) throws(SystemCallError) in
      try kernelCall(
        .openByHandleAt, "open_by_handle_at", on: name, Int(descriptor), address,
        Int(0o10000000 | O_CLOEXEC))
    }
    return OwnedDescriptor(owning: CInt(made), name: "a file")
  }

  /// The path that leads to it now.
  package borrowing func presentPath() throws(SystemCallError) -> String {
    try Files.linkTarget("/proc/self/fd/\(descriptor)")
  }
}
